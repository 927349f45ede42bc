"""What the REST protocols share: members carried by the path, the query, headers and the status.

Source: Smithy, HTTP binding traits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.wire.http import HttpRequest, QueryParams, parse_query
from sagehouse.wire.model import Operation
from sagehouse.wire.routing import path_labels
from sagehouse.wire.shapes import Shape
from sagehouse.wire.text import read_text, write_text

ReadBody: TypeAlias = Callable[[Shape, bytes], Any]
_BODILESS = frozenset({204, 304})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """The members of a structure by where they travel."""

    path: Mapping[str, Shape]
    query: Mapping[str, Shape]
    header: Mapping[str, Shape]
    """Member -> shape, for single headers."""
    prefixes: Mapping[str, str]
    """Member -> header prefix in lower case, for maps such as x-amz-meta-."""
    body: tuple[str, ...]
    """Members left to the body when no member is the payload."""


def bindings(shape: Shape) -> Bindings:
    placed: dict[str | None, dict[str, Shape]] = {}
    for name, member in shape.members.items():
        placed.setdefault(member.location, {})[name] = member
    return Bindings(
        path=placed.get("uri", {}),
        query=placed.get("querystring", {}),
        header=placed.get("header", {}),
        prefixes={name: (member.wire_name or "").lower() for name, member in placed.get("headers", {}).items()},
        body=tuple(placed.get(None, {})),
    )


def input_bindings(operation: Operation) -> Bindings | None:
    """Return where the input's members travel; None for an operation without input."""
    found: Bindings | None = operation.compiled("input", lambda op: bindings(op.input) if op.input else None)
    return found


def output_bindings(operation: Operation) -> Bindings | None:
    found: Bindings | None = operation.compiled("output", lambda op: bindings(op.output) if op.output else None)
    return found


def read_locations(operation: Operation, request: HttpRequest) -> Document:
    """Return the members that the path, the query and the headers carry."""
    bound = input_bindings(operation)
    if bound is None:
        return {}
    document: Document = {}
    try:
        if bound.path:
            labels = path_labels(operation, request.raw_path)
            for name, shape in bound.path.items():
                document[name] = read_text(shape, labels[shape.wire_name or name])
        if bound.query:
            _read_query(bound, parse_query(request.query), document)
    except UnicodeDecodeError as error:
        raise Invalid("Could not parse the specified URI: it is not UTF-8.", code="InvalidURI") from error
    _read_headers(bound, request.headers, document)
    return document


def _read_query(bound: Bindings, params: QueryParams, document: Document) -> None:
    named = {shape.wire_name or name for name, shape in bound.query.items()}
    for name, shape in bound.query.items():
        wire = shape.wire_name or name
        if shape.type == "map":
            document[name] = {
                key: values if shape.value.type == "list" else values[0]
                for key, values in params.items()
                if key not in named
            }
        elif wire in params:
            values = params[wire]
            document[name] = (
                [read_text(shape.member, value) for value in values]
                if shape.type == "list"
                else read_text(shape, values[0])
            )


def _read_headers(bound: Bindings, headers: Mapping[str, str], document: Document) -> None:
    for name, shape in bound.header.items():
        text = headers.get((shape.wire_name or name).lower())
        if text is None:
            continue
        if shape.type == "list":
            document[name] = [read_text(shape.member, part.strip()) for part in text.split(",") if part.strip()]
        else:
            document[name] = read_text(shape, text)
    for name, prefix in bound.prefixes.items():
        found = {header[len(prefix) :]: value for header, value in headers.items() if header.startswith(prefix)}
        if found:
            document[name] = found


def read_payload(operation: Operation, request: HttpRequest, document: Document, read_body: ReadBody) -> None:
    """Add what the body carries: the payload member, or every member without another place."""
    shape = operation.input
    if shape is None:
        return
    if shape.payload is None:
        bound = input_bindings(operation)
        if bound and bound.body and request.body:
            document.update(read_body(shape, request.body))
        return
    payload = shape.members[shape.payload]
    if payload.is_streaming or payload.type == "blob":
        if payload.is_streaming or request.body or shape.payload in shape.required:
            document[shape.payload] = request.body
    elif payload.type in {"string", "character"}:
        if request.body:
            document[shape.payload] = request.body.decode("utf-8", errors="replace")
    elif request.body:
        document[shape.payload] = read_body(payload, request.body)


def write_headers(operation: Operation, document: Document) -> list[tuple[str, str]]:
    """Return the headers of a response document."""
    bound = output_bindings(operation)
    if bound is None:
        return []
    headers = []
    for name, shape in bound.header.items():
        value = document.get(name)
        if value is None:
            continue
        if shape.type == "list":
            text = ",".join(write_text(shape.member, item, timestamp_format="rfc822") for item in value)
        else:
            text = write_text(shape, value, timestamp_format="rfc822")
        headers.append(((shape.wire_name or name).lower(), text))
    for name, prefix in bound.prefixes.items():
        headers.extend((prefix + key, str(value)) for key, value in (document.get(name) or {}).items())
    return headers


def status_of(operation: Operation, document: Document) -> int:
    """Return the status: of the document's status member if it has one, else the model's."""
    if operation.output is not None:
        for name, shape in operation.output.members.items():
            if shape.location == "statusCode" and document.get(name) is not None:
                return int(document[name])
    return operation.status


def has_no_body(status: int) -> bool:
    return status in _BODILESS


def is_raw(shape: Shape | None) -> bool:
    """Whether a structure's body is bytes of its own, under a content type of their own."""
    return bool(shape and shape.payload and shape.members[shape.payload].type in {"blob", "string", "character"})
