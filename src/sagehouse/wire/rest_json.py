"""The rest-json protocol: members in path, query and headers, the rest a JSON body.

Source: Smithy, restJson1.
"""

from typing import Any

from sagehouse.kit.document import Document
from sagehouse.wire.http import HttpRequest, HttpResponse
from sagehouse.wire.json_body import dump_json, read_object, writer
from sagehouse.wire.model import Operation
from sagehouse.wire.rest import is_raw, output_bindings, read_locations, read_payload, status_of, write_headers
from sagehouse.wire.shapes import Shape


def parse(operation: Operation, request: HttpRequest) -> Document:
    """Return the request document."""
    document = read_locations(operation, request)

    def read_body(shape: Shape, body: bytes) -> Any:
        return read_object(operation.service, shape, body)

    read_payload(operation, request, document, read_body)
    return document


def serialize(operation: Operation, document: Document, request_id: str) -> HttpResponse:
    """Return the response; a payload member goes out as it is."""
    headers = write_headers(operation, document)
    body = _body(operation, document)
    if not is_raw(operation.output) and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    headers.append(("x-amzn-requestid", request_id))
    return HttpResponse(status=status_of(operation, document), headers=headers, body=body)


def _body(operation: Operation, document: Document) -> Any:
    shape = operation.output
    bound = output_bindings(operation)
    if shape is None or bound is None:
        return b""
    if shape.payload is not None:
        payload = shape.members[shape.payload]
        value = document.get(shape.payload)
        if is_raw(shape):
            return value.encode() if isinstance(value, str) else value or b""
        write = writer(operation.service, payload)
        return dump_json(write(value) if write and value is not None else value or {})
    write = writer(operation.service, shape)
    placed = {name: document[name] for name in bound.body if name in document}
    return dump_json(write(placed) if write else placed)
