"""The json protocols 1.0 and 1.1: one URL, the operation in X-Amz-Target, a JSON object each way.

Source: Smithy, awsJson1_0 and awsJson1_1.
"""

from sagehouse.kit.document import Document
from sagehouse.wire.http import HttpRequest, HttpResponse
from sagehouse.wire.json_body import dump_json, load_json, read_object, writer
from sagehouse.wire.model import Operation, Service


def parse(operation: Operation, request: HttpRequest) -> Document:
    """Return the request document."""
    if operation.input is None:
        return dict(load_json(request.body)) if request.body.strip() else {}
    return read_object(operation.service, operation.input, request.body)


def serialize(operation: Operation, document: Document, request_id: str) -> HttpResponse:
    """Return the response; members the output shape does not have stay behind."""
    body = b""
    if operation.output is not None:
        write = writer(operation.service, operation.output)
        body = dump_json(write(document) if write else document)
    return HttpResponse(status=200, headers=headers(operation.service, request_id), body=body)


def headers(service: Service, request_id: str) -> list[tuple[str, str]]:
    version = service.metadata.get("jsonVersion", "1.1")
    return [("content-type", f"application/x-amz-json-{version}"), ("x-amzn-requestid", request_id)]
