"""Which operation a request asks for."""

import pytest

from sagehouse.gateway.models import service_models
from sagehouse.wire.addressing import is_aws_host, read_host
from sagehouse.wire.http import HttpRequest
from sagehouse.wire.identify import Unidentified, identify
from sagehouse.wire.protocol import parse

MODELS = service_models(
    "sagemaker",
    "sagemaker-runtime",
    "sagemaker-featurestore-runtime",
    "sagemaker-metrics",
    "s3",
    "sts",
    "iam",
    "logs",
)


def a_request(method="GET", path="/", query="", *, scope=None, body=b"", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers.setdefault("host", "127.0.0.1:5100")
    if scope:
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/{scope}/aws4_request, SignedHeaders=host, Signature=0"
        )
    return HttpRequest(method=method, raw_path=path, query=query, headers=headers, body=body)


def named(request):
    target = identify(MODELS, request)
    return target.service.name, target.operation.name


def refusal(request):
    with pytest.raises(Unidentified) as caught:
        identify(MODELS, request)
    return type(caught.value.error).__name__, caught.value.error.code, caught.value.protocol


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (a_request("POST", x_amz_target="SageMaker.ListModels"), ("sagemaker", "ListModels")),
        (a_request("POST", x_amz_target="Logs_20140328.GetLogEvents"), ("logs", "GetLogEvents")),
        (
            a_request(
                "POST",
                body=b"Action=GetCallerIdentity&Version=2011-06-15",
                content_type="application/x-www-form-urlencoded; charset=utf-8",
            ),
            ("sts", "GetCallerIdentity"),
        ),
        (a_request("GET", "/", "Action=GetCallerIdentity&Version=2011-06-15"), ("sts", "GetCallerIdentity")),
        (a_request("POST", "/endpoints/e/invocations", scope="sagemaker"), ("sagemaker-runtime", "InvokeEndpoint")),
        (a_request("POST", "/endpoints/e/invocations"), ("sagemaker-runtime", "InvokeEndpoint")),
        (
            a_request("POST", "/endpoints/e/invocations", host="runtime.sagemaker.us-east-1.amazonaws.com"),
            ("sagemaker-runtime", "InvokeEndpoint"),
        ),
        (a_request("PUT", "/FeatureGroup/g", scope="sagemaker"), ("sagemaker-featurestore-runtime", "PutRecord")),
        (a_request("PUT", "/BatchPutMetrics", scope="sagemaker"), ("sagemaker-metrics", "BatchPutMetrics")),
        (a_request("GET", "/"), ("s3", "ListBuckets")),
        (a_request("GET", "/bucket"), ("s3", "ListObjects")),
        (a_request("GET", "/bucket/"), ("s3", "ListObjects")),
        (a_request("GET", "/bucket", "list-type=2&prefix=a"), ("s3", "ListObjectsV2")),
        (a_request("GET", "/bucket", "location"), ("s3", "GetBucketLocation")),
        (a_request("GET", "/bucket", "uploads="), ("s3", "ListMultipartUploads")),
        (a_request("POST", "/bucket", "delete"), ("s3", "DeleteObjects")),
        (a_request("GET", "/bucket/a//b/../c"), ("s3", "GetObject")),
        (a_request("GET", "/bucket//"), ("s3", "GetObject")),
        (a_request("GET", "/bucket/k", "uploadId=u"), ("s3", "ListParts")),
        (a_request("POST", "/bucket/k", "uploads"), ("s3", "CreateMultipartUpload")),
        (a_request("POST", "/bucket/k", "uploadId=u"), ("s3", "CompleteMultipartUpload")),
        (a_request("PUT", "/bucket/k", "partNumber=1&uploadId=u"), ("s3", "UploadPart")),
        (a_request("PUT", "/bucket/k", x_amz_copy_source="/b/k"), ("s3", "CopyObject")),
        (
            a_request("PUT", "/bucket/k", "partNumber=1&uploadId=u", x_amz_copy_source="/b/k"),
            ("s3", "UploadPartCopy"),
        ),
        (a_request("PUT", "/bucket/k", "tagging"), ("s3", "PutObjectTagging")),
        (a_request("PUT", "/bucket/k", "renameObject"), ("s3", "RenameObject")),
        (a_request("GET", "/bucket/k", "attributes"), ("s3", "GetObjectAttributes")),
        (a_request("HEAD", "/bucket/k", "x-id=HeadObject"), ("s3", "HeadObject")),
        (
            a_request("POST", "/bucket/k", "uploads", scope="s3", content_type="application/x-www-form-urlencoded"),
            ("s3", "CreateMultipartUpload"),
        ),
    ],
)
def test_a_request_means_one_operation(request_, expected):
    assert named(request_) == expected


@pytest.mark.parametrize(
    "host",
    [
        "my.bucket.s3.eu-west-1.amazonaws.com",
        "my.bucket.s3-eu-west-1.amazonaws.com",
        "my.bucket.s3.localhost:5100",
        "my.bucket.localhost:5100",
    ],
)
def test_the_bucket_may_be_in_the_host_name(host):
    target = identify(MODELS, a_request("GET", "/a%20b", host=host))
    assert parse(target.operation, target.request) == {"Bucket": "my.bucket", "Key": "a b"}
    listing = identify(MODELS, a_request("GET", "/", "list-type=2", host=host))
    assert listing.operation.name == "ListObjectsV2"
    assert parse(listing.operation, listing.request)["Bucket"] == "my.bucket"


def test_headers_hoisted_into_a_presigned_url_count_as_headers():
    query = "AWSAccessKeyId=a&Signature=s&Expires=9&x-amz-copy-source=%2Fb%2Fk&x-amz-meta-who=me&content-type=a%2Fb"
    target = identify(MODELS, a_request("PUT", "/bucket/k", query))
    assert target.operation.name == "CopyObject"
    document = parse(target.operation, target.request)
    assert document["Metadata"] == {"who": "me"}
    assert document["ContentType"] == "a/b"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (a_request("POST", x_amz_target="SageMaker.Dance"), ("Invalid", "UnknownOperationException", "json")),
        (a_request("POST", x_amz_target="Nonsense"), ("Invalid", "UnknownOperationException", "json")),
        (a_request("POST", "/bucket", content_type="multipart/form-data; boundary=b"), ("NotBound", None, "rest-xml")),
        (a_request("POST", x_amz_target="AmazonAthena.ListWorkGroups"), ("NotBound", None, "json")),
        (a_request("POST", scope="cloudtrail", x_amz_target="CloudTrail.DescribeTrails"), ("NotBound", None, "json")),
        (
            a_request("POST", scope="sagemaker", x_amz_target="Nonsense.Dance"),
            ("Invalid", "UnknownOperationException", "json"),
        ),
        (
            a_request("POST", body=b"Action=X&Version=2011-06-15", content_type="application/x-www-form-urlencoded"),
            ("Invalid", "UnknownOperationException", "query"),
        ),
        (
            a_request("POST", body=b"%FF", content_type="application/x-www-form-urlencoded"),
            ("Invalid", "MalformedInput", "query"),
        ),
        (a_request("GET", "/2015-03-31/functions", scope="lambda"), ("NotBound", None, "rest-json")),
        (a_request("POST", scope="iam"), ("Invalid", "UnknownOperationException", "query")),
        (a_request("POST", scope="logs"), ("Invalid", "UnknownOperationException", "json")),
        (a_request("POST", "/bucket/k"), ("Invalid", "MethodNotAllowed", "rest-xml")),
        (a_request("PATCH", "/bucket/k", scope="s3"), ("Invalid", "MethodNotAllowed", "rest-xml")),
        (a_request("GET", "/bucket", "a=%FF"), ("Invalid", "InvalidURI", "rest-xml")),
    ],
)  # fmt: skip
def test_what_is_no_operation_of_ours_is_told_in_the_protocol_of_its_client(request_, expected):
    assert refusal(request_) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("sts.us-east-1.amazonaws.com:443", ("sts", "us-east-1", "")),
        ("sts.amazonaws.com", ("sts", "", "")),
        ("api.sagemaker.eu-west-1.amazonaws.com", ("sagemaker", "eu-west-1", "")),
        ("featurestore-runtime.sagemaker.eu-west-1.amazonaws.com", ("sagemaker-featurestore-runtime", "eu-west-1", "")),
        ("monitoring.us-gov-west-1.amazonaws.com", ("cloudwatch", "us-gov-west-1", "")),
        ("sm-pysdk-t-us-east-1.s3.us-east-1.amazonaws.com", ("s3", "us-east-1", "sm-pysdk-t-us-east-1")),
        ("bucket.s3.dualstack.us-east-1.amazonaws.com", ("s3", "us-east-1", "bucket")),
        ("s3.amazonaws.com", ("s3", "", "")),
        ("127.0.0.1:5100", ("", "", "")),
        ("localhost", ("", "", "")),
        ("", ("", "", "")),
    ],
)
def test_a_host_name_says_service_region_and_bucket(host, expected):
    place = read_host(host)
    assert (place.service, place.region, place.bucket) == expected


def test_only_aws_own_names_are_aws_hosts():
    assert is_aws_host("sts.amazonaws.com")
    assert is_aws_host("eu-west-1.experiments.sagemaker.aws")
    assert not is_aws_host("amazonaws.com.evil.example")
    assert not is_aws_host("notamazonaws.com")
    assert not is_aws_host("example.org")
