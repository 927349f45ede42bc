"""Copies within the store."""

from typing import Any

import pytest
from tests.unit.services_s3.asking import Asking, error_of, scene

from sagehouse.kit.errors import Conflict, Denied, Invalid, NotFound

SOURCE = {"ContentType": "a/b", "Metadata": {"m": "1"}, "Tagging": "t=1", "StorageClass": "STANDARD_IA"}


async def put(ask: Asking, key: str = "src", **members: Any) -> Any:
    return await ask("PutObject", Bucket="bkt", Key=key, Body=b"data", **{**SOURCE, **members})


async def copy(ask: Asking, source: str = "bkt/src", key: str = "dst", **members: Any) -> Any:
    return await ask("CopyObject", Bucket="bkt", Key=key, CopySource=source, **members)


def test_a_copy_takes_metadata_and_tags_along_unless_they_are_replaced() -> None:
    async def scenario(ask: Asking) -> None:
        etag = (await put(ask))["ETag"]
        answer = await copy(ask)
        assert (answer["CopyObjectResult"]["ETag"], answer["ServerSideEncryption"]) == (etag, "AES256")
        head = await ask("HeadObject", Bucket="bkt", Key="dst")
        assert (head["ContentType"], head["Metadata"], head["TagCount"]) == ("a/b", {"m": "1"}, 1)
        assert "StorageClass" not in head
        replaced = {"MetadataDirective": "REPLACE", "Metadata": {"n": "2"}, "TaggingDirective": "REPLACE"}
        await copy(ask, **replaced, Tagging="x=1&y=2")
        head = await ask("HeadObject", Bucket="bkt", Key="dst")
        assert (head["ContentType"], head["Metadata"], head["TagCount"]) == ("binary/octet-stream", {"n": "2"}, 2)
        assert await ask.body(Bucket="bkt", Key="dst") == b"data"

    scene(scenario)


@pytest.mark.parametrize(
    ("key", "source"),
    [("a b+%ü/c", "bkt/a%20b%2B%25%C3%BC/c"), ("a+b", "/bkt/a+b"), ("k", "bkt/k?versionId=null"), ("a?b", "bkt/a%3Fb")],
)
def test_sources_are_spelled_as_clients_spell_them(key: str, source: str) -> None:
    async def scenario(ask: Asking) -> None:
        await put(ask, key)
        await copy(ask, source)
        assert await ask.body(Bucket="bkt", Key="dst") == b"data"

    scene(scenario)


def test_a_copy_onto_itself_must_change_something() -> None:
    async def scenario(ask: Asking) -> None:
        await put(ask)
        with pytest.raises(Invalid) as caught:
            await copy(ask, key="src")
        assert caught.value.code == "InvalidRequest"
        await copy(ask, key="src", MetadataDirective="REPLACE", Metadata={"n": "2"})
        assert (await ask("HeadObject", Bucket="bkt", Key="src"))["Metadata"] == {"n": "2"}
        await copy(ask, key="src", StorageClass="STANDARD")

    scene(scenario)


def test_a_copy_may_ask_what_its_source_is() -> None:
    async def scenario(ask: Asking) -> None:
        etag = (await put(ask))["ETag"]
        await copy(ask, CopySourceIfMatch=etag, CopySourceIfUnmodifiedSince=1.0)
        for conditions in (
            {"CopySourceIfMatch": "no"},
            {"CopySourceIfNoneMatch": etag},
            {"CopySourceIfModifiedSince": 9_000.0},
            {"CopySourceIfUnmodifiedSince": 1.0},
            {"IfNoneMatch": "*"},
            {"IfMatch": "no"},
        ):
            with pytest.raises(Conflict) as caught:
                await copy(ask, **conditions)
            assert caught.value.code == "PreconditionFailed"
        with pytest.raises(Denied):
            await copy(ask, ExpectedSourceBucketOwner="999999999999")

    scene(scenario)


def test_a_checksum_is_kept_or_computed_anew() -> None:
    async def scenario(ask: Asking) -> None:
        await put(ask, ChecksumAlgorithm="CRC32")
        assert "ChecksumCRC32" in (await copy(ask))["CopyObjectResult"]
        assert "ChecksumSHA256" in (await copy(ask, ChecksumAlgorithm="SHA256"))["CopyObjectResult"]

    scene(scenario)


@pytest.mark.parametrize("source", ["bkt", "bkt/", "/", "bkt/%FF"])
def test_a_source_that_names_nothing_is_refused(source: str) -> None:
    async def scenario(ask: Asking) -> None:
        with pytest.raises(Invalid):
            await copy(ask, source)

    scene(scenario)


def test_a_missing_source_is_named() -> None:
    async def scenario(ask: Asking) -> None:
        with pytest.raises(NotFound) as caught:
            await copy(ask)
        assert error_of(caught) == ("NoSuchKey", {"Key": "src"})

    scene(scenario)
