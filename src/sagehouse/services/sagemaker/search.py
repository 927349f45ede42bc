"""Search over every kind of resource that is stored."""

import base64
import json
from collections.abc import Mapping

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.kit.json_text import read_json
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Query, Stored
from sagehouse.ports.house import House, Operation
from sagehouse.resources.kind import Kind
from sagehouse.resources.tagging import listed
from sagehouse.resources.verbs import presented
from sagehouse.services.sagemaker.endpoints.endpoint import KIND as ENDPOINT
from sagehouse.services.sagemaker.jobs.training_job import KIND as TRAINING_JOB
from sagehouse.services.sagemaker.pipelines.kinds import EXECUTION, PIPELINE
from sagehouse.services.sagemaker.registry.model_package import KIND as MODEL_PACKAGE
from sagehouse.services.sagemaker.registry.model_package_group import KIND as MODEL_PACKAGE_GROUP
from sagehouse.services.sagemaker.search_filter import matches, value_of

KINDS: Mapping[str, Kind] = {
    kind.name: kind for kind in (TRAINING_JOB, ENDPOINT, MODEL_PACKAGE, MODEL_PACKAGE_GROUP, PIPELINE, EXECUTION)
}
"""By the Resource of a request, which is also the member of a result."""
_PAGE = 10
_READ = 500
"""Resources read at a time: some megabytes of documents."""


async def search(house: House, call: Call, request: Document) -> Document:
    """Return resources whose documents, tags included, satisfy the expression; newest change first unless sorted.

    Source: API reference, Search.
    """
    kind = KINDS.get(request["Resource"])
    if kind is None:
        raise Invalid(
            f"Search: sagehouse does not implement Resource {request['Resource']!r}; it searches {', '.join(KINDS)}."
        )
    if request.get("VisibilityConditions"):
        raise Invalid("Search: sagehouse does not implement VisibilityConditions: everything is visible.")
    if request.get("CrossAccountFilterOption") == "CrossAccount":
        return {"Results": []}  # nothing is ever shared from another account
    found = [
        document
        for stored in await _all(house, call, kind)
        if matches(document := await _document(house, call, kind, stored), request.get("SearchExpression") or {})
    ]
    return _page(kind, _sorted(kind, found, request), request)


async def _all(house: House, call: Call, kind: Kind) -> list[Stored]:
    rows: list[Stored] = []
    token = None
    while True:
        query = Query(account=call.account, region=call.region, kind=kind.name, limit=_READ, token=token)
        page = await house.catalog.page(query)
        rows += page.items
        if page.next_token is None:
            return rows
        token = page.next_token


async def _document(house: House, call: Call, kind: Kind, stored: Stored) -> Document:
    tags = listed(await house.catalog.tags(stored.arn))
    return {"LastModifiedTime": stored.modified_at, **presented(call, kind, stored), "Tags": tags}


def _sorted(kind: Kind, found: list[Document], request: Document) -> list[Document]:
    by = request.get("SortBy", "LastModifiedTime")
    is_descending = request.get("SortOrder", "Descending") == "Descending"

    def rank(document: Document) -> tuple[bool, bool, float, str, str]:
        value = value_of(document, by)
        is_number = isinstance(value, int | float)
        number = float(value) if isinstance(value, int | float) else 0.0
        text = value.lower() if isinstance(value, str) else ""
        return value is not None, is_number, number, text, str(document[kind.arn_member])

    return sorted(found, key=rank, reverse=is_descending)


def _page(kind: Kind, found: list[Document], request: Document) -> Document:
    start = _position(request.get("NextToken") or "", kind)
    end = start + int(request.get("MaxResults", _PAGE))
    output: Document = {"Results": [{kind.name: document} for document in found[start:end]]}
    if end < len(found):
        output["NextToken"] = base64.urlsafe_b64encode(json.dumps([kind.name, end]).encode()).decode()
    return output


def _position(token: str, kind: Kind) -> int:
    if not token:
        return 0
    try:
        name, position = read_json(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError):
        name, position = "", None
    if name != kind.name or not isinstance(position, int):
        raise Invalid(f"Invalid pagination token {token!r}: it was not issued by Search over {kind.name}.")
    return position


OPERATIONS: Mapping[str, Operation] = {"Search": search}
