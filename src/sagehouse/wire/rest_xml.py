"""The rest-xml protocol, which is S3's: members in path, query and headers, the rest an XML body.

The model does not carry the root elements S3 writes, nor the bare text GetBucketLocation answers: they are here.
Source: Smithy, restXml; S3 API reference, response syntax of each operation.
"""

from typing import Any

from sagehouse.kit.document import Document
from sagehouse.wire.http import HttpRequest, HttpResponse
from sagehouse.wire.model import Operation
from sagehouse.wire.rest import (
    has_no_body,
    is_raw,
    output_bindings,
    read_locations,
    read_payload,
    status_of,
    write_headers,
)
from sagehouse.wire.shapes import Shape
from sagehouse.wire.xml_body import DECLARATION, escape, read_xml, write_element, write_members

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_PARTIAL = 206  # the model knows only 200; what carries Content-Range is a part. Source: RFC 9110, section 15.3.7
_FRACTION = ".000"  # S3's timestamps in XML: whole seconds written with milliseconds
_CASELESS = ("ChecksumAlgorithm", "ChecksumMode")
"""Enumerations that S3 reads in any case: the AWS CRT, and the C++ SDK upon it, send "enabled"."""
_ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CreateSession": "CreateSessionResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}


def parse(operation: Operation, request: HttpRequest) -> Document:
    """Return the request document; a streaming member holds the request's body as it is."""
    document = read_locations(operation, request)
    read_payload(operation, request, document, read_xml)
    for member in _CASELESS:
        if member in document:
            document[member] = document[member].upper()
    return document


def serialize(operation: Operation, document: Document, request_id: str) -> HttpResponse:
    """Return the response; a streaming member goes out as it is, and brings its own content-type."""
    status = _PARTIAL if "ContentRange" in document else status_of(operation, document)
    headers = write_headers(operation, document)
    body: Any = b""
    if not has_no_body(status) and operation.method != "HEAD":
        body = _body(operation, document)
    if body and not is_raw(operation.output):
        headers.append(("content-type", "application/xml"))
    headers += [("x-amz-request-id", request_id), ("x-amz-id-2", request_id)]
    return HttpResponse(status=status, headers=headers, body=body)


def _body(operation: Operation, document: Document) -> Any:
    shape = operation.output
    bound = output_bindings(operation)
    if shape is None or bound is None:
        return b""
    if shape.payload is not None:
        return _payload(shape, document)
    if not bound.body:
        return b""
    if operation.name == "GetBucketLocation":
        place = escape(document.get("LocationConstraint") or "")
        return f'{DECLARATION}<LocationConstraint xmlns="{NAMESPACE}">{place}</LocationConstraint>'.encode()
    root = _ROOTS.get(operation.name, f"{operation.name}Result")
    members = write_members(shape, document, fraction=_FRACTION)
    return _encode(f'<{root} xmlns="{NAMESPACE}">{members}</{root}>')


def _payload(shape: Shape, document: Document) -> Any:
    name = shape.payload or ""
    member, value = shape.members[name], document.get(name)
    if is_raw(shape):
        return value.encode() if isinstance(value, str) else value or b""
    if value is None:
        return b""
    root = member.wire_name or name
    return _encode(write_element(root, member, value, namespace=NAMESPACE, fraction=_FRACTION))


def _encode(xml: str) -> bytes:
    return (DECLARATION + xml).encode("utf-8", errors="replace")
