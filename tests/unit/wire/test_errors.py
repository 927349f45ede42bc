"""Errors, as botocore's parsers understand them."""

import botocore.awsrequest
import botocore.parsers
import pytest

from sagehouse.gateway.models import service_models
from sagehouse.kit.errors import (
    Conflict,
    Denied,
    InUse,
    Invalid,
    LimitExceeded,
    NotBound,
    NotFound,
    Throttled,
    Unavailable,
)
from sagehouse.wire.errors import serialize_error

MODELS = service_models("sagemaker", "sagemaker-runtime", "sagemaker-featurestore-runtime", "s3", "sts", "iam", "logs")


def understood(service, error, **more):
    """Return (status, code, message) as botocore reads them."""
    model = MODELS.service(service)
    response = serialize_error(model, error, "request-1", **more)
    parser = botocore.parsers.create_parser(model.protocol)
    headers = botocore.awsrequest.HeadersDict(dict(response.headers))
    parsed = parser.parse({"status_code": response.status, "headers": headers, "body": response.body}, None)
    assert parsed["ResponseMetadata"]["RequestId"] == "request-1"
    return response.status, parsed["Error"]["Code"], parsed["Error"]["Message"]


@pytest.mark.parametrize(
    ("service", "error", "status", "code"),
    [
        ("sagemaker", Invalid("m"), 400, "ValidationException"),
        ("sagemaker", NotFound("m"), 400, "ResourceNotFound"),
        ("sagemaker", InUse("m"), 400, "ResourceInUse"),
        ("sagemaker", LimitExceeded("m"), 400, "ResourceLimitExceeded"),
        ("sagemaker", Conflict("m"), 400, "ConflictException"),
        ("sagemaker", Denied("m"), 400, "AccessDeniedException"),
        ("sagemaker", Throttled("m"), 400, "ThrottlingException"),
        ("sagemaker", Unavailable("m"), 503, "ServiceUnavailable"),
        ("sagemaker", Unavailable("m", code="InternalFailure"), 500, "InternalFailure"),
        ("sagemaker", NotBound("m"), 501, "NotImplemented"),
        ("sagemaker", Invalid("m", code="UnknownOperationException"), 400, "UnknownOperationException"),
        ("sagemaker", NotFound("m", code="ValidationException"), 400, "ValidationException"),
        ("sagemaker-runtime", NotFound("m"), 400, "ValidationError"),
        ("sagemaker-runtime", Invalid("m", code="ModelError"), 424, "ModelError"),
        ("sagemaker-runtime", Unavailable("m"), 503, "ServiceUnavailable"),
        ("sagemaker-runtime", Throttled("m", code="ModelNotReadyException"), 429, "ModelNotReadyException"),
        ("sagemaker-featurestore-runtime", NotFound("m"), 404, "ResourceNotFound"),
        ("logs", NotFound("m"), 400, "ResourceNotFoundException"),
        ("logs", InUse("m"), 400, "ResourceAlreadyExistsException"),
        ("iam", NotFound("m"), 404, "NoSuchEntity"),
        ("iam", InUse("m"), 409, "EntityAlreadyExists"),
        ("iam", Conflict("m"), 409, "DeleteConflict"),
        ("iam", Invalid("m"), 400, "ValidationError"),
        ("sts", Denied("m"), 403, "AccessDenied"),
        ("sts", NotBound("m"), 501, "NotImplemented"),
        ("s3", NotFound("m"), 404, "NoSuchKey"),
        ("s3", NotFound("m", code="NoSuchBucket"), 404, "NoSuchBucket"),
        ("s3", Conflict("m", code="BucketNotEmpty"), 409, "BucketNotEmpty"),
        ("s3", Conflict("m", code="PreconditionFailed"), 412, "PreconditionFailed"),
        ("s3", Invalid("m", code="InvalidRange"), 416, "InvalidRange"),
        ("s3", Invalid("m", code="BadDigest"), 400, "BadDigest"),
        ("s3", Invalid("m", code="MethodNotAllowed"), 405, "MethodNotAllowed"),
        ("s3", Denied("m"), 403, "AccessDenied"),
        ("s3", Unavailable("m", code="InternalFailure"), 500, "InternalError"),
        ("s3", NotBound("m"), 501, "NotImplemented"),
        ("s3", Throttled("m"), 503, "SlowDown"),
    ],
)
def test_each_class_has_the_word_and_status_of_its_service(service, error, status, code):
    assert understood(service, error) == (status, code, "m")


def test_a_message_with_markup_arrives_whole():
    text = 'Could not find "<a>" & \x01 é'
    assert understood("iam", Invalid(text.replace("\x01", "")))[2] == text.replace("\x01", "")
    assert understood("sagemaker", Invalid(text))[2] == text


def test_head_and_not_modified_have_no_body():
    assert understood("s3", NotFound("gone"), is_head=True) == (404, "404", "Not Found")
    assert understood("s3", Denied("no"), is_head=True) == (403, "403", "Forbidden")
    response = serialize_error(MODELS.service("s3"), Conflict("same", code="NotModified", details={"etag": '"a"'}), "r")
    assert (response.status, response.body) == (304, b"")
    assert ("etag", '"a"') in response.headers


def test_details_travel_as_elements_of_the_error():
    error = NotFound("The specified key does not exist.", details={"Key": "a<b", "BucketName": "b"})
    response = serialize_error(MODELS.service("s3"), error, "r")
    assert b"<Key>a&lt;b</Key><BucketName>b</BucketName>" in response.body


def test_without_a_service_the_protocol_of_the_client_is_spoken():
    assert b'"__type":"NotImplemented"' in serialize_error(None, NotBound("m"), "r", protocol="json").body
    assert b"<Code>NotImplemented</Code>" in serialize_error(None, NotBound("m"), "r", protocol="query").body
    assert ("x-amzn-errortype", "NotImplemented") in serialize_error(None, NotBound("m"), "r").headers
