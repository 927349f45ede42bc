"""Marker and MaxItems, by which IAM pages."""

from collections.abc import Sequence

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid

DEFAULT_ITEMS = 100
"""Source: IAM API reference, MaxItems."""


def paged(request: Document, member: str, rows: Sequence[object]) -> Document:
    """Return one page of rows that are all at hand."""
    marker = request.get("Marker") or "0"
    if not marker.isdecimal():
        raise Invalid(f"Invalid Marker {marker!r}: it was not issued by this operation.")
    start = int(marker)
    end = start + int(request.get("MaxItems", DEFAULT_ITEMS))
    output: Document = {member: list(rows[start:end]), "IsTruncated": end < len(rows)}
    if end < len(rows):
        output["Marker"] = str(end)
    return output
