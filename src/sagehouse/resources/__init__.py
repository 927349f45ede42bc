"""The resource engine: what is the same for every kind of resource, as plain functions over the catalog.

A `Kind` says what the service model cannot know; `verbs`, `listing` and `tagging` do the rest; `transition` alone
writes statuses. It knows no single kind's name.
"""

from sagehouse.resources.kind import Kind
from sagehouse.resources.listing import list_page
from sagehouse.resources.transition import move, transition
from sagehouse.resources.verbs import amend, create, delete, describe, key_of, load, presented, update

__all__ = [
    "Kind",
    "amend",
    "create",
    "delete",
    "describe",
    "key_of",
    "list_page",
    "load",
    "move",
    "presented",
    "transition",
    "update",
]
