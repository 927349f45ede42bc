"""Errors as each service spells them: code, HTTP status, body.

The classes of `kit.errors` are few; a service's own word and status for each is a row here, and the modelled errors of
the service carry their own status. Source: wire observations of botocore's parsers; S3 API reference, error responses.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sagehouse.kit.errors import (
    Conflict,
    Denied,
    InUse,
    Invalid,
    LimitExceeded,
    NotBound,
    NotFound,
    SagehouseError,
    Throttled,
    Unavailable,
)
from sagehouse.wire.http import HttpResponse
from sagehouse.wire.json_body import dump_json
from sagehouse.wire.model import Service
from sagehouse.wire.shapes import Shape
from sagehouse.wire.text import read_text
from sagehouse.wire.xml_body import DECLARATION, escape

_CLASSES = (Invalid, NotFound, InUse, LimitExceeded, Conflict, Denied, Throttled, Unavailable)

# One code per class, in the order of _CLASSES.
_CODES = {
    "sagemaker": (
        "ValidationException", "ResourceNotFound", "ResourceInUse", "ResourceLimitExceeded", "ConflictException",
        "AccessDeniedException", "ThrottlingException", "ServiceUnavailable",
    ),
    "sagemaker-runtime": (
        "ValidationError", "ValidationError", "ValidationError", "ValidationError", "ValidationError",
        "AccessDeniedException", "ThrottlingException", "ServiceUnavailable",
    ),
    "sagemaker-featurestore-runtime": (
        "ValidationError", "ResourceNotFound", "ValidationError", "ValidationError", "ValidationError",
        "AccessForbidden", "ThrottlingException", "ServiceUnavailable",
    ),
    "logs": (
        "InvalidParameterException", "ResourceNotFoundException", "ResourceAlreadyExistsException",
        "LimitExceededException", "OperationAbortedException", "AccessDeniedException", "ThrottlingException",
        "ServiceUnavailableException",
    ),
    "iam": (
        "ValidationError", "NoSuchEntity", "EntityAlreadyExists", "LimitExceeded", "DeleteConflict", "AccessDenied",
        "Throttling", "ServiceFailure",
    ),
    "sts": (
        "ValidationError", "NoSuchEntity", "ValidationError", "PackedPolicyTooLarge", "ValidationError",
        "AccessDenied", "Throttling", "ServiceUnavailable",
    ),
    "s3": (
        "InvalidRequest", "NoSuchKey", "BucketAlreadyOwnedByYou", "InvalidRequest", "OperationAborted",
        "AccessDenied", "SlowDown", "ServiceUnavailable",
    ),
}  # fmt: skip
_OTHER_CODES = (
    "ValidationException", "ResourceNotFoundException", "ResourceInUseException", "LimitExceededException",
    "ConflictException", "AccessDeniedException", "ThrottlingException", "ServiceUnavailable",
)  # fmt: skip

_JSON_STATUSES = (400, 400, 400, 400, 400, 400, 400, 503)
_REST_STATUSES = (400, 404, 409, 400, 409, 403, 429, 503)
_STATUSES = {
    "json": _JSON_STATUSES,
    "query": (400, 404, 409, 409, 409, 403, 400, 503),
    "rest-xml": _REST_STATUSES,
    "rest-json": _REST_STATUSES,
}
_S3_STATUSES = {
    403: ("AccessDenied", "AccountProblem", "AllAccessDisabled", "InvalidAccessKeyId", "InvalidObjectState",
          "RequestTimeTooSkewed", "SignatureDoesNotMatch"),
    404: ("NoSuchBucket", "NoSuchBucketPolicy", "NoSuchKey", "NoSuchLifecycleConfiguration", "NoSuchTagSet",
          "NoSuchUpload", "NoSuchVersion", "NoSuchCORSConfiguration", "NoSuchWebsiteConfiguration",
          "NoSuchPublicAccessBlockConfiguration", "NoSuchObjectLockConfiguration", "NotFound",
          "ObjectLockConfigurationNotFoundError", "OwnershipControlsNotFoundError",
          "ReplicationConfigurationNotFoundError", "ServerSideEncryptionConfigurationNotFoundError"),
    405: ("MethodNotAllowed",),
    409: ("BucketAlreadyExists", "BucketAlreadyOwnedByYou", "BucketNotEmpty", "ConditionalRequestConflict",
          "InvalidBucketState", "OperationAborted"),
    411: ("MissingContentLength",),
    412: ("PreconditionFailed",),
    413: ("EntityTooLargeForBuffer",),
    416: ("InvalidRange", "InvalidPartNumber"),
    304: ("NotModified",),
    501: ("NotImplemented",),
    503: ("ServiceUnavailable", "SlowDown"),
}  # fmt: skip
_STATUS_BY_CODE = {
    **{code: status for status, codes in _S3_STATUSES.items() for code in codes},
    "InternalError": 500,
}
_STATUS_EVERYWHERE = {
    "InternalFailure": 500,
    "RequestEntityTooLarge": 413,
    "SerializationException": 400,
    "UnknownOperationException": 400,
}
_SERVICE_SPELLINGS = {
    # What the protocol layer itself raises, by service.
    ("iam", "SerializationException"): "MalformedInput",
    ("sts", "SerializationException"): "MalformedInput",
    ("s3", "InternalFailure"): "InternalError",
    ("s3", "SerializationException"): "InvalidArgument",
    ("s3", "RequestEntityTooLarge"): "MaxMessageLengthExceeded",
}


def code_of(service: Service | None, error: SagehouseError) -> str:
    """Return the code that the service answers for an error."""
    name = service.name if service else ""
    if error.code:
        return _SERVICE_SPELLINGS.get((name, error.code), error.code)
    if isinstance(error, NotBound):
        return "NotImplemented"
    codes = _CODES.get(name, _OTHER_CODES)
    return next((codes[i] for i, kind in enumerate(_CLASSES) if isinstance(error, kind)), "InternalFailure")


def status_of(service: Service | None, error: SagehouseError) -> int:
    """Return the HTTP status: the modelled error's own, S3's table, else the class's."""
    if isinstance(error, NotBound):
        return HTTPStatus.NOT_IMPLEMENTED
    code = code_of(service, error)
    protocol = service.protocol if service else "rest-json"
    if service is not None and service.name != "s3":
        shape = service.errors.get(code)
        if shape is not None:
            return _modelled_status(shape, protocol)
    if error.code in _STATUS_EVERYWHERE:
        return _STATUS_EVERYWHERE[error.code]
    if protocol == "rest-xml" and code in _STATUS_BY_CODE:
        return _STATUS_BY_CODE[code]
    statuses = _STATUSES[protocol]
    return next((statuses[i] for i, kind in enumerate(_CLASSES) if isinstance(error, kind)), 500)


def _modelled_status(shape: Shape, protocol: str) -> int:
    stated = shape.traits.get("error", {}).get("httpStatusCode")
    if stated:
        return int(stated)
    if shape.traits.get("fault"):
        return HTTPStatus.INTERNAL_SERVER_ERROR
    return HTTPStatus.BAD_REQUEST if protocol in {"json", "rest-json", "query"} else HTTPStatus.CONFLICT


def serialize_error(
    service: Service | None,
    error: SagehouseError,
    request_id: str,
    *,
    protocol: str | None = None,
    is_head: bool = False,
) -> HttpResponse:
    """Return the response that clients of the service turn back into the error.

    Without a service `protocol` says how to spell it (rest-json if it does not). The answer to HEAD, and 304, have no
    body: clients then read the status.
    """
    code, status = code_of(service, error), status_of(service, error)
    spoken = service.protocol if service else protocol or "rest-json"
    if spoken == "rest-xml":
        return _s3_error(code, status, error, request_id, is_bodiless=is_head or status == HTTPStatus.NOT_MODIFIED)
    if spoken == "query":
        return _query_error(service, code, status, error, request_id)
    return _json_error(service, code, status, error, request_id, protocol=spoken)


def _json_error(
    service: Service | None, code: str, status: int, error: SagehouseError, request_id: str, *, protocol: str
) -> HttpResponse:
    shape = service.errors.get(code) if service else None
    body: dict[str, Any] = {} if protocol == "rest-json" and shape else {"__type": code}
    body |= _modelled_details(shape, error.details)
    body["Message" if shape and "Message" in shape.members else "message"] = error.message
    headers = [("content-type", "application/json"), ("x-amzn-requestid", request_id)]
    if protocol == "rest-json":
        headers.append(("x-amzn-errortype", code))
        body["code"] = code
    else:
        version = service.metadata.get("jsonVersion", "1.1") if service else "1.1"
        headers[0] = ("content-type", f"application/x-amz-json-{version}")
    if service is not None and "awsQueryCompatible" in service.metadata:
        fault = "Sender" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "Receiver"
        headers.append(("x-amzn-query-error", f"{code};{fault}"))
    return HttpResponse(status=status, headers=headers, body=dump_json(body))


def _modelled_details(shape: Shape | None, details: Mapping[str, str]) -> dict[str, Any]:
    """Return the details with the types the modelled error gives them."""
    if shape is None:
        return dict(details)
    return {
        name: read_text(shape.members[name], value) if name in shape.members and isinstance(value, str) else value
        for name, value in details.items()
    }


def _query_error(
    service: Service | None, code: str, status: int, error: SagehouseError, request_id: str
) -> HttpResponse:
    fault = "Sender" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "Receiver"
    namespace = escape((service.xml_namespace if service else None) or "")
    extra = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in error.details.items())
    body = (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{fault}</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(error.message)}</Message>{extra}</Error>"
        f"<RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
    )
    headers = [("content-type", "text/xml"), ("x-amzn-requestid", request_id)]
    return HttpResponse(status=status, headers=headers, body=body.encode("utf-8", errors="replace"))


def _s3_error(code: str, status: int, error: SagehouseError, request_id: str, *, is_bodiless: bool) -> HttpResponse:
    """`details` become elements beside Code and Message; names in lower case are headers (etag, x-amz-...)."""
    headers = [("x-amz-request-id", request_id), ("x-amz-id-2", request_id)]
    headers += [(name, str(value)) for name, value in error.details.items() if name.islower()]
    if is_bodiless:
        return HttpResponse(status=status, headers=headers)
    extra = "".join(
        f"<{name}>{escape(str(value))}</{name}>" for name, value in error.details.items() if not name.islower()
    )
    body = (
        f"{DECLARATION}<Error><Code>{escape(code)}</Code><Message>{escape(error.message)}</Message>{extra}"
        f"<RequestId>{escape(request_id)}</RequestId><HostId>{escape(request_id)}</HostId></Error>"
    )
    headers.append(("content-type", "application/xml"))
    return HttpResponse(status=status, headers=headers, body=body.encode("utf-8", errors="replace"))
