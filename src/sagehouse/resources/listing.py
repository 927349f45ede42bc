"""One page of the resources of a kind, by the members every List request shares."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Query, SortBy, Stored
from sagehouse.ports.house import House
from sagehouse.resources.kind import Kind
from sagehouse.resources.verbs import presented

_BOUNDS = {
    "NameContains": "name_contains",
    "StatusEquals": "status",
    "CreationTimeAfter": "created_after",
    "CreationTimeBefore": "created_before",
    "CreatedAfter": "created_after",
    "CreatedBefore": "created_before",
    "LastModifiedTimeAfter": "modified_after",
    "LastModifiedTimeBefore": "modified_before",
}
_SORTS: Mapping[str, SortBy] = {
    "Name": "name",
    "CreationTime": "created_at",
    "LastModifiedTime": "modified_at",
    "Status": "status",
}
_ORDER = ("SortBy", "SortOrder", "MaxResults", "NextToken")
NEWEST_FIRST = "Descending"
"""The order of a List request that names none, whatever the API reference says of some kinds: deployments that take
the first row of ListModelPackages for the latest version, as SageMaker's own project templates do, rely on it.
"""


def understood(kind: Kind) -> frozenset[str]:
    """Return the members of a List request that `list_page` honours for this kind."""
    return frozenset((*_BOUNDS, *_ORDER, kind.name_member + "Prefix", *kind.filters))


async def list_page(
    house: House,
    call: Call,
    kind: Kind,
    request: Document,
    parent: str | None = None,
    equals: Mapping[str, str] = MappingProxyType({}),
    handled: Collection[str] = (),
) -> Document:
    """Return the List output: at most MaxResults rows, and a NextToken if more follow.

    `parent` and `equals` restrict the list further (`ports.catalog.Query`). Invalid, naming it, for a member that
    neither this function nor the caller (`handled`) honours.
    """
    query = query_of(call, kind, request, parent=parent, equals=equals, handled=handled)
    page = await house.catalog.page(query)
    rows = [kind.summarize(call, _whole(call, kind, stored)) for stored in page.items]
    output: Document = {kind.summaries_member: rows}
    if page.next_token is not None:
        output["NextToken"] = page.next_token
    return output


def _whole(call: Call, kind: Kind, stored: Stored) -> Document:
    """Return all that a row can be made of."""
    if not kind.row_members:
        return presented(call, kind, stored)
    return {**stored.document, kind.modified_member: stored.modified_at} if kind.modified_member else stored.document


def query_of(
    call: Call,
    kind: Kind,
    request: Document,
    *,
    parent: str | None = None,
    equals: Mapping[str, str] = MappingProxyType({}),
    handled: Collection[str] = (),
) -> Query:
    """Return the query that a List request asks."""
    bounds: dict[str, Any] = {}
    wanted = dict(equals)
    for member, value in request.items():
        if member in _BOUNDS:
            bounds[_BOUNDS[member]] = value
        elif member == kind.name_member + "Prefix":
            bounds["name_prefix"] = value
        elif member in kind.filters:
            wanted[kind.filters[member]] = value
        elif member not in _ORDER and member not in handled:
            raise Invalid(f"{call.operation}: sagehouse does not implement the member {member}; leave it out.")
    return Query(
        account=call.account,
        region=call.region,
        kind=kind.name,
        members=kind.row_members,
        parent=parent,
        equals=wanted,
        sort_by=_sort_by(call, kind, request),
        descending=request.get("SortOrder", NEWEST_FIRST) == "Descending",
        limit=int(request.get("MaxResults", kind.page_size)),
        token=request.get("NextToken") or None,
        **bounds,
    )


def _sort_by(call: Call, kind: Kind, request: Document) -> SortBy:
    asked = request.get("SortBy", "CreationTime")
    if asked == kind.arn_member:  # ARNs of one kind differ in the name alone
        return "name"
    if asked not in _SORTS:
        raise Invalid(f"{call.operation}: sagehouse does not implement SortBy {asked!r}; use {', '.join(_SORTS)}.")
    return _SORTS[asked]
