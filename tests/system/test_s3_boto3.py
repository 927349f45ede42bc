"""S3 through boto3: resources, transfers, conditions, checksums, signed URLs, and errors in the words of AWS."""

import base64
import contextlib
import hashlib
import http.client
import io
import json
import os
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.system.conftest import RunningHouse

pytestmark = pytest.mark.system

MB = 1024 * 1024
ODD_KEYS = (
    "plain.txt",
    "with space",
    "plus+sign",
    "per%cent",
    "%41 encoded look",
    "a//b",
    "a/../b",
    "./dot",
    "..",
    "/leading",
    "trailing/",
    "ümläut/日本語/🎉.csv",
    "question?mark",
    "hash#mark",
    "amp&ersand=equals",
    "quote\"'`",
    "semi;colon:at@comma,",
    "back\\slash",
    "star*(paren)!~$^|[]{}<>",
    "tab\tand\nnewline",
    "a",
    "a/b",
    "a/b/c",
)


def client(house: RunningHouse, *, scheme: str = "http", region: str = "us-east-1", **config: Any) -> Any:
    """Return a boto3 S3 client of the default account; https reaches the same port and checks its certificate."""
    port = house.url.rsplit(":", 1)[1]
    return boto3.session.Session().client(
        "s3",
        endpoint_url=house.url if scheme == "http" else f"https://localhost:{port}",
        verify=str(house.home / "authority" / "bundle.pem"),
        region_name=region,
        aws_access_key_id="123456789012",
        aws_secret_access_key="sagehouse",
        config=Config(retries={"max_attempts": 0}, **config),
    )


@pytest.fixture(scope="module", params=["http", "https"])
def s3(request: pytest.FixtureRequest, shared_house: RunningHouse) -> Any:
    return client(shared_house, scheme=request.param)


_counted = iter(range(1_000_000))


@pytest.fixture
def bucket(s3: Any) -> str:
    """A new, empty bucket."""
    name = f"bucket-{os.getpid()}-{next(_counted)}"
    s3.create_bucket(Bucket=name)
    return name


@contextlib.contextmanager
def refused(code: str, text: str = "", *, status: int | None = None) -> Iterator[None]:
    """What is done inside ends in this error."""
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response
    assert error["Error"]["Code"] == code
    assert text in error["Error"]["Message"]
    assert status in (None, error["ResponseMetadata"]["HTTPStatusCode"])


# What programs write most.


def test_an_object_is_what_was_put_with_everything_said_about_it(s3, bucket):
    body = b"a,b\n1,2\n"
    put = s3.put_object(
        Bucket=bucket,
        Key="data/train.csv",
        Body=body,
        ContentType="text/csv",
        CacheControl="no-cache",
        ContentDisposition='attachment; filename="t.csv"',
        ContentLanguage="de",
        Metadata={"Origin": "lab", "note": "x y"},
        Tagging="team=ml&stage=dev",
    )
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert put["ServerSideEncryption"] == "AES256"
    assert put["ChecksumType"] == "FULL_OBJECT"
    got = s3.get_object(Bucket=bucket, Key="data/train.csv")
    assert got["Body"].read() == body
    head = s3.head_object(Bucket=bucket, Key="data/train.csv")
    for answer in (got, head):
        assert answer["ContentType"] == "text/csv"
        assert answer["CacheControl"] == "no-cache"
        assert answer["ContentDisposition"] == 'attachment; filename="t.csv"'
        assert answer["ContentLanguage"] == "de"
        assert answer["Metadata"] == {"origin": "lab", "note": "x y"}
        assert answer["ContentLength"] == 8
        assert answer["AcceptRanges"] == "bytes"
        assert answer["ServerSideEncryption"] == "AES256"
        assert answer["ETag"] == put["ETag"]
    assert got["TagCount"] == 2
    assert s3.get_object_tagging(Bucket=bucket, Key="data/train.csv")["TagSet"] == [
        {"Key": "team", "Value": "ml"},
        {"Key": "stage", "Value": "dev"},
    ]


def test_the_type_of_an_object_put_without_one_is_octet_stream(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentType"], head["ContentLength"]) == ("binary/octet-stream", 0)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b""


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_key_of_any_characters_is_put_got_listed_copied_and_deleted(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [one["Key"] for one in s3.list_objects(Bucket=bucket)["Contents"]] == [key]
    s3.copy_object(Bucket=bucket, Key=f"copy of {key}", CopySource={"Bucket": bucket, "Key": key})
    assert s3.head_object(Bucket=bucket, Key=f"copy of {key}")["ContentLength"] == len(key.encode())
    s3.delete_object(Bucket=bucket, Key=key)
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": f"copy of {key}"}]})
    assert deleted["Deleted"] == [{"Key": f"copy of {key}"}]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_the_resource_api_walks_filters_copies_and_empties_a_bucket(shared_house, bucket):
    resource = boto3.session.Session().resource(
        "s3",
        endpoint_url=shared_house.url,
        region_name="us-east-1",
        aws_access_key_id="123456789012",
        aws_secret_access_key="x",
    )
    there = resource.Bucket(bucket)
    for number in range(5):
        there.put_object(Key=f"runs/{number}/out.json", Body=json.dumps({"n": number}).encode())
    resource.Object(bucket, "other").put(Body=b"o")
    assert [one.key for one in there.objects.filter(Prefix="runs/")] == [f"runs/{n}/out.json" for n in range(5)]
    assert [one.key for one in there.objects.filter(Prefix="runs/", MaxKeys=2)] == [
        f"runs/{n}/out.json" for n in range(5)
    ]
    assert [one.key for one in there.objects.limit(2)] == ["other", "runs/0/out.json"]
    assert json.load(resource.Object(bucket, "runs/3/out.json").get()["Body"]) == {"n": 3}
    summary = next(iter(there.objects.filter(Prefix="other")))
    assert (summary.size, summary.storage_class, summary.Object().content_length) == (1, "STANDARD", 1)
    there.copy({"Bucket": bucket, "Key": "other"}, "copied")
    assert resource.Object(bucket, "copied").e_tag == resource.Object(bucket, "other").e_tag
    assert there.creation_date is not None
    assert resource.Bucket("no-such-bucket-at-all").creation_date is None
    assert [version.id for version in there.object_versions.filter(Prefix="other")] == ["null"]
    there.objects.filter(Prefix="runs/").delete()
    assert sorted(one.key for one in there.objects.all()) == ["copied", "other"]
    there.objects.all().delete()
    there.delete()
    assert bucket not in [one.name for one in resource.buckets.all()]


def test_a_listing_groups_by_delimiter_and_pages_at_any_size(s3, bucket):
    keys = sorted(["a.txt", *(f"d{n}/{m}.txt" for n in range(4) for m in range(3)), "z z/ü"])
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [one["Key"] for one in page["Contents"]] == ["a.txt"]
    assert [one["Prefix"] for one in page["CommonPrefixes"]] == ["d0/", "d1/", "d2/", "d3/", "z z/"]
    assert page["KeyCount"] == 6
    for name in ("list_objects", "list_objects_v2", "list_object_versions"):
        for size in (1, 2, 5, 100):
            paged: list[str] = []
            for page in s3.get_paginator(name).paginate(Bucket=bucket, Delimiter="/", MaxKeys=size):
                rows = page.get("Contents", []) or page.get("Versions", [])
                paged += [one["Key"] for one in rows] + [one["Prefix"] for one in page.get("CommonPrefixes", [])]
            assert paged == ["a.txt", "d0/", "d1/", "d2/", "d3/", "z z/"], (name, size)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, StartAfter="d3/1.txt")["Contents"]] == [
        "d3/2.txt",
        "z z/ü",
    ]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="nothing")
    assert s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]["Owner"]["ID"]


# Transfers.


def test_large_files_go_up_and_down_in_parts(s3, bucket, tmp_path):
    source = tmp_path / "big.bin"
    source.write_bytes(os.urandom(21 * MB + 13))
    config = TransferConfig(multipart_threshold=8 * MB, multipart_chunksize=8 * MB, max_concurrency=4)
    seen: list[int] = []
    s3.upload_file(
        str(source), bucket, "big.bin", Config=config, Callback=seen.append, ExtraArgs={"Metadata": {"m": "1"}}
    )
    assert sum(seen) == source.stat().st_size
    head = s3.head_object(Bucket=bucket, Key="big.bin")
    assert head["ETag"].endswith('-3"')
    assert head["Metadata"] == {"m": "1"}
    s3.download_file(bucket, "big.bin", str(tmp_path / "back.bin"), Config=config)
    assert (tmp_path / "back.bin").read_bytes() == source.read_bytes()
    s3.copy({"Bucket": bucket, "Key": "big.bin"}, bucket, "copy.bin", Config=config)
    assert s3.get_object(Bucket=bucket, Key="copy.bin")["Body"].read() == source.read_bytes()
    second = s3.get_object(Bucket=bucket, Key="big.bin", PartNumber=2)
    assert (second["PartsCount"], second["ContentLength"]) == (3, 8 * MB)
    assert second["Body"].read() == source.read_bytes()[8 * MB : 16 * MB]


def test_file_objects_that_cannot_seek_are_streamed(s3, bucket):
    class Pipe(io.RawIOBase):
        def __init__(self, content: bytes) -> None:
            self._content = io.BytesIO(content)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            return self._content.readinto(buffer)

    content = os.urandom(9 * MB)
    s3.upload_fileobj(io.BufferedReader(Pipe(content)), bucket, "piped")
    into = io.BytesIO()
    s3.download_fileobj(bucket, "piped", into)
    assert into.getvalue() == content


def test_a_multipart_upload_lists_its_parts_takes_replacements_and_can_be_aborted(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ContentType="text/plain", Tagging="a=1")["UploadId"]
    here = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    s3.upload_part(**here, PartNumber=2, Body=b"end")
    s3.upload_part(**here, PartNumber=1, Body=b"x" * 5 * MB)
    first = s3.upload_part(**here, PartNumber=1, Body=b"y" * 5 * MB)["ETag"]
    parts = s3.list_parts(**here)["Parts"]
    assert [(part["PartNumber"], part["Size"]) for part in parts] == [(1, 5 * MB), (2, 3)]
    assert parts[0]["ETag"] == first
    assert [part["PartNumber"] for part in s3.list_parts(**here, MaxParts=1)["Parts"]] == [1]
    assert [one["Key"] for one in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["k"]
    with refused("NoSuchKey", "The specified key does not exist."):
        s3.get_object(Bucket=bucket, Key="k")
    done = s3.complete_multipart_upload(
        **here, MultipartUpload={"Parts": [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]}
    )
    assert done["Bucket"] == bucket
    assert done["Key"] == "k"
    assert done["Location"].endswith(f"/{bucket}/k")
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"y" * 5 * MB + b"end"
    assert (got["ContentType"], got["TagCount"]) == ("text/plain", 1)
    other = s3.create_multipart_upload(Bucket=bucket, Key="gone")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="gone", UploadId=other, PartNumber=1, Body=b"1")
    s3.abort_multipart_upload(Bucket=bucket, Key="gone", UploadId=other)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    with refused("NoSuchUpload", "The specified upload does not exist.", status=404):
        s3.upload_part(Bucket=bucket, Key="gone", UploadId=other, PartNumber=1, Body=b"1")


def test_what_is_wrong_with_a_multipart_upload_is_told_at_its_completion(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    here = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    tags = [s3.upload_part(**here, PartNumber=number, Body=b"small")["ETag"] for number in (1, 2)]

    def complete(*parts: tuple[int, str]) -> None:
        listed = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        s3.complete_multipart_upload(**here, MultipartUpload={"Parts": listed})

    with refused("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", status=400):
        complete((1, tags[0]), (2, tags[1]))
    with refused("InvalidPart", "One or more of the specified parts could not be found."):
        complete((1, '"00000000000000000000000000000000"'))
    with refused("InvalidPart"):
        complete((1, tags[0]), (7, tags[1]))
    with refused("InvalidPartOrder", "The list of parts was not in ascending order."):
        complete((2, tags[1]), (1, tags[0]))
    with refused("MalformedXML"):
        s3.complete_multipart_upload(**here, MultipartUpload={"Parts": []})
    complete((2, tags[1]))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"small"


# Ranges and conditions.


def test_ranges_are_answered_as_http_says(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")

    def get(text: str) -> tuple[int, str | None, bytes]:
        answer = s3.get_object(Bucket=bucket, Key="k", Range=text)
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer.get("ContentRange"), answer["Body"].read()

    assert get("bytes=2-4") == (206, "bytes 2-4/10", b"234")
    assert get("bytes=7-") == (206, "bytes 7-9/10", b"789")
    assert get("bytes=-3") == (206, "bytes 7-9/10", b"789")
    assert get("bytes=0-99") == (206, "bytes 0-9/10", b"0123456789")
    assert get("bytes=5-2") == (200, None, b"0123456789")
    assert get("lines=1-2") == (200, None, b"0123456789")
    with refused("InvalidRange", "The requested range is not satisfiable", status=416):
        get("bytes=10-")
    with refused("416"):
        s3.head_object(Bucket=bucket, Key="k", Range="bytes=10-")
    assert s3.head_object(Bucket=bucket, Key="k", Range="bytes=2-4")["ContentLength"] == 3


def test_conditional_reads_are_refused_or_not_modified(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    when = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    here = {"Bucket": bucket, "Key": "k"}
    assert s3.get_object(**here, IfMatch=etag)["Body"].read() == b"1"
    assert s3.get_object(**here, IfNoneMatch='"other"')["Body"].read() == b"1"
    assert s3.get_object(**here, IfUnmodifiedSince=when)["Body"].read() == b"1"
    with refused("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", status=412):
        s3.get_object(**here, IfMatch='"other"')
    with refused("304", "Not Modified", status=304):
        s3.get_object(**here, IfNoneMatch=etag)
    with refused("304", status=304):
        s3.head_object(**here, IfModifiedSince=when)
    with refused("412", "Precondition Failed", status=412):
        s3.head_object(**here, IfMatch='"other"')


def test_conditional_writes_let_one_of_many_win(s3, bucket):
    def write(number: int) -> int | None:
        try:
            s3.put_object(Bucket=bucket, Key="leader", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"  # noqa: PT017 - the winner raises nothing
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [number for number in pool.map(write, range(8)) if number is not None]
    assert [s3.get_object(Bucket=bucket, Key="leader")["Body"].read()] == [str(number).encode() for number in winners]
    etag = s3.head_object(Bucket=bucket, Key="leader")["ETag"]
    s3.put_object(Bucket=bucket, Key="leader", Body=b"next", IfMatch=etag)
    with refused("PreconditionFailed", status=412):
        s3.put_object(Bucket=bucket, Key="leader", Body=b"late", IfMatch=etag)
    with refused("NoSuchKey", status=404):
        s3.put_object(Bucket=bucket, Key="absent", Body=b"", IfMatch=etag)


def test_copies_take_metadata_along_or_replace_it_and_heed_conditions(s3, bucket):
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"1", ContentType="text/csv", Metadata={"k": "v"}, Tagging="t=1")
    source = {"Bucket": bucket, "Key": "a"}
    s3.copy_object(Bucket=bucket, Key="b", CopySource=source)
    copied = s3.get_object(Bucket=bucket, Key="b")
    assert (copied["ContentType"], copied["Metadata"], copied["TagCount"]) == ("text/csv", {"k": "v"}, 1)
    s3.copy_object(
        Bucket=bucket, Key="b", CopySource=source, MetadataDirective="REPLACE", Metadata={"n": "1"}, ContentType="x/y"
    )
    copied = s3.head_object(Bucket=bucket, Key="b")
    assert (copied["ContentType"], copied["Metadata"]) == ("x/y", {"n": "1"})
    with refused("InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself"):
        s3.copy_object(Bucket=bucket, Key="a", CopySource=source)
    with refused("PreconditionFailed"):
        s3.copy_object(Bucket=bucket, Key="c", CopySource=source, CopySourceIfNoneMatch=put["ETag"])
    with refused("NoSuchKey"):
        s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "absent"})
    with refused("NoSuchBucket"):
        s3.copy_object(Bucket=bucket, Key="c", CopySource="no-such-bucket/a")


# Checksums.

ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_checksum_of_every_algorithm_is_checked_kept_and_answered(s3, bucket, algorithm):
    member = f"Checksum{algorithm}"
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"payload", ChecksumAlgorithm=algorithm)
    assert put[member]
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[member], head["ChecksumType"]) == (put[member], "FULL_OBJECT")
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"payload"
    attributes = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    )
    assert attributes["Checksum"][member] == put[member]
    assert attributes["ObjectSize"] == 7
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ChecksumAlgorithm"] == [algorithm]
    again = s3.put_object(Bucket=bucket, Key="again", Body=b"payload", **{member: put[member]})
    assert again[member] == put[member]
    with refused("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.", status=400):
        s3.put_object(Bucket=bucket, Key="bad", Body=b"other bytes", **{member: put[member]})
    with refused("404", status=404):
        s3.head_object(Bucket=bucket, Key="bad")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_parts_carry_checksums_and_the_whole_has_one(s3, bucket, algorithm):
    member = f"Checksum{algorithm}"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm)
    here = {"Bucket": bucket, "Key": "k", "UploadId": upload["UploadId"]}
    parts = []
    for number, body in ((1, b"x" * 5 * MB), (2, b"tail")):
        part = s3.upload_part(**here, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
        parts.append({"PartNumber": number, "ETag": part["ETag"], member: part[member]})
    assert [part[member] for part in s3.list_parts(**here)["Parts"]] == [part[member] for part in parts]
    wrong = [{**parts[0], member: parts[1][member]}, parts[1]]
    with refused("InvalidPart"):
        s3.complete_multipart_upload(**here, MultipartUpload={"Parts": wrong})
    done = s3.complete_multipart_upload(**here, MultipartUpload={"Parts": parts})
    kind = "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
    assert done["ChecksumType"] == kind
    assert done[member].endswith("-2") == (kind == "COMPOSITE")
    assert s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["Body"].read() == b"x" * 5 * MB + b"tail"


def test_a_wrong_content_md5_is_a_bad_digest(s3, bucket):
    right = base64.b64encode(hashlib.md5(b"1").digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", ContentMD5=right)
    with refused("BadDigest", "The Content-MD5 you specified did not match what we received.", status=400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", ContentMD5=right)
    with refused("InvalidDigest", "The Content-MD5 you specified", status=400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", ContentMD5="nonsense")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"


# Errors in AWS's words.


def test_a_missing_bucket_is_told_by_every_operation(s3):
    absent = {"Bucket": "no-such-bucket-here"}
    operations: list[Callable[[], Any]] = [
        lambda: s3.list_objects_v2(**absent),
        lambda: s3.list_objects(**absent),
        lambda: s3.get_object(**absent, Key="k"),
        lambda: s3.put_object(**absent, Key="k", Body=b"x" * MB),
        lambda: s3.delete_object(**absent, Key="k"),
        lambda: s3.delete_objects(**absent, Delete={"Objects": [{"Key": "k"}]}),
        lambda: s3.create_multipart_upload(**absent, Key="k"),
        lambda: s3.delete_bucket(**absent),
        lambda: s3.get_bucket_location(**absent),
        lambda: s3.get_bucket_tagging(**absent),
    ]
    for operation in operations:
        with refused("NoSuchBucket", "The specified bucket does not exist", status=404):
            operation()
    with refused("404", "Not Found", status=404):
        s3.head_bucket(**absent)
    with refused("404", "Not Found", status=404):
        s3.head_object(**absent, Key="k")


def test_a_missing_key_is_told_by_every_operation(s3, bucket):
    absent = {"Bucket": bucket, "Key": "absent"}
    for operation in (s3.get_object, s3.get_object_tagging, s3.get_object_acl):
        with refused("NoSuchKey", "The specified key does not exist.", status=404):
            operation(**absent)
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(**absent)
    with refused("404", "Not Found", status=404):
        s3.head_object(**absent)
    with refused("404", "Not Found"):
        s3.download_fileobj(bucket, "absent", io.BytesIO())
    s3.delete_object(**absent)


def test_buckets_are_refused_in_the_words_of_aws(s3, bucket, shared_house):
    with refused("BucketNotEmpty", "The bucket you tried to delete is not empty", status=409):
        s3.put_object(Bucket=bucket, Key="k", Body=b"")
        s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    european = client(shared_house, region="eu-west-1")
    name = f"{bucket}-eu"
    european.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    with refused("BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded", status=409):
        european.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with refused("IllegalLocationConstraintException"):
        european.create_bucket(Bucket=f"{name}2")
    with refused("InvalidBucketName", "The specified bucket is not valid.", status=400):
        s3.create_bucket(Bucket="Upper.Case")
    other = boto3.client(
        "s3",
        endpoint_url=shared_house.url,
        region_name="us-east-1",
        aws_access_key_id="210987654321",
        aws_secret_access_key="x",
    )
    with refused("BucketAlreadyExists", "The requested bucket name is not available", status=409):
        other.create_bucket(Bucket=bucket)


def test_another_owner_than_expected_is_denied(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", ExpectedBucketOwner="123456789012")
    with refused("AccessDenied", "Access Denied", status=403):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", ExpectedBucketOwner="111111111111")
    with refused("403", "Forbidden", status=403):
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner="111111111111")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"


def test_a_key_too_long_and_tags_too_many_are_refused(s3, bucket):
    with refused("KeyTooLongError", "Your key is too long", status=400):
        s3.put_object(Bucket=bucket, Key="k" * 1025, Body=b"")
    s3.put_object(Bucket=bucket, Key="k" * 1024, Body=b"")
    with refused("BadRequest", "Object tags cannot be greater than 10"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="&".join(f"t{n}=1" for n in range(11)))
    with refused("InvalidTag"):
        s3.put_object_tagging(Bucket=bucket, Key="k" * 1024, Tagging={"TagSet": [{"Key": "aws:x", "Value": ""}]})


def test_what_this_store_does_not_do_is_refused_by_name_and_at_once(s3, bucket):
    for operation in (
        lambda: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
        lambda: s3.get_object_lock_configuration(Bucket=bucket),
        lambda: s3.select_object_content(
            Bucket=bucket,
            Key="k",
            Expression="select 1",
            ExpressionType="SQL",
            InputSerialization={"CSV": {}},
            OutputSerialization={"CSV": {}},
        ),
        lambda: s3.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 1}),
    ):
        with refused("NotImplemented", status=501):
            operation()


def test_the_settings_of_a_bucket_are_kept_and_answered(s3, bucket):
    with refused("NoSuchTagSet", "The TagSet does not exist", status=404):
        s3.get_bucket_tagging(Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "a", "Value": "1"}]
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    with refused("NoSuchBucketPolicy", "The bucket policy does not exist"):
        s3.get_bucket_policy(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    s3.delete_bucket_policy(Bucket=bucket)
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == [rule]
    cors = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [cors]})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [cors]
    default = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert default["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]


def test_waiters_end_when_the_thing_is_there_and_when_it_is_gone(s3, bucket):
    s3.get_waiter("bucket_exists").wait(Bucket=bucket)
    timer = threading.Timer(0.3, s3.put_object, kwargs={"Bucket": bucket, "Key": "late", "Body": b""})
    timer.start()
    s3.get_waiter("object_exists").wait(Bucket=bucket, Key="late", WaiterConfig={"Delay": 1, "MaxAttempts": 5})
    timer.join()
    s3.delete_object(Bucket=bucket, Key="late")
    s3.get_waiter("object_not_exists").wait(Bucket=bucket, Key="late", WaiterConfig={"Delay": 1})


# Signed URLs, raw HTTP, host names.


def fetch(
    house: RunningHouse, url: str, *, method: str = "GET", data: bytes | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and headers of a plain request, errors included."""
    import ssl

    context = ssl.create_default_context(cafile=str(house.home / "authority" / "bundle.pem"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with opener.open(urllib.request.Request(url, method=method, data=data, headers=named)) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)


@pytest.mark.parametrize("version", ["s3", "s3v4"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_presigned_urls_get_put_head_and_delete_without_credentials(shared_house, version, scheme):
    signer = client(shared_house, scheme=scheme, signature_version=version)
    bucket = f"signed-{os.getpid()}-{next(_counted)}"
    signer.create_bucket(Bucket=bucket)
    here = {"Bucket": bucket, "Key": "a dir/ü +.txt"}

    def url(operation: str, expires: int = 60, **more: str) -> str:
        return signer.generate_presigned_url(operation, Params={**here, **more}, ExpiresIn=expires)

    assert fetch(shared_house, url("put_object"), method="PUT", data=b"signed")[0] == 200
    status, body, headers = fetch(shared_house, url("get_object", ResponseContentType="text/x"))
    assert (status, body, headers["content-type"]) == (200, b"signed", "text/x")
    assert fetch(shared_house, url("get_object"), Range="bytes=1-2")[:2] == (206, b"ig")
    assert fetch(shared_house, url("head_object"), method="HEAD")[2]["content-length"] == "6"
    typed = url("put_object", ContentType="text/plain")
    assert fetch(shared_house, typed, method="PUT", data=b"typed", Content_Type="text/plain")[0] == 200
    assert signer.head_object(**here)["ContentType"] == "text/plain"
    status, body, _ = fetch(shared_house, url("get_object", expires=-5 if version == "s3" else 1))
    if version == "s3":
        assert (status, b"<Message>Request has expired</Message>" in body) == (403, True)
    assert fetch(shared_house, url("delete_object"), method="DELETE")[0] == 204
    assert fetch(shared_house, url("get_object"))[0] == 404
    listing = signer.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket, "Prefix": "a dir/"})
    status, body, _ = fetch(shared_house, listing)
    assert (status, b"<KeyCount>0</KeyCount>" in body) == (200, True)


def test_a_bucket_in_the_host_name_is_reached_through_the_proxy(shared_house):
    """The addresses programs use that set no endpoint: https://bucket.s3.us-east-1.amazonaws.com."""
    for style, region in (("virtual", "us-east-1"), ("path", "us-east-1"), ("virtual", "eu-central-1")):
        s3 = boto3.session.Session().client(
            "s3",
            region_name=region,
            aws_access_key_id="123456789012",
            aws_secret_access_key="x",
            verify=str(shared_house.home / "authority" / "bundle.pem"),
            config=Config(proxies={"https": shared_house.url}, s3={"addressing_style": style}),
        )
        bucket = f"hosted-{os.getpid()}-{next(_counted)}"
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **where)
        s3.put_object(Bucket=bucket, Key="k/ü x", Body=b"1" * 100)
        assert s3.get_object(Bucket=bucket, Key="k/ü x")["Body"].read() == b"1" * 100
        assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k/ü x"]
        assert client(shared_house).head_object(Bucket=bucket, Key="k/ü x")["ContentLength"] == 100


def test_a_key_is_reached_by_any_spelling_of_its_url(shared_house):
    s3 = client(shared_house)
    bucket = f"urls-{os.getpid()}-{next(_counted)}"
    s3.create_bucket(Bucket=bucket)
    for key in ODD_KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        for safe in ("/", "/~!*'()", "/+:@,;=&$"):
            if "+" in key and "+" in safe:
                continue
            status, body, _ = fetch(shared_house, f"{shared_house.url}/{bucket}/{quote(key, safe=safe)}")
            assert (status, body) == (200, key.encode()), (key, safe)


def put_raw(house: RunningHouse, path: str, body: Any, *, is_chunked: bool = False, **headers: str) -> tuple[int, str]:
    """Return status and body of a PUT whose headers are exactly these."""
    connection = http.client.HTTPConnection(house.url.removeprefix("http://"))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request("PUT", path, body=body, headers=named, encode_chunked=is_chunked)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_body_in_chunks_of_unknown_total_is_refused_as_aws_does(shared_house):
    """`curl -T -` sends such bodies."""
    bucket = f"chunked-{os.getpid()}-{next(_counted)}"
    client(shared_house).create_bucket(Bucket=bucket)
    status, told = put_raw(shared_house, f"/{bucket}/k", iter([b"a", b"b"]), is_chunked=True)
    assert (status, "<Header>Transfer-Encoding</Header>" in told) == (501, True)


def test_chunks_with_trailers_and_chunks_with_signatures_are_understood(shared_house):
    """What SDKs of other languages send; the checksum in a trailer is checked like one in a header."""
    s3 = client(shared_house)
    bucket = f"trailers-{os.getpid()}-{next(_counted)}"
    s3.create_bucket(Bucket=bucket)
    stream = {"Content_Encoding": "aws-chunked", "X_Amz_Decoded_Content_Length": "5"}
    unsigned = {
        **stream,
        "X_Amz_Content_Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "X_Amz_Trailer": "x-amz-checksum-crc32",
    }
    right = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big"))
    for crc, expected in ((right, (200, "")), (b"AAAAAQ==", (400, "BadDigest"))):
        body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + crc + b"\r\n\r\n"
        status, told = put_raw(shared_house, f"/{bucket}/k", body, **unsigned)
        assert (status, expected[1] in told) == (expected[0], True), told
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"
    signature = b";chunk-signature=" + b"a" * 64
    body = b"5" + signature + b"\r\nhello\r\n0" + signature + b"\r\n\r\n"
    signed = {
        **stream,
        "Content_Encoding": "gzip,aws-chunked",
        "X_Amz_Content_Sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    }
    assert put_raw(shared_house, f"/{bucket}/signed", body, **signed)[0] == 200
    head = s3.head_object(Bucket=bucket, Key="signed")
    assert (head["ContentEncoding"], head["ContentLength"]) == ("gzip", 5)
    status, told = put_raw(shared_house, f"/{bucket}/short", b"5\r\nhel", **unsigned)
    assert (status, "IncompleteBody" in told) == (400, True)
    status, told = put_raw(shared_house, f"/{bucket}/hash", b"hello", X_Amz_Content_Sha256="0" * 64)
    assert (status, "XAmzContentSHA256Mismatch" in told) == (400, True)
    status, told = put_raw(
        shared_house, f"/{bucket}/less", b"5\r\nhello\r\n0\r\n\r\n", **{**unsigned, "X_Amz_Decoded_Content_Length": "6"}
    )
    assert status == 400
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k", "signed"]


def test_a_page_of_a_listing_holds_a_thousand_keys(shared_house):
    s3 = client(shared_house, max_pool_connections=8)
    bucket = f"many-{os.getpid()}-{next(_counted)}"
    s3.create_bucket(Bucket=bucket)
    keys = [f"{number:04}" for number in range(1003)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b""), keys))
    for name in ("list_objects", "list_objects_v2"):
        pages = list(s3.get_paginator(name).paginate(Bucket=bucket))
        assert [len(page["Contents"]) for page in pages] == [1000, 3]
        assert [one["Key"] for page in pages for one in page["Contents"]] == keys
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys[:1000]], "Quiet": True})
    assert "Deleted" not in gone
    with refused("MalformedXML"):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})


def test_crc32_is_the_checksum_of_those_who_name_none(s3, bucket):
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"123")
    assert put["ChecksumCRC32"] == base64.b64encode(zlib.crc32(b"123").to_bytes(4, "big")).decode()


def test_a_file_uploaded_while_it_is_read_is_old_or_new_and_never_mixed(s3, bucket, tmp_path: Path):
    old, new = b"o" * 3 * MB, b"n" * 3 * MB
    s3.put_object(Bucket=bucket, Key="k", Body=old)
    body = s3.get_object(Bucket=bucket, Key="k")["Body"]
    start = body.read(1000)
    s3.put_object(Bucket=bucket, Key="k", Body=new)
    assert start + body.read() == old
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == new
