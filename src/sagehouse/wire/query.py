"""The query protocol: form fields in (`Tags.member.1.Key=a`), XML out.

Source: Smithy, awsQuery.
"""

from collections.abc import Iterable
from typing import Any

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.wire.http import HttpRequest, HttpResponse, parse_query
from sagehouse.wire.model import Operation
from sagehouse.wire.shapes import Shape
from sagehouse.wire.text import read_text
from sagehouse.wire.xml_body import escape, write_members

_PROTOCOL_FIELDS = frozenset({
    "Action", "Version", "AWSAccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "Timestamp", "Expires",
    "SecurityToken",
})  # fmt: skip
_LIST_LIMIT = 10_000  # elements of one list; a form that counts further is no honest request
_DEPTH_LIMIT = 32  # dots in one field name; the deepest member of IAM has 7

Fields = dict[str, str]


def form_fields(request: HttpRequest) -> Fields:
    """Return the form's fields, of the body and of the query; the first value of each counts."""
    try:
        text = request.body.decode("ascii") if isinstance(request.body, bytes) else ""
        fields = {name: values[0] for name, values in parse_query(text).items()} if text else {}
        for name, values in parse_query(request.query).items() if request.query else ():
            fields.setdefault(name, values[0])
    except UnicodeDecodeError as error:
        raise Invalid("The form is not URL-encoded UTF-8.", code="MalformedInput") from error
    return fields


def parse(operation: Operation, request: HttpRequest) -> Document:
    """Return the request document; a field that is no member is refused."""
    fields = form_fields(request)
    document: Document = {}
    names = set()
    if operation.input is not None:
        tree = _Tree(fields)
        for name, member in operation.input.members.items():
            prefix = _prefix(name, member)
            names.add(prefix.partition(".")[0])
            value = _read(member, tree, prefix)
            if value is not None:
                document[name] = value
    for field in fields:
        top = field.partition(".")[0]
        if top not in names and top not in _PROTOCOL_FIELDS and not top.lower().startswith("x-amz-"):
            document[top] = fields[field]  # validation names it as unknown
    return document


class _Tree:
    """The fields, and every dotted prefix of them."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.prefixes = set(_all_prefixes(fields))

    def __contains__(self, prefix: str) -> bool:
        return prefix in self.prefixes


def _all_prefixes(fields: Iterable[str]) -> Iterable[str]:
    for field in fields:
        if field.count(".") > _DEPTH_LIMIT:
            raise Invalid(f"The form field {field[:64]!r}... nests too deep.", code="MalformedInput")
        end = len(field)
        while end > 0:
            yield field[:end]
            end = field.rfind(".", 0, end)


def _prefix(name: str, shape: Shape) -> str:
    if shape.is_flattened and shape.type == "list" and shape.member.wire_name:
        return shape.member.wire_name
    return shape.wire_name or name


def _read(shape: Shape, tree: _Tree, prefix: str) -> Any:
    if prefix not in tree:
        return None
    if shape.type == "structure":
        members = ((name, _read(member, tree, f"{prefix}.{_prefix(name, member)}"))
                   for name, member in shape.members.items())  # fmt: skip
        return {name: value for name, value in members if value is not None}
    if shape.type == "list":
        return _read_list(shape, tree, prefix)
    if shape.type == "map":
        return _read_map(shape, tree, prefix)
    return read_text(shape, tree.fields[prefix]) if prefix in tree.fields else None


def _read_list(shape: Shape, tree: _Tree, prefix: str) -> list[Any]:
    """An empty list is spelled `Tags=`."""
    stem = prefix if shape.is_flattened else f"{prefix}.{shape.member.wire_name or 'member'}"
    found = []
    for index in range(1, _LIST_LIMIT + 1):
        value = _read(shape.member, tree, f"{stem}.{index}")
        if value is None:
            break
        found.append(value)
    return found


def _read_map(shape: Shape, tree: _Tree, prefix: str) -> Document:
    stem = prefix if shape.is_flattened else f"{prefix}.entry"
    found: Document = {}
    for index in range(1, _LIST_LIMIT + 1):
        key = tree.fields.get(f"{stem}.{index}.{shape.key.wire_name or 'key'}")
        value = _read(shape.value, tree, f"{stem}.{index}.{shape.value.wire_name or 'value'}")
        if key is None or value is None:
            break
        found[key] = value
    return found


def serialize(operation: Operation, document: Document, request_id: str) -> HttpResponse:
    """Return the response: `<OpResponse><OpResult>members</OpResult><ResponseMetadata>`."""
    result = ""
    if operation.output is not None:
        wrapper = operation.traits["output"].get("resultWrapper") or f"{operation.name}Result"
        result = f"<{wrapper}>{write_members(operation.output, document)}</{wrapper}>"
    name = f"{operation.name}Response"
    body = (
        f'<{name} xmlns="{escape(operation.service.xml_namespace or "")}">{result}'
        f"<ResponseMetadata><RequestId>{escape(request_id)}</RequestId></ResponseMetadata></{name}>"
    )
    headers = [("content-type", "text/xml"), ("x-amzn-requestid", request_id)]
    return HttpResponse(status=200, headers=headers, body=body.encode("utf-8", errors="replace"))
