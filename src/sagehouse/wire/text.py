"""Scalars as text, the way URIs, headers, form fields and XML carry them."""

import base64
import binascii
import re
from typing import Any

from sagehouse.kit.errors import Invalid
from sagehouse.wire.shapes import Shape
from sagehouse.wire.timestamps import format_iso8601, format_rfc822, parse_timestamp

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")


def read_text(shape: Shape, text: str) -> Any:
    """Return the value a text spells for a scalar shape; Invalid if it spells none."""
    try:
        if shape.type in {"integer", "long"} and _INTEGER.fullmatch(text):
            return int(text)
        if shape.type in {"float", "double"}:
            return float(text)
        if shape.type == "boolean":
            return {"true": True, "false": False}[text.strip().lower()]
        if shape.type == "timestamp":
            return parse_timestamp(text)
        if shape.type == "blob":
            return base64.b64decode(text, validate=True)
    except (ValueError, KeyError, OverflowError, binascii.Error) as error:
        raise _no_value(shape, text) from error
    if shape.type in {"integer", "long"}:
        raise _no_value(shape, text)
    return text


def _no_value(shape: Shape, text: str) -> Invalid:
    return Invalid(f"{text!r} is not a {shape.type} ({shape.name}).", code="SerializationException")


def write_text(shape: Shape, value: Any, *, timestamp_format: str, fraction: str = "") -> str:
    """Return the text of a scalar; `timestamp_format` holds where the shape names none."""
    if shape.type == "boolean":
        return "true" if value else "false"
    if shape.type == "timestamp" and not isinstance(value, str):
        wanted = shape.timestamp_format or timestamp_format
        if wanted == "rfc822":
            return format_rfc822(value)
        return format_iso8601(value, fraction=fraction) if wanted == "iso8601" else str(int(value // 1))
    if shape.type == "blob":
        return base64.b64encode(value.encode() if isinstance(value, str) else value).decode("ascii")
    return str(value)
