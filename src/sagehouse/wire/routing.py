"""Which operation of a REST service a method, path and query mean.

The most specific operation wins: the one whose URI fixes most of the query ("?uploads", "?list-type=2"), then the one
whose required parameters and headers are there ("x-amz-copy-source"). S3 needs both.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from sagehouse.kit.errors import Invalid
from sagehouse.wire.http import HttpRequest, QueryParams, parse_query
from sagehouse.wire.model import Operation, Service

_LABEL = re.compile(r"\\\{(\w+)(\\\+)?\\\}")
# Superseded names that share method, path and query with the operation AWS answers today, and one that only another
# host answers (directory buckets).
_SHADOWED = frozenset({
    "GetBucketLifecycle",
    "PutBucketLifecycle",
    "GetBucketNotification",
    "PutBucketNotification",
    "ListDirectoryBuckets",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An operation's address, ready to be compared."""

    operation: str
    path: re.Pattern[str]
    literals: Sequence[tuple[str, str]]
    """Query parameters the URI fixes; the value "" means any."""
    parameters: Sequence[str]
    """Required query parameters."""
    headers: Sequence[str]
    """Required headers."""

    def is_open_to(self, params: QueryParams) -> bool:
        return all(name in params and (not value or value in params[name]) for name, value in self.literals)

    def rank(self, params: QueryParams, headers: Mapping[str, str]) -> tuple[int, bool, int]:
        needs = [*(name in params for name in self.parameters), *(name in headers for name in self.headers)]
        return (len(self.literals), all(needs), len(needs) if all(needs) else -len(needs))


def path_labels(operation: Operation, raw_path: str) -> dict[str, str]:
    """Return the decoded URI labels of an operation's path.

    Raises UnicodeDecodeError when an escape is not UTF-8, KeyError when the path is not this operation's.
    """
    route: Route = operation.compiled("route", _compile)
    found = route.path.fullmatch(raw_path)
    if found is None:
        raise KeyError(raw_path)
    return {name: unquote(value, errors="strict") for name, value in found.groupdict().items()}


def find_operation(service: Service, request: HttpRequest) -> Operation | None:
    """Return the operation of a REST service that a request addresses; None if its model has none there."""
    try:
        params = parse_query(request.query)
    except UnicodeDecodeError as error:
        raise Invalid("Could not parse the specified URI: its query is not UTF-8.", code="InvalidURI") from error
    best: Route | None = None
    best_rank = (-1, False, 0)
    for route in _routes(service).get(request.method, ()):
        if route.is_open_to(params) and route.path.fullmatch(request.raw_path):
            rank = route.rank(params, request.headers)
            if rank > best_rank:
                best, best_rank = route, rank
    if best is None or (service.name == "s3" and not best.literals and not best_rank[1]):
        return None  # S3 tells operations apart by what they need; elsewhere validation names what is missing
    return service.operation(best.operation)


def _routes(service: Service) -> Mapping[str, Sequence[Route]]:
    routes: dict[str, list[Route]] | None = service.memo.get("routes")
    if routes is None:
        routes = {}
        for name in service.operation_names:
            operation = service.operation(name)
            if name not in _SHADOWED and not operation.traits.get("endpoint"):
                routes.setdefault(operation.method, []).append(operation.compiled("route", _compile))
        service.memo["routes"] = routes
    return routes


def _compile(operation: Operation) -> Route:
    path, _, query = operation.uri.partition("?")
    literals = [(name, value) for name, _, value in (part.partition("=") for part in query.split("&")) if name]
    parameters, headers = [], []
    for name in operation.input.required if operation.input else ():
        member = operation.input.members[name] if operation.input else None
        if member and member.location == "querystring":
            parameters.append(member.wire_name or name)
        elif member and member.location == "header":
            headers.append((member.wire_name or name).lower())
    # "//" and a trailing "/" are part of a greedy label (an S3 key); a bucket's path may end in "/".
    text = _LABEL.sub(lambda label: f"(?P<{label[1]}>{'.+' if label[2] else '[^/]+'})", re.escape(path))
    ending = "" if path.endswith(("+}", "/")) else "/?"
    return Route(
        operation=operation.name,
        path=re.compile(text + ending, re.DOTALL),
        literals=literals,
        parameters=parameters,
        headers=headers,
    )
