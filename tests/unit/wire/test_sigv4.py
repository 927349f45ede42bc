"""Signatures, with botocore's own signers as the clients."""

from urllib.parse import urlsplit

import botocore.auth
import botocore.session
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sagehouse.kit.errors import Denied
from sagehouse.wire.http import HttpRequest
from sagehouse.wire.sigv4 import read_signature, verify

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
CREDENTIALS = Credentials("AKIDEXAMPLE", SECRET, None)
S3_PATHS = ["/bucket/a%20b/%C3%BC//x/../y", "/bucket/key?uploads", "/bucket?prefix=a%2Fb&list-type=2&x=%20~"]


def signed(signer, *, method="GET", url="http://127.0.0.1:5100/", headers=None, data=b""):
    request = AWSRequest(method=method, url=url, headers={"Host": "127.0.0.1:5100", **(headers or {})}, data=data)
    signer.add_auth(request)
    parts = urlsplit(request.prepare().url)
    return HttpRequest(
        method=method,
        raw_path=parts.path or "/",
        query=parts.query,
        headers={"host": "127.0.0.1:5100", **{name.lower(): value for name, value in request.headers.items()}},
        body=data,
    )


def assert_only_the_secret_signs(request):
    signature = read_signature(request)
    verify(request, signature, SECRET)
    with pytest.raises(Denied) as caught:
        verify(request, signature, "another")
    assert caught.value.code == "SignatureDoesNotMatch"
    return signature


@pytest.mark.parametrize("path", ["/", "/endpoints/my%20endpoint/invocations", "/a//b/../c/", "/x?b=2&a=1&a=0&c"])
def test_a_signed_request_says_who_where_and_what_for(path):
    signer = botocore.auth.SigV4Auth(CREDENTIALS, "sagemaker", "eu-west-1")
    request = signed(signer, method="POST", url=f"http://127.0.0.1:5100{path}", data=b'{"a": 1}')
    signature = assert_only_the_secret_signs(request)
    assert (signature.access_key, signature.region, signature.service) == ("AKIDEXAMPLE", "eu-west-1", "sagemaker")
    assert not signature.is_presigned


def test_a_changed_body_breaks_the_signature():
    request = signed(botocore.auth.SigV4Auth(CREDENTIALS, "sts", "us-east-1"), method="POST", data=b"Action=A")
    changed = HttpRequest(method="POST", raw_path=request.raw_path, query="", headers=request.headers, body=b"Action=B")
    with pytest.raises(Denied):
        verify(changed, read_signature(request), SECRET)


@pytest.mark.parametrize("path", S3_PATHS)
def test_s3_signs_its_path_as_it_is(path):
    signer = botocore.auth.S3SigV4Auth(CREDENTIALS, "s3", "us-west-2")
    request = signed(signer, method="PUT", url=f"http://127.0.0.1:5100{path}", data=b"body")
    assert assert_only_the_secret_signs(request).service == "s3"


@pytest.mark.parametrize("path", S3_PATHS)
def test_presigned_urls_carry_their_signature_in_the_query(path):
    signer = botocore.auth.S3SigV4QueryAuth(CREDENTIALS, "s3", "us-west-2", expires=600)
    signature = assert_only_the_secret_signs(signed(signer, url=f"http://127.0.0.1:5100{path}"))
    assert signature.is_presigned
    assert signature.expires_s == 600


@pytest.mark.parametrize("path", ["/bucket/a%20b", "/bucket/key?uploads", "/bucket/k?partNumber=1&uploadId=x%2By"])
def test_version_2_presigned_urls_know_only_the_key(path):
    signer = botocore.auth.HmacV1QueryAuth(CREDENTIALS, expires=600)
    headers = {"x-amz-meta-who": "me", "Content-Type": "text/plain"}
    request = signed(signer, method="PUT", url=f"http://127.0.0.1:5100{path}", headers=headers)
    signature = assert_only_the_secret_signs(request)
    assert (signature.version, signature.access_key, signature.service) == (2, "AKIDEXAMPLE", "")


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer x"}, {"authorization": "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=x"}],
)
def test_a_request_that_is_not_signed_has_no_signature(headers):
    request = HttpRequest(method="GET", raw_path="/", query="X-Amz-Credential=%FF" if headers else "", headers=headers)
    assert read_signature(request) is None
