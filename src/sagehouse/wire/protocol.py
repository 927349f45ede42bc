"""The protocols behind one door: parse a request, serialize a response, whatever the service speaks."""

from collections.abc import Callable
from typing import TypeAlias

from sagehouse.kit.document import Document
from sagehouse.wire import json11, query, rest_json, rest_xml
from sagehouse.wire.http import HttpRequest, HttpResponse
from sagehouse.wire.model import Operation

Parse: TypeAlias = Callable[[Operation, HttpRequest], Document]
Serialize: TypeAlias = Callable[[Operation, Document, str], HttpResponse]

_PARSERS: dict[str, Parse] = {
    "json": json11.parse,
    "query": query.parse,
    "rest-json": rest_json.parse,
    "rest-xml": rest_xml.parse,
}
_SERIALIZERS: dict[str, Serialize] = {
    "json": json11.serialize,
    "query": query.serialize,
    "rest-json": rest_json.serialize,
    "rest-xml": rest_xml.serialize,
}


def parse(operation: Operation, request: HttpRequest) -> Document:
    """Return the request document, not yet validated; Invalid if the bytes spell none."""
    return _PARSERS[operation.service.protocol](operation, request)


def serialize(operation: Operation, document: Document, request_id: str) -> HttpResponse:
    """Return the response of a document; members that the output shape does not have stay behind."""
    return _SERIALIZERS[operation.service.protocol](operation, document, request_id)
