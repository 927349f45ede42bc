"""Objects over S3's operations: put, got, described, deleted, as the real service answers."""

import base64
import hashlib
import zlib
from typing import Any

import pytest
from tests.unit.services_s3.asking import ACCOUNT, Asking, Chunks, error_of, scene

from sagehouse.kit.errors import Conflict, Denied, Invalid, NotBound, NotFound, SagehouseError
from sagehouse.services.s3.names import owner


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


HELLO = {"Bucket": "bkt", "Key": "k"}


async def hello(ask: Asking, **members: Any) -> Any:
    return await ask("PutObject", **HELLO, Body=b"hello", **members)


def test_a_put_answers_what_s3_always_answers() -> None:
    async def scenario(ask: Asking) -> None:
        answer = await hello(ask)
        assert answer == {
            "ETag": f'"{hashlib.md5(b"hello").hexdigest()}"',
            "ChecksumCRC64NVME": "M3eFcAZSQlc=",
            "ChecksumType": "FULL_OBJECT",
            "ServerSideEncryption": "AES256",
        }

    scene(scenario)


def test_get_and_head_answer_all_that_was_put() -> None:
    async def scenario(ask: Asking) -> None:
        said = {
            "CacheControl": "no-cache",
            "ContentDisposition": "attachment",
            "ContentEncoding": "gzip",
            "ContentLanguage": "de",
            "ContentType": "text/plain",
            "Expires": 2_000_000_000.0,
            "WebsiteRedirectLocation": "/x",
            "StorageClass": "STANDARD_IA",
            "Metadata": {"Name": "värde"},
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": "key",
            "BucketKeyEnabled": True,
        }
        await hello(ask, **said, Tagging="a=1&b=%20")
        head = await ask("HeadObject", **HELLO)
        assert head == {
            **said,
            "Metadata": {"name": "värde"},
            "AcceptRanges": "bytes",
            "ContentLength": 5,
            "ETag": f'"{hashlib.md5(b"hello").hexdigest()}"',
            "LastModified": 1001.0,
            "TagCount": 2,
        }
        got = await ask("GetObject", **HELLO)
        body = got.pop("Body")
        assert (got, body.start, body.length) == (head, 0, 5)

    scene(scenario)


def test_a_get_may_override_what_is_said_of_the_content() -> None:
    async def scenario(ask: Asking) -> None:
        await hello(ask, ContentType="a/b")
        got = await ask("GetObject", **HELLO, ResponseContentType="c/d", ResponseCacheControl="no-store")
        assert (got["ContentType"], got["CacheControl"]) == ("c/d", "no-store")
        assert (await ask("HeadObject", **HELLO))["ContentType"] == "a/b"

    scene(scenario)


@pytest.mark.parametrize(
    ("text", "data", "content_range"),
    [
        ("bytes=0-0", b"h", "bytes 0-0/5"),
        ("bytes=1-3", b"ell", "bytes 1-3/5"),
        ("bytes=3-", b"lo", "bytes 3-4/5"),
        ("bytes=3-99", b"lo", "bytes 3-4/5"),
        ("bytes=-2", b"lo", "bytes 3-4/5"),
        ("bytes=-99", b"hello", "bytes 0-4/5"),
        ("bytes=3-1", b"hello", None),
        ("bytes=0-1,3-4", b"hello", None),
        ("bytes=-", b"hello", None),
        ("lines=1-2", b"hello", None),
    ],
)
def test_ranges(text: str, data: bytes, content_range: str | None) -> None:
    async def scenario(ask: Asking) -> None:
        await hello(ask)
        got = await ask("GetObject", **HELLO, Range=text, ChecksumMode="ENABLED")
        assert (got.get("ContentRange"), got["ContentLength"]) == (content_range, len(data))
        assert ("ChecksumCRC64NVME" in got) == (content_range is None)
        assert await ask.body(**HELLO, Range=text) == data

    scene(scenario)


@pytest.mark.parametrize("text", ["bytes=5-", "bytes=9-12", "bytes=-0"])
def test_a_range_of_nothing_is_refused(text: str) -> None:
    async def scenario(ask: Asking) -> None:
        await hello(ask)
        with pytest.raises(Invalid) as caught:
            await ask("GetObject", **HELLO, Range=text)
        assert error_of(caught) == ("InvalidRange", {"RangeRequested": text, "ActualObjectSize": "5"})

    scene(scenario)


BEFORE, AFTER = 500.0, 5_000.0


@pytest.mark.parametrize(
    ("conditions", "code"),
    [
        ({"IfMatch": "{etag}"}, None),
        ({"IfMatch": '"no", {etag}'}, None),
        ({"IfMatch": "*"}, None),
        ({"IfMatch": '"no"'}, "PreconditionFailed"),
        ({"IfNoneMatch": "{etag}"}, "NotModified"),
        ({"IfNoneMatch": '"no"'}, None),
        ({"IfModifiedSince": AFTER}, "NotModified"),
        ({"IfModifiedSince": BEFORE}, None),
        ({"IfUnmodifiedSince": BEFORE}, "PreconditionFailed"),
        ({"IfUnmodifiedSince": AFTER}, None),
        ({"IfMatch": "{etag}", "IfUnmodifiedSince": BEFORE}, None),
        ({"IfNoneMatch": "{etag}", "IfModifiedSince": BEFORE}, "NotModified"),
        ({"IfNoneMatch": '"no"', "IfModifiedSince": AFTER}, None),
        ({"IfMatch": "{etag}", "IfNoneMatch": "{etag}"}, "NotModified"),
    ],
)
@pytest.mark.parametrize("operation", ["GetObject", "HeadObject"])
def test_conditional_reads(operation: str, conditions: dict[str, Any], code: str | None) -> None:
    async def scenario(ask: Asking) -> None:
        etag = (await hello(ask))["ETag"]
        filled = {
            name: value.replace("{etag}", etag) if isinstance(value, str) else value
            for name, value in conditions.items()
        }
        if code is None:
            assert (await ask(operation, **HELLO, **filled))["ContentLength"] == 5
            return
        with pytest.raises(Conflict) as caught:
            await ask(operation, **HELLO, **filled)
        assert caught.value.code == code

    scene(scenario)


def test_conditional_puts() -> None:
    async def scenario(ask: Asking) -> None:
        with pytest.raises(NotFound) as missing:
            await hello(ask, IfMatch="x")
        assert error_of(missing) == ("NoSuchKey", {"Key": "k"})
        etag = (await hello(ask, IfNoneMatch="*"))["ETag"]
        with pytest.raises(Conflict) as caught:
            await hello(ask, IfNoneMatch="*")
        assert error_of(caught) == ("PreconditionFailed", {"Condition": "If-None-Match"})
        with pytest.raises(Conflict):
            await hello(ask, IfMatch='"other"')
        await hello(ask, IfMatch=etag)
        with pytest.raises(NotBound):
            await hello(ask, IfNoneMatch=etag)

    scene(scenario)


def test_what_is_missing_is_named() -> None:
    async def scenario(ask: Asking) -> None:
        for operation in ("GetObject", "HeadObject", "GetObjectTagging", "GetObjectAcl"):
            with pytest.raises(NotFound) as caught:
                await ask(operation, **HELLO)
            assert error_of(caught) == ("NoSuchKey", {"Key": "k"})
            with pytest.raises(NotFound) as caught:
                await ask(operation, Bucket="nope", Key="k")
            assert error_of(caught) == ("NoSuchBucket", {"BucketName": "nope"})

    scene(scenario)


def test_another_owner_than_expected_is_refused() -> None:
    async def scenario(ask: Asking) -> None:
        await hello(ask, ExpectedBucketOwner=ACCOUNT)
        with pytest.raises(Denied) as caught:
            await ask("HeadObject", **HELLO, ExpectedBucketOwner="999999999999")
        assert caught.value.code == "AccessDenied"

    scene(scenario)


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("CRC32", "NhCmhg=="),
        ("CRC32C", "mnG7TA=="),
        ("CRC64NVME", "M3eFcAZSQlc="),
        ("SHA1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
        ("SHA256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
    ],
)
def test_checksums_in_headers_and_trailers_are_kept_and_compared(algorithm: str, value: str) -> None:
    member, header = f"Checksum{algorithm}", f"x-amz-checksum-{algorithm.lower()}"

    async def scenario(ask: Asking) -> None:
        for sent, trailers, headers in (
            ({member: value}, {}, {}),
            ({}, {header: value}, {"x-amz-trailer": header}),
            ({"ChecksumAlgorithm": algorithm}, {header: value}, {"x-amz-trailer": header}),
            ({"ChecksumAlgorithm": algorithm, member: value}, {}, {}),
        ):
            body = Chunks(b"hel", b"lo", trailers=trailers)
            answer = await ask("PutObject", headers=headers, **HELLO, Body=body, **sent)
            assert (answer[member], answer["ChecksumType"]) == (value, "FULL_OBJECT")
        got = await ask("GetObject", **HELLO, ChecksumMode="ENABLED")
        assert got[member] == value
        assert member not in await ask("GetObject", **HELLO)
        for body in (Chunks(b"hellO", trailers={header: value}), Chunks(b"hello!", trailers={header: value})):
            with pytest.raises(Invalid) as caught:
                await ask("PutObject", headers={"x-amz-trailer": header}, **HELLO, Body=body)
            assert caught.value.code == "BadDigest"
        with pytest.raises(Invalid) as caught:
            await ask("PutObject", **HELLO, Body=b"hellO", **{member: value})
        assert caught.value.code == "BadDigest"
        with pytest.raises(Invalid) as caught:
            await ask("PutObject", headers={"x-amz-trailer": header}, **HELLO, Body=Chunks(b"hello"))
        assert caught.value.code == "MalformedTrailerError"

    scene(scenario)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"ContentMD5": "XUFAKrxLKna5cZ2REBfFkg=="}, None),
        ({"ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, "BadDigest"),
        ({"ContentMD5": "nonsense"}, "InvalidDigest"),
        ({"ChecksumCRC32": "AA=="}, "InvalidRequest"),
        ({"ChecksumCRC32": "NhCmhg==", "ChecksumSHA1": "qvTGHdzF6KLavt4PO0gs2a6pQ00="}, "InvalidRequest"),
        ({"ChecksumAlgorithm": "SHA1", "ChecksumCRC32": "NhCmhg=="}, "InvalidRequest"),
        ({"ContentLength": 4}, "IncompleteBody"),
        ({"ContentLength": 6 * 1024**3}, "EntityTooLarge"),
        ({"Metadata": {"a": "x" * 3000}}, "MetadataTooLarge"),
        ({"Tagging": "aws:x=1"}, "InvalidTag"),
        ({"Tagging": "a=1&a=2"}, "InvalidTag"),
        ({"Tagging": "&".join(f"k{n}=1" for n in range(11))}, "BadRequest"),
        ({"ACL": "public-read"}, "AccessControlListNotSupported"),
        ({"ACL": "bucket-owner-full-control"}, None),
        ({"GrantRead": "id=x"}, "AccessControlListNotSupported"),
        ({"Key": "k" * 1025}, "KeyTooLongError"),
        ({"Key": "\udcff"}, "InvalidURI"),
    ],
)
def test_puts_that_s3_would_refuse(members: dict[str, Any], code: str | None) -> None:
    async def scenario(ask: Asking) -> None:
        request = {**HELLO, "Body": b"hello", **members}
        if code is None:
            await ask("PutObject", **request)
            return
        with pytest.raises(Invalid) as caught:
            await ask("PutObject", **request)
        assert caught.value.code == code
        assert (await ask("ListObjectsV2", Bucket="bkt"))["KeyCount"] == 0

    scene(scenario)


@pytest.mark.parametrize(
    "members",
    [
        {"SSECustomerAlgorithm": "AES256"},
        {"ObjectLockMode": "GOVERNANCE"},
        {"StorageClass": "GLACIER"},
        {"WriteOffsetBytes": 1},
    ],
)
def test_what_is_not_done_is_refused_by_name(members: dict[str, Any]) -> None:
    async def scenario(ask: Asking) -> None:
        with pytest.raises(NotBound, match=next(iter(members))) as caught:
            await hello(ask, **members)
        assert caught.value.code == "NotImplemented"

    scene(scenario)


def test_deleting_one_and_many() -> None:
    async def scenario(ask: Asking) -> None:
        for key in ("a", "b", "c", "d"):
            await ask("PutObject", Bucket="bkt", Key=key, Body=b"x")
        assert await ask("DeleteObject", Bucket="bkt", Key="a") == {}
        assert await ask("DeleteObject", Bucket="bkt", Key="a") == {}
        many = {"Objects": [{"Key": "b"}, {"Key": "nope"}, {"Key": "c", "ETag": "wrong"}, {"Key": "k" * 2000}]}
        answer = await ask("DeleteObjects", Bucket="bkt", Delete=many)
        assert answer["Deleted"] == [{"Key": "b"}, {"Key": "nope"}]
        assert [(e["Key"][:1], e["Code"]) for e in answer["Errors"]] == [
            ("c", "PreconditionFailed"),
            ("k", "KeyTooLongError"),
        ]
        assert await ask("DeleteObjects", Bucket="bkt", Delete={"Objects": [{"Key": "d"}], "Quiet": True}) == {}
        assert [one["Key"] for one in (await ask("ListObjectsV2", Bucket="bkt"))["Contents"]] == ["c"]
        with pytest.raises(Invalid) as caught:
            await ask("DeleteObjects", Bucket="bkt", Delete={"Objects": [{"Key": "x"}] * 1001})
        assert caught.value.code == "MalformedXML"
        with pytest.raises(Conflict):
            await ask("DeleteObject", Bucket="bkt", Key="c", IfMatch="wrong")

    scene(scenario)


def test_versions_that_do_not_exist_are_refused_and_the_null_version_is_the_object() -> None:
    async def scenario(ask: Asking) -> None:
        await hello(ask)
        assert await ask.body(**HELLO, VersionId="null") == b"hello"
        with pytest.raises(Invalid) as caught:
            await ask("GetObject", **HELLO, VersionId="abc")
        assert caught.value.code == "InvalidArgument"

    scene(scenario)


def test_tags_of_an_object() -> None:
    async def scenario(ask: Asking) -> None:
        await hello(ask, Tagging="a=1")
        date = (await ask("HeadObject", **HELLO))["LastModified"]
        await ask("PutObjectTagging", **HELLO, Tagging={"TagSet": [{"Key": "b", "Value": "2"}]})
        assert (await ask("GetObjectTagging", **HELLO))["TagSet"] == [{"Key": "b", "Value": "2"}]
        assert (await ask("HeadObject", **HELLO))["LastModified"] == date
        await ask("DeleteObjectTagging", **HELLO)
        assert (await ask("GetObjectTagging", **HELLO))["TagSet"] == []
        with pytest.raises(Invalid) as caught:
            await ask("PutObjectTagging", **HELLO, Tagging={"TagSet": [{"Key": "", "Value": ""}]})
        assert error_of(caught) == ("InvalidTag", {"TagKey": ""})

    scene(scenario)


def test_an_object_belongs_to_the_owner_of_the_bucket_wholly() -> None:
    async def scenario(ask: Asking) -> None:
        await hello(ask)
        holder = owner(ACCOUNT)
        assert len(holder["ID"]) == 64
        expected = {
            "Owner": holder,
            "Grants": [{"Grantee": {**holder, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}],
        }
        assert await ask("GetObjectAcl", **HELLO) == expected == await ask("GetBucketAcl", Bucket="bkt")

    scene(scenario)


def test_attributes_of_a_whole_object() -> None:
    async def scenario(ask: Asking) -> None:
        await hello(ask, ChecksumCRC32=crc32(b"hello"))
        wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
        assert await ask("GetObjectAttributes", **HELLO, ObjectAttributes=wanted) == {
            "LastModified": 1001.0,
            "ETag": hashlib.md5(b"hello").hexdigest(),
            "Checksum": {"ChecksumCRC32": crc32(b"hello"), "ChecksumType": "FULL_OBJECT"},
            "StorageClass": "STANDARD",
            "ObjectSize": 5,
        }

    scene(scenario)


V4 = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=19700101T001640Z&X-Amz-Expires={}&X-Amz-Signature=x"


@pytest.mark.parametrize(
    ("query", "is_over"),
    [
        (V4.format(100), False),
        (V4.format(3), True),
        (V4.format("nan"), True),
        ("AWSAccessKeyId=a&Signature=b&Expires=2000", False),
        ("AWSAccessKeyId=a&Signature=b&Expires=1002", True),
        ("AWSAccessKeyId=a&Signature=b&Expires=-inf", True),
        ("x-id=GetObject", False),
    ],
)
def test_a_presigned_url_runs_out(query: str, is_over: bool) -> None:
    async def scenario(ask: Asking) -> None:
        await hello(ask)
        ask.now = 1_004.0
        headers = {"x-sagehouse-query": query}
        if not is_over:
            await ask("GetObject", headers=headers, **HELLO)
            return
        with pytest.raises(Denied) as caught:
            await ask("GetObject", headers=headers, **HELLO)
        assert caught.value.code == "AccessDenied"

    scene(scenario)


def test_a_presigned_url_is_good_for_a_week_at_most() -> None:
    """As boto3 signs it, `ExpiresIn` of 30 days: AWS refuses the URL, which seemed to work here."""

    async def scenario(ask: Asking) -> None:
        await hello(ask)
        await ask("GetObject", headers={"x-sagehouse-query": V4.format(604_800)}, **HELLO)
        with pytest.raises(Invalid) as caught:
            await ask("GetObject", headers={"x-sagehouse-query": V4.format(604_801)}, **HELLO)
        assert caught.value.code == "AuthorizationQueryParametersError"

    scene(scenario)


def test_an_expected_owner_that_is_no_account_is_told_so() -> None:
    async def scenario(ask: Asking) -> None:
        await hello(ask)
        for expected, code in (("bad", "InvalidBucketOwnerAWSAccountID"), ("111111111111", "AccessDenied")):
            with pytest.raises(SagehouseError) as caught:
                await ask("GetObject", ExpectedBucketOwner=expected, **HELLO)
            assert caught.value.code == code

    scene(scenario)
