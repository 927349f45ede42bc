"""XML bodies to documents and back, as a shape directs.

Text that XML cannot carry leaves as a character reference, as S3 does. A body with a document type is refused, so
entities never expand.
"""

import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.wire.shapes import Shape
from sagehouse.wire.text import read_text, write_text

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_MAX_DEPTH = 100  # levels of nesting, as in JSON; five million unclosed elements took seconds and 500 MB
_PIECE_BYTES = 64 * 1024
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SPECIAL = re.compile("[&<>\"'\x00-\x08\x0a-\x1f\x7f-\x9f\u2028]")
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}


def escape(text: str) -> str:
    """Return a text safe as element or attribute content."""
    return _SPECIAL.sub(lambda found: _NAMED.get(found[0]) or f"&#{ord(found[0])};", text)


def read_xml(shape: Shape, body: bytes) -> Document:
    """Return the document of a structure's XML body; Invalid (MalformedXML) if it is not XML."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body or b"\0" in body:  # in UTF-16 they would hide from this look
        raise Invalid("The XML you provided has a document type, or is not UTF-8.", code="MalformedXML")
    parser = XMLParser(target=_ShallowBuilder())  # noqa: S314 - without a document type there is no entity to expand
    try:
        for start in range(0, len(body), _PIECE_BYTES):
            parser.feed(body[start : start + _PIECE_BYTES])
        root = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        raise Invalid(
            "The XML you provided was not well-formed or did not validate against our published schema",
            code="MalformedXML",
        ) from error
    return _read_structure(shape, root)


class _ShallowBuilder(TreeBuilder):
    """Refuses a tree that is deeper than any document, before it is built."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def start(self, tag: str, attributes: dict[str, str], /) -> Element:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ParseError(f"nests deeper than {_MAX_DEPTH} levels")
        return super().start(tag, attributes)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def _read(shape: Shape, element: Element) -> Any:
    if shape.type == "structure":
        return _read_structure(shape, element)
    if shape.type == "list":
        return [_read(shape.member, child) for child in element]
    if shape.type == "map":
        return dict(_read_entry(shape, entry) for entry in element)
    return read_text(shape, element.text or "")


def _read_structure(shape: Shape, element: Element) -> Document:
    children: dict[str, list[Element]] = {}
    for child in element:
        children.setdefault(_local(child.tag), []).append(child)
    document: Document = {}
    for name, member in shape.members.items():
        if member.location is not None:
            continue
        if member.traits.get("xmlAttribute"):
            value = _attribute(element, member.wire_name or name)
            if value is not None:
                document[name] = value
            continue
        found = children.get(_element_name(name, member))
        if not found:
            continue
        if member.is_flattened and member.type == "list":
            document[name] = [_read(member.member, child) for child in found]
        elif member.is_flattened and member.type == "map":
            document[name] = dict(_read_entry(member, entry) for entry in found)
        else:
            document[name] = _read(member, found[0])
    return document


def _read_entry(shape: Shape, entry: Element) -> tuple[str, Any]:
    parts = {_local(child.tag): child for child in entry}
    key, value = parts.get(shape.key.wire_name or "key"), parts.get(shape.value.wire_name or "value")
    if key is None or value is None:
        raise Invalid("A map entry of the XML you provided lacks its key or its value.", code="MalformedXML")
    return key.text or "", _read(shape.value, value)


def _attribute(element: Element, wire_name: str) -> str | None:
    """Return an attribute's value; "xsi:type" is written with whatever prefix the client chose."""
    prefix, _, name = wire_name.rpartition(":")
    return element.get(f"{{{_XSI}}}{name}" if prefix == "xsi" else name)


def _element_name(name: str, shape: Shape) -> str:
    """Return the element of a member: a flattened list goes under its own or its element's name."""
    if shape.is_flattened and shape.type == "list":
        return shape.wire_name or shape.member.wire_name or name
    return shape.wire_name or name


def write_members(shape: Shape, document: Document, *, fraction: str = "") -> str:
    """Return the elements of a structure's members, without the structure's own element.

    `fraction` is what timestamps carry before their Z.
    """
    return "".join(_write_members(shape, document, fraction))


def write_element(name: str, shape: Shape, value: Any, *, namespace: str | None = None, fraction: str = "") -> str:
    """Return one element holding a value."""
    return "".join(_write(name, shape, value, fraction, namespace))


def _write_members(shape: Shape, document: Document, fraction: str) -> Iterator[str]:
    for name, member in shape.members.items():
        value = document.get(name)
        if value is None or member.location is not None or member.traits.get("xmlAttribute"):
            continue
        element = _element_name(name, member)
        if member.is_flattened and member.type == "list":
            for item in value:
                yield from _write(element, member.member, item, fraction, None)
        elif member.is_flattened and member.type == "map":
            for key, item in value.items():
                yield from _write_entry(element, member, key, item, fraction)
        else:
            yield from _write(element, member, value, fraction, None)


def _write(name: str, shape: Shape, value: Any, fraction: str, namespace: str | None) -> Iterator[str]:
    yield f"<{name}{_attributes(shape, value, namespace)}>"
    if shape.type == "structure":
        yield from _write_members(shape, value, fraction)
    elif shape.type == "list":
        for item in value:
            yield from _write(shape.member.wire_name or "member", shape.member, item, fraction, None)
    elif shape.type == "map":
        for key, item in value.items():
            yield from _write_entry("entry", shape, key, item, fraction)
    else:
        yield escape(write_text(shape, value, timestamp_format="iso8601", fraction=fraction))
    yield f"</{name}>"


def _write_entry(name: str, shape: Shape, key: str, value: Any, fraction: str) -> Iterator[str]:
    yield f"<{name}>"
    yield from _write(shape.key.wire_name or "key", shape.key, key, fraction, None)
    yield from _write(shape.value.wire_name or "value", shape.value, value, fraction, None)
    yield f"</{name}>"


def _attributes(shape: Shape, value: Any, namespace: str | None) -> str:
    """Return xmlns declarations and attribute members, each with a space before it."""
    text = f' xmlns="{namespace}"' if namespace else ""
    declared = shape.traits.get("xmlNamespace")
    if isinstance(declared, dict) and declared.get("prefix"):
        text += f' xmlns:{declared["prefix"]}="{declared["uri"]}"'
    if shape.type == "structure":
        for name, member in shape.members.items():
            if member.traits.get("xmlAttribute") and value.get(name) is not None:
                text += f' {member.wire_name or name}="{escape(str(value[name]))}"'
    return text
