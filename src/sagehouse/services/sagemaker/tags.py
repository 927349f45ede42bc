"""Tags of every kind of resource."""

from collections.abc import Mapping

from sagehouse.ports.house import Operation
from sagehouse.resources.tagging import add_tags, delete_tags, list_tags

OPERATIONS: Mapping[str, Operation] = {
    "AddTags": add_tags,
    "DeleteTags": delete_tags,
    "ListTags": list_tags,
}
