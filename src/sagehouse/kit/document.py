"""The one spelling of data: an AWS-shaped document, PascalCase from the wire to the catalog."""

from typing import Any, TypeAlias

Document: TypeAlias = dict[str, Any]
"""JSON-shaped: strings, numbers, booleans, None, lists, documents. Timestamps are UTC seconds (float)."""
