"""Multipart uploads, as the SDKs' transfer managers drive them."""

import base64
import zlib
from typing import Any

import pytest
from tests.unit.services_s3.asking import MIB, Asking, Chunks, error_of, scene

from sagehouse.kit.errors import Conflict, Invalid, NotFound

M = {"Bucket": "bkt", "Key": "m"}
PART = b"p" * (5 * MIB)


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


async def begin(ask: Asking, **members: Any) -> str:
    upload_id: str = (await ask("CreateMultipartUpload", **M, **members))["UploadId"]
    return upload_id


async def part(ask: Asking, upload: str, number: int, data: bytes, **members: Any) -> dict[str, Any]:
    answer = await ask(
        "UploadPart", **M, UploadId=upload, PartNumber=number, Body=data, ContentLength=len(data), **members
    )
    kept = {name: value for name, value in answer.items() if name == "ETag" or name.startswith("ChecksumC")}
    return {"PartNumber": number, **kept}


async def complete(ask: Asking, upload: str, *parts: dict[str, Any], **members: Any) -> Any:
    return await ask("CompleteMultipartUpload", **M, UploadId=upload, MultipartUpload={"Parts": list(parts)}, **members)


def test_the_way_of_boto3() -> None:
    async def scenario(ask: Asking) -> None:
        begun = await ask("CreateMultipartUpload", **M, ChecksumAlgorithm="CRC32", ContentType="a/b", Tagging="t=1")
        assert begun == {
            **M,
            "UploadId": begun["UploadId"],
            "ChecksumAlgorithm": "CRC32",
            "ChecksumType": "COMPOSITE",
            "ServerSideEncryption": "AES256",
        }
        upload = begun["UploadId"]
        header = "x-amz-checksum-crc32"
        answer = await ask(
            "UploadPart",
            headers={"x-amz-trailer": header},
            **M,
            UploadId=upload,
            PartNumber=1,
            Body=Chunks(PART, trailers={header: crc32(PART)}),
            ContentLength=len(PART),
        )
        one = {"PartNumber": 1, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]}
        two = await part(ask, upload, 2, b"end", ChecksumCRC32=crc32(b"end"))
        done = await complete(ask, upload, one, two)
        digests = zlib.crc32(PART).to_bytes(4, "big") + zlib.crc32(b"end").to_bytes(4, "big")
        assert done["ChecksumCRC32"] == f"{crc32(digests)}-2"
        assert (done["ChecksumType"], done["Location"]) == ("COMPOSITE", "http://s3.amazonaws.com/bkt/m")
        assert done["ETag"].endswith('-2"')
        head = await ask("HeadObject", **M)
        assert (head["ContentType"], head["TagCount"], head["ContentLength"]) == ("a/b", 1, len(PART) + 3)
        second = await ask("GetObject", **M, PartNumber=2, ChecksumMode="ENABLED")
        assert (second["ContentLength"], second["PartsCount"], second["ChecksumCRC32"]) == (3, 2, crc32(b"end"))
        assert second["ContentRange"] == f"bytes {len(PART)}-{len(PART) + 2}/{len(PART) + 3}"
        assert await ask.body(**M, PartNumber=2) == b"end"
        with pytest.raises(Invalid) as caught:
            await ask("GetObject", **M, PartNumber=3)
        assert caught.value.code == "InvalidPartNumber"
        parts = (await ask("GetObjectAttributes", **M, ObjectAttributes=["ObjectParts"], MaxParts=1))["ObjectParts"]
        assert (parts["TotalPartsCount"], parts["IsTruncated"], parts["Parts"]) == (
            2,
            True,
            [{"PartNumber": 1, "Size": len(PART), "ChecksumCRC32": crc32(PART)}],
        )

    scene(scenario)


def test_a_checksum_of_the_whole_is_combined_and_compared() -> None:
    async def scenario(ask: Asking) -> None:
        upload = await begin(ask, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
        parts = [await part(ask, upload, 1, PART), await part(ask, upload, 2, b"end")]
        for members in ({"ChecksumCRC32": crc32(b"no")}, {"MpuObjectSize": 1}, {"ChecksumType": "COMPOSITE"}):
            with pytest.raises(Invalid):
                await complete(ask, upload, *parts, **members)
        whole = {"ChecksumCRC32": crc32(PART + b"end"), "MpuObjectSize": len(PART) + 3}
        done = await complete(ask, upload, *parts, **whole, ChecksumType="FULL_OBJECT")
        assert (done["ChecksumCRC32"], done["ChecksumType"]) == (crc32(PART + b"end"), "FULL_OBJECT")

    scene(scenario)


def test_without_a_word_the_whole_gets_a_crc64() -> None:
    async def scenario(ask: Asking) -> None:
        upload = await begin(ask)
        done = await complete(ask, upload, await part(ask, upload, 1, b"hello"))
        assert (done["ChecksumCRC64NVME"], done["ChecksumType"]) == ("M3eFcAZSQlc=", "FULL_OBJECT")

    scene(scenario)


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"ChecksumAlgorithm": "SHA256"}, "COMPOSITE"),
        ({"ChecksumAlgorithm": "CRC64NVME"}, "FULL_OBJECT"),
        ({"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"}, None),
        ({"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"}, None),
        ({"ChecksumType": "COMPOSITE"}, None),
    ],
)
def test_which_checksums_an_upload_may_have(members: dict[str, str], kind: str | None) -> None:
    async def scenario(ask: Asking) -> None:
        if kind is None:
            with pytest.raises(Invalid):
                await begin(ask, **members)
        else:
            assert (await ask("CreateMultipartUpload", **M, **members))["ChecksumType"] == kind

    scene(scenario)


def test_a_part_with_another_checksum_than_the_upload_is_refused() -> None:
    async def scenario(ask: Asking) -> None:
        upload = await begin(ask, ChecksumAlgorithm="SHA256")
        with pytest.raises(Invalid, match="Checksum Type mismatch"):
            await part(ask, upload, 1, b"x", ChecksumCRC32=crc32(b"x"))
        for number in (0, 10_001):
            with pytest.raises(Invalid) as caught:
                await part(ask, upload, number, b"x")
            assert caught.value.code == "InvalidArgument"

    scene(scenario)


def test_parts_and_uploads_are_listed_in_pages() -> None:
    async def scenario(ask: Asking) -> None:
        upload = await begin(ask, ChecksumAlgorithm="CRC32")
        for number in (3, 1, 2):
            await part(ask, upload, number, b"x", ChecksumCRC32=crc32(b"x"))
        first = await ask("ListParts", **M, UploadId=upload, MaxParts=2)
        assert ([one["PartNumber"] for one in first["Parts"]], first["IsTruncated"]) == ([1, 2], True)
        assert first["Parts"][0]["ChecksumCRC32"] == crc32(b"x")
        rest = await ask("ListParts", **M, UploadId=upload, PartNumberMarker=first["NextPartNumberMarker"])
        assert ([one["PartNumber"] for one in rest["Parts"]], rest["IsTruncated"]) == ([3], False)
        for key in ("m", "p/1", "p/2", "z"):
            await ask("CreateMultipartUpload", Bucket="bkt", Key=key)
        found: list[str] = []
        markers: dict[str, str] = {}
        while True:
            page = await ask("ListMultipartUploads", Bucket="bkt", MaxUploads=1, Delimiter="/", **markers)
            found += [one["Key"] for one in page["Uploads"]] + [one["Prefix"] for one in page["CommonPrefixes"]]
            if not page["IsTruncated"]:
                break
            markers = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
        assert found == ["m", "m", "p/", "z"]
        whole = await ask("ListMultipartUploads", Bucket="bkt", KeyMarker="m")
        assert [one["Key"] for one in whole["Uploads"]] == ["p/1", "p/2", "z"]

    scene(scenario)


def test_parts_may_be_copied_from_objects() -> None:
    async def scenario(ask: Asking) -> None:
        await ask("PutObject", Bucket="bkt", Key="src", Body=b"0123456789")
        upload = await begin(ask)
        source = {"CopySource": "bkt/src", "UploadId": upload, "PartNumber": 1}
        result = (await ask("UploadPartCopy", **M, **source, CopySourceRange="bytes=2-4"))["CopyPartResult"]
        await complete(ask, upload, {"PartNumber": 1, "ETag": result["ETag"]})
        assert await ask.body(**M) == b"234"
        for text in ("bytes=5-", "bytes=-3", "bytes=0-10", "0-3", "bytes=4-2"):
            with pytest.raises(Invalid) as caught:
                await ask("UploadPartCopy", **M, **{**source, "UploadId": await begin(ask)}, CopySourceRange=text)
            assert caught.value.code == "InvalidArgument"

    scene(scenario)


def test_a_conditional_completion_and_an_abort() -> None:
    async def scenario(ask: Asking) -> None:
        await ask("PutObject", **M, Body=b"there")
        upload = await begin(ask)
        one = await part(ask, upload, 1, b"x")
        with pytest.raises(Conflict) as caught:
            await complete(ask, upload, one, IfNoneMatch="*")
        assert caught.value.code == "PreconditionFailed"
        assert await ask("AbortMultipartUpload", **M, UploadId=upload) == {}
        for operation in ("AbortMultipartUpload", "ListParts"):
            with pytest.raises(NotFound) as missing:
                await ask(operation, **M, UploadId=upload)
            assert error_of(missing) == ("NoSuchUpload", {"UploadId": upload})
        assert await ask.body(**M) == b"there"

    scene(scenario)
