"""JSON bodies to documents and back, as a shape directs.

Most shapes need no conversion at all: then the parsed JSON is the document. Timestamps, blobs and members under
another name do. Types are not checked here: `validate` does, whoever made the document.
"""

import base64
import binascii
import json
import math
from collections.abc import Callable
from typing import Any, TypeAlias

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.kit.json_text import read_strict_json
from sagehouse.wire.model import Service
from sagehouse.wire.shapes import Shape
from sagehouse.wire.timestamps import format_iso8601, format_rfc822, parse_timestamp

Convert: TypeAlias = Callable[[Any], Any]
_MAX_DEPTH = 100  # levels of nesting; no service model comes near, and the interpreter's stack stays safe


def load_json(body: bytes) -> Any:
    """Return the JSON value of a body; Invalid (SerializationException) if it holds none, NaN or half a surrogate."""
    try:
        return read_strict_json(body, max_depth=_MAX_DEPTH)
    except ValueError as error:
        raise Invalid(f"The request body is not valid JSON: {error}", code="SerializationException") from error


def dump_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def read_object(service: Service, shape: Shape, body: bytes) -> Document:
    """Return the document of a structure's JSON body; an empty body is an empty document, null members are absent."""
    if not body.strip():
        return {}
    value = load_json(body)
    if not isinstance(value, dict):
        raise Invalid("The request body is not a JSON object.", code="SerializationException")
    if b"null" in body:
        value = _without_nulls(shape, value)
    convert = reader(service, shape)
    document: Document = convert(value) if convert else value
    return document


def _without_nulls(shape: Shape, value: Any) -> Any:
    """Drop null members of structures; nulls in lists and maps stay, for validation to refuse."""
    if shape.is_open:
        return value
    if shape.type == "structure" and isinstance(value, dict):
        kept = {}
        for name, item in value.items():
            if item is not None:
                kept[name] = _without_nulls(shape.members[name], item) if name in shape.members else item
        return kept
    if shape.type == "list" and isinstance(value, list):
        return [_without_nulls(shape.member, item) for item in value]
    if shape.type == "map" and isinstance(value, dict):
        return {key: _without_nulls(shape.value, item) for key, item in value.items()}
    return value


def reader(service: Service, shape: Shape) -> Convert | None:
    """Return the function that turns parsed JSON into the document of a shape; None if they are the same."""
    return _compiled(service, shape, "read")


def writer(service: Service, shape: Shape) -> Convert | None:
    """Return the function that turns a document into JSON values, known members only; None if they are the same."""
    return _compiled(service, shape, "write")


def _compiled(service: Service, shape: Shape, way: str) -> Convert | None:
    """Compile once per shape and way; the inside of a recursive shape calls what is there when it is done."""
    if shape.type not in {"structure", "list", "map"}:
        return _scalar(shape, way)
    key = (way, shape.name)
    if key not in service.memo:

        def itself(value: Any) -> Any:
            return (service.memo[key] or _same)(value)

        service.memo[key] = itself
        service.memo[key] = _compile(service, shape, way)
    convert: Convert | None = service.memo[key]
    return convert


def _same(value: Any) -> Any:
    return value


def _compile(service: Service, shape: Shape, way: str) -> Convert | None:
    if shape.is_open:
        return None
    if shape.type == "structure":
        return _structure(service, shape, way)
    if shape.type == "list":
        member = _compiled(service, shape.member, way)
        return _list_converter(member) if member else None
    value = _compiled(service, shape.value, way)
    return _map_converter(value) if value else None


def _list_converter(convert: Convert) -> Convert:
    return lambda value: [convert(item) for item in value] if isinstance(value, list) else value


def _map_converter(convert: Convert) -> Convert:
    return lambda value: {k: convert(v) for k, v in value.items()} if isinstance(value, dict) else value


def _structure(service: Service, shape: Shape, way: str) -> Convert | None:
    """Reading keeps unknown members (validation names them); writing leaves them out."""
    rows: dict[str, tuple[str, Convert | None]] = {}
    for name, member in shape.members.items():
        wire = member.wire_name or name
        source, target = (wire, name) if way == "read" else (name, wire)
        rows[source] = (target, _compiled(service, member, way))
    if way == "read":
        changed = {source: row for source, row in rows.items() if row != (source, None)}
        return _reader(changed) if changed else None
    return _writer(rows)


def _reader(changed: dict[str, tuple[str, Convert | None]]) -> Convert:
    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        document = value
        for source, (target, convert) in changed.items():
            if source in document:
                item = document.pop(source) if target != source else document[source]
                document[target] = convert(item) if convert else item
        return document

    return read


def _writer(rows: dict[str, tuple[str, Convert | None]]) -> Convert:
    def write(document: Any) -> Any:
        value = {}
        for source, item in document.items():
            row = rows.get(source)
            if row is not None and item is not None:
                target, convert = row
                value[target] = convert(item) if convert else item
        return value

    return write


def _scalar(shape: Shape, way: str) -> Convert | None:
    if shape.type == "timestamp":
        return _read_timestamp if way == "read" else _timestamp_writer(shape)
    if shape.type == "blob":
        return _read_blob if way == "read" else _write_blob
    if shape.type in {"float", "double"} and way == "write":
        return _write_float
    return None


def _read_timestamp(value: Any) -> Any:
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return value
    try:
        return parse_timestamp(value)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{value!r} is not a timestamp.", code="SerializationException") from error


def _timestamp_writer(shape: Shape) -> Convert:
    if shape.timestamp_format == "iso8601":
        return format_iso8601
    if shape.timestamp_format == "rfc822":
        return format_rfc822
    return lambda value: round(value, 3)


def _write_float(value: Any) -> Any:
    """JSON has no word for NaN and the infinities; AWS spells them as strings."""
    if isinstance(value, int) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _read_blob(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("A blob member is not base64.", code="SerializationException") from error


def _write_blob(value: Any) -> Any:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode("ascii")
