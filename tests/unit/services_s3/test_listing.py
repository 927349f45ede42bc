"""Lists of objects, as the SDKs page through them."""

from typing import Any

import pytest
from tests.unit.services_s3.asking import ACCOUNT, Asking, error_of, scene

from sagehouse.kit.errors import Invalid
from sagehouse.services.s3.names import owner


async def filled(ask: Asking, *keys: str) -> None:
    for key in keys:
        await ask("PutObject", Bucket="bkt", Key=key, Body=b"x")


def names(answer: dict[str, Any], member: str = "Contents") -> list[str]:
    return [one["Key"] for one in answer[member]] + [one["Prefix"] for one in answer["CommonPrefixes"]]


def test_version_two_answers_all_its_members() -> None:
    async def scenario(ask: Asking) -> None:
        await filled(ask, "a", "p/b")
        assert await ask("ListObjectsV2", Bucket="bkt", Delimiter="/", StartAfter="A", FetchOwner=True) == {
            "Name": "bkt",
            "Prefix": "",
            "Delimiter": "/",
            "StartAfter": "A",
            "MaxKeys": 1000,
            "KeyCount": 2,
            "IsTruncated": False,
            "Contents": [
                {
                    "Key": "a",
                    "LastModified": 1001.0,
                    "ETag": '"9dd4e461268c8034f5c8564e155c67a6"',
                    "Size": 1,
                    "StorageClass": "STANDARD",
                    "ChecksumAlgorithm": ["CRC64NVME"],
                    "ChecksumType": "FULL_OBJECT",
                    "Owner": owner(ACCOUNT),
                }
            ],
            "CommonPrefixes": [{"Prefix": "p/"}],
        }

    scene(scenario)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("delimiter", [{}, {"Delimiter": "/"}])
def test_pages_of_both_versions_and_of_versions_equal_the_list(size: int, delimiter: dict[str, str]) -> None:
    async def scenario(ask: Asking) -> None:
        await filled(ask, "a", "b/1", "b/2", "c", "d/1", "ü")
        whole = names(await ask("ListObjectsV2", Bucket="bkt", **delimiter))
        for operation, member, advance in (
            ("ListObjectsV2", "Contents", lambda a: {"ContinuationToken": a["NextContinuationToken"]}),
            ("ListObjects", "Contents", lambda a: {"Marker": a.get("NextMarker") or a["Contents"][-1]["Key"]}),
            (
                "ListObjectVersions",
                "Versions",
                lambda a: {"KeyMarker": a["NextKeyMarker"], "VersionIdMarker": a["NextVersionIdMarker"]},
            ),
        ):
            found: list[str] = []
            more: dict[str, Any] = {}
            while True:
                answer = await ask(operation, Bucket="bkt", MaxKeys=size, **delimiter, **more)
                found += names(answer, member)
                if not answer["IsTruncated"]:
                    break
                more = advance(answer)
            assert sorted(found) == sorted(whole)

    scene(scenario)


def test_names_are_encoded_when_asked() -> None:
    async def scenario(ask: Asking) -> None:
        await filled(ask, "a b+%/ü", "a b+%/\x01/x")
        answer = await ask(
            "ListObjects", Bucket="bkt", Prefix="a b", Marker="a ", EncodingType="url", Delimiter="\x01/"
        )
        assert names(answer) == ["a%20b%2B%25/%C3%BC", "a%20b%2B%25/%01/"]
        assert (answer["Prefix"], answer["Marker"], answer["Delimiter"]) == ("a%20b", "a%20", "%01/")
        assert answer["Contents"][0]["Owner"] == owner(ACCOUNT)

    scene(scenario)


def test_limits_of_a_page() -> None:
    async def scenario(ask: Asking) -> None:
        await filled(ask, "a", "b")
        none = await ask("ListObjectsV2", Bucket="bkt", MaxKeys=0)
        assert (none["KeyCount"], none["IsTruncated"], none["MaxKeys"]) == (0, False, 0)
        assert (await ask("ListObjectsV2", Bucket="bkt", MaxKeys=5000))["MaxKeys"] == 1000
        for members in ({"MaxKeys": -1}, {"ContinuationToken": "nonsense"}, {"ContinuationToken": ""}):
            with pytest.raises(Invalid) as caught:
                await ask("ListObjectsV2", Bucket="bkt", **members)
            assert error_of(caught)[0] == "InvalidArgument"

    scene(scenario)
