"""What every object store promises: the contract of `ports.objects`, inherited by the store and by the fake."""

import asyncio
import base64
import hashlib
import os
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from tests.contract.objects_machine import ObjectsMachine
from tests.fakes.objects import Chunks

from sagehouse.kit.errors import Conflict, Invalid, NotFound, SagehouseError
from sagehouse.ports.objects import ObjectInfo, Objects, Uploads

MIB = 1024 * 1024
PART = b"p" * (5 * MIB)


class Store(Objects, Uploads, Protocol):
    """Both halves."""


class Both:
    """A store and its uploads as one, to speak to either in a line; the store's own attributes win."""

    def __init__(self, objects: Any, uploads: Any) -> None:
        self._objects, self._uploads = objects, uploads

    def __getattr__(self, name: str) -> Any:
        half = self._uploads if name in {*Uploads.__dict__} and not name.startswith("_") else self._objects
        return getattr(half, name)


def info(key: str = "k", bucket: str = "b", **members: Any) -> ObjectInfo:
    return ObjectInfo(bucket=bucket, key=key, size=0, etag="", modified_at=0.0, **members)


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


async def put(store: Store, key: str, data: bytes = b"x", **members: Any) -> ObjectInfo:
    conditions = {name: members.pop(name) for name in ("if_match", "if_none_match", "expect") if name in members}
    return await store.put(
        "b", key, Chunks(data), info=info(key, **members), now=1.0, algorithms=["CRC32"], **conditions
    )


async def keys_of(store: Store, **arguments: Any) -> list[str]:
    listing = await store.list("b", **arguments)
    return sorted([one.key for one in listing.objects] + list(listing.prefixes), key=str.encode)


def code_of(caught: pytest.ExceptionInfo[SagehouseError]) -> str | None:
    return caught.value.code


class ObjectsContract:
    """Inherit, and say how a store is opened."""

    def opened(self) -> AbstractContextManager[Store]:
        raise NotImplementedError

    def run(self, scenario: Callable[[Store], Any]) -> None:
        async def scene() -> None:
            with self.opened() as store:
                await store.create_bucket("b", account="1", region="us-east-1", now=1.0)
                await scenario(store)

        asyncio.run(scene())

    # Buckets

    def test_a_bucket_is_global_and_belongs_to_its_account(self) -> None:
        async def scenario(store: Store) -> None:
            with pytest.raises(Conflict) as caught:
                await store.create_bucket("b", account="1", region="eu-west-1", now=2.0)
            assert code_of(caught) == "BucketAlreadyOwnedByYou"
            with pytest.raises(Conflict) as caught:
                await store.create_bucket("b", account="2", region="eu-west-1", now=2.0)
            assert code_of(caught) == "BucketAlreadyExists"
            assert [one.name for one in await store.buckets("1")] == ["b"]
            assert await store.buckets("2") == []

        self.run(scenario)

    def test_a_missing_bucket_is_named_by_every_call(self, tmp_path: Path) -> None:
        async def scenario(store: Store) -> None:
            for call in (
                store.bucket("nope"),
                store.head("nope", "k"),
                store.list("nope"),
                store.delete("nope", ["k"]),
                store.write("nope", "k", b"", content_type="", now=0.0),
                store.materialize("nope", "", tmp_path),
                store.create_upload(info(bucket="nope"), now=0.0, algorithm=None, checksum_type=None),
                store.uploads("nope"),
            ):
                with pytest.raises(NotFound) as caught:
                    await call
                assert (code_of(caught), caught.value.details) == ("NoSuchBucket", {"BucketName": "nope"})

        self.run(scenario)

    def test_configuration_is_changed_one_by_one_and_tags_as_a_whole(self) -> None:
        async def scenario(store: Store) -> None:
            await store.configure_bucket("b", changes={"cors": "1", "policy": "2"}, tags={"a": "b"})
            await store.configure_bucket("b", changes={"cors": None, "x": "3"})
            bucket = await store.bucket("b")
            assert (dict(bucket.configuration), dict(bucket.tags)) == ({"policy": "2", "x": "3"}, {"a": "b"})

        self.run(scenario)

    def test_only_an_empty_bucket_is_deleted(self) -> None:
        async def scenario(store: Store) -> None:
            await put(store, "k")
            with pytest.raises(Conflict) as caught:
                await store.delete_bucket("b")
            assert code_of(caught) == "BucketNotEmpty"
            await store.delete("b", ["k"])
            await store.delete_bucket("b")
            with pytest.raises(NotFound):
                await store.bucket("b")

        self.run(scenario)

    # Objects

    def test_an_object_keeps_bytes_metadata_tags_and_digests(self) -> None:
        async def scenario(store: Store) -> None:
            data = os.urandom(3 * MIB + 7)
            chunks = Chunks(*(data[i : i + 70_000] for i in range(0, len(data), 70_000)))
            given = info(headers={"content-type": "a/b"}, metadata={"ä": "1"}, tags={"t": "2"})
            stored = await store.put("b", "k", chunks, info=given, now=5.5, algorithms=["CRC32", "SHA256"])
            assert stored == ObjectInfo(
                bucket="b",
                key="k",
                size=len(data),
                etag=hashlib.md5(data).hexdigest(),
                modified_at=5.5,
                headers={"content-type": "a/b"},
                metadata={"ä": "1"},
                tags={"t": "2"},
                checksums={
                    "CRC32": crc32(data),
                    "SHA256": base64.b64encode(hashlib.sha256(data).digest()).decode(),
                    "TYPE": "FULL_OBJECT",
                },
            )
            found, path = await store.open("b", "k")
            assert (found, path.read_bytes()) == (stored, data)
            assert await store.head("b", "k") == stored
            assert await store.read("b", "k") == data
            with pytest.raises(Invalid):
                await store.read("b", "k", limit_bytes=10)

        self.run(scenario)

    def test_an_empty_body_is_an_object(self) -> None:
        async def scenario(store: Store) -> None:
            await store.put("b", "k", Chunks(), info=info(), now=1.0)
            assert await store.read("b", "k") == b""

        self.run(scenario)

    @pytest.mark.parametrize(
        "key", ["a", "a/", "a/b", "a//b", "..", "../x", "/x", ".", "ü☃𝄞", "+ %2B%", "\x01\n", "k" * 1024, "a\0b", "'\""]
    )
    def test_any_key_is_legal(self, key: str) -> None:
        async def scenario(store: Store) -> None:
            for other in ("a", "a/b"):
                await put(store, other, b"other")
            await put(store, key, b"mine")
            assert await store.read("b", key) == b"mine"
            assert key in await keys_of(store)
            assert key in await keys_of(store, prefix=key)

        self.run(scenario)

    def test_an_open_file_outlives_overwriting_and_deleting(self) -> None:
        async def scenario(store: Store) -> None:
            await put(store, "k", b"first")
            _, path = await store.open("b", "k")
            await put(store, "k", b"second")
            await store.delete("b", ["k"])
            assert path.read_bytes() == b"first"
            with pytest.raises(NotFound) as caught:
                await store.open("b", "k")
            assert (code_of(caught), caught.value.details) == ("NoSuchKey", {"Key": "k"})

        self.run(scenario)

    def test_bytes_that_are_not_what_was_said_are_not_stored(self) -> None:
        async def scenario(store: Store) -> None:
            for expect, code in (
                ({"CRC32": crc32(b"other")}, "BadDigest"),
                ({"MD5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}, "BadDigest"),
                ({"SIZE": "3"}, "IncompleteBody"),
            ):
                with pytest.raises(Invalid) as caught:
                    await put(store, "k", b"data", expect=expect)
                assert code_of(caught) == code
            assert await keys_of(store) == []
            await put(store, "k", b"data", expect={"CRC32": crc32(b"data"), "SIZE": "4"})

        self.run(scenario)

    def test_a_body_that_breaks_off_stores_nothing(self) -> None:
        class Broken:
            async def __aiter__(self) -> Any:
                yield b"x" * MIB
                yield b"x" * MIB
                yield b"x" * MIB
                raise ConnectionResetError

        async def scenario(store: Store) -> None:
            await put(store, "k", b"before")
            with pytest.raises(ConnectionResetError):
                await store.put("b", "k", Broken(), info=info(), now=1.0)
            assert await store.read("b", "k") == b"before"

        self.run(scenario)

    def test_writes_may_ask_for_what_is_there_before(self) -> None:
        async def scenario(store: Store) -> None:
            with pytest.raises(NotFound) as missing:
                await put(store, "k", if_match="abc")
            assert code_of(missing) == "NoSuchKey"
            first = await put(store, "k", b"1", if_none_match=True)
            for condition in ({"if_none_match": True}, {"if_match": '"nope"'}):
                with pytest.raises(Conflict) as caught:
                    await put(store, "k", b"2", **condition)
                assert code_of(caught) == "PreconditionFailed"
            await put(store, "k", b"3", if_match=f'"{first.etag}"')
            await put(store, "k", b"4", if_match="*")
            with pytest.raises(Conflict):
                await store.delete("b", ["k"], if_match=first.etag)
            assert await store.read("b", "k") == b"4"

        self.run(scenario)

    def test_of_many_writers_who_ask_for_absence_one_wins(self) -> None:
        async def scenario(store: Store) -> None:
            async def one(number: int) -> int | None:
                try:
                    await put(store, "k", str(number).encode(), if_none_match=True)
                except Conflict:
                    return None
                return number

            winners = [n for n in await asyncio.gather(*(one(n) for n in range(20))) if n is not None]
            assert [str(n).encode() for n in winners] == [await store.read("b", "k")]

        self.run(scenario)

    def test_annotating_changes_all_but_bytes_and_date(self) -> None:
        async def scenario(store: Store) -> None:
            stored = await put(store, "k", b"1", tags={"a": "1"}, headers={"content-type": "x"})
            changed = ObjectInfo(
                bucket="b",
                key="k",
                size=1,
                etag=stored.etag,
                modified_at=stored.modified_at,
                headers=stored.headers,
                tags={"b": "2"},
                checksums=stored.checksums,
            )
            assert await store.annotate(changed) == changed == await store.head("b", "k")
            await put(store, "k", b"2")
            with pytest.raises(Conflict):
                await store.annotate(changed)

        self.run(scenario)

    def test_a_copy_has_the_bytes_and_outlives_the_source(self) -> None:
        async def scenario(store: Store) -> None:
            source = await put(store, "k", b"data", metadata={"a": "1"})
            copied = await store.copy(source, info=info("copy", metadata={"b": "2"}), now=9.0)
            await store.delete("b", ["k"])
            assert await store.read("b", "copy") == b"data"
            assert (copied.etag, copied.modified_at, dict(copied.metadata), copied.checksums) == (
                source.etag,
                9.0,
                {"b": "2"},
                source.checksums,
            )
            again = await store.copy(copied, info=info("copy"), now=10.0, algorithms=["SHA1"])
            digest = base64.b64encode(hashlib.sha1(b"data").digest()).decode()
            assert again.checksums == {"SHA1": digest, "TYPE": "FULL_OBJECT"}
            with pytest.raises(NotFound):
                await store.copy(source, info=info("x"), now=1.0)
            with pytest.raises(Conflict):
                await store.copy(copied, info=info("copy"), now=1.0, if_none_match=True)

        self.run(scenario)

    def test_deleting_what_is_absent_is_no_error(self) -> None:
        async def scenario(store: Store) -> None:
            await put(store, "a")
            await store.delete("b", ["a", "nope", "a"])
            assert await keys_of(store) == []

        self.run(scenario)

    # Listing

    def test_a_listing_is_in_byte_order_and_folds_at_the_delimiter(self) -> None:
        async def scenario(store: Store) -> None:
            keys = ["a", "a/b", "a/c/d", "b//x", "b/", "Z", "ä", "～", "𝄞", "c-d-e"]
            for key in keys:
                await put(store, key)
            whole = await store.list("b")
            assert [one.key for one in whole.objects] == sorted(keys, key=str.encode)
            folded = await store.list("b", delimiter="/")
            assert [one.key for one in folded.objects] == ["Z", "a", "c-d-e", "ä", "～", "𝄞"]
            assert folded.prefixes == ["a/", "b/"]
            deeper = await store.list("b", delimiter="/", prefix="b/")
            assert ([one.key for one in deeper.objects], deeper.prefixes) == (["b/"], ["b//"])
            assert (await store.list("b", delimiter="-d", prefix="c")).prefixes == ["c-d"]
            assert (await store.list("b", prefix="nope")).last is None
            empty = await store.list("b", limit=0)
            assert (empty.is_truncated, empty.objects, empty.prefixes) == (False, [], [])

        self.run(scenario)

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    @pytest.mark.parametrize("delimiter", ["", "/", "b"])
    def test_a_list_paged_at_any_size_equals_the_list(self, limit: int, delimiter: str) -> None:
        async def scenario(store: Store) -> None:
            for key in ["a/1", "a/2", "ab", "abb/c", "b", "b/1", "c", "c/", "c/b/d", "d/e/f"]:
                await put(store, key)
            whole = await keys_of(store, delimiter=delimiter)
            paged: list[str] = []
            after = ""
            while True:
                page = await store.list("b", delimiter=delimiter, after=after, limit=limit)
                names = sorted([one.key for one in page.objects] + list(page.prefixes))
                assert len(names) <= limit
                paged += names
                if not page.is_truncated:
                    break
                assert page.last == names[-1]
                after = page.last
            assert paged == whole

        self.run(scenario)

    def test_a_listing_after_a_key_inside_a_folded_prefix_goes_on_behind_the_prefix(self) -> None:
        async def scenario(store: Store) -> None:
            for key in ("a/1", "a/3", "b"):
                await put(store, key)
            assert await keys_of(store, delimiter="/", after="a/2") == ["b"]
            assert await keys_of(store, after="a/2") == ["a/3", "b"]

        self.run(scenario)

    # Files

    def test_a_prefix_becomes_a_tree_of_files(self, tmp_path: Path) -> None:
        async def scenario(store: Store) -> None:
            for key, data in {"p/a": b"1", "p/d/e": b"22", "p/x//y": b"3", "p/dir/": b"", "q": b"4"}.items():
                await put(store, key, data)
            made = await store.materialize("b", "p", tmp_path / "t")
            found = {
                str(f.relative_to(tmp_path / "t")): f.read_bytes() for f in (tmp_path / "t").rglob("*") if f.is_file()
            }
            assert found == {"a": b"1", "d/e": b"22", "x/y": b"3"}
            assert (tmp_path / "t/dir").is_dir()
            assert (made.files, made.size_bytes) == (3, 4)
            again = await store.materialize("b", "p/", tmp_path / "t")
            assert again == made
            one = await store.materialize("b", "p/d/e", tmp_path / "one")
            assert (one.files, (tmp_path / "one/e").read_bytes()) == (1, b"22")
            some = await store.materialize("b", "p/", tmp_path / "some", keys=["d/e"])
            assert (some.files, [f.name for f in (tmp_path / "some").rglob("*")]) == (1, ["d", "e"])
            with pytest.raises(NotFound) as caught:
                await store.materialize("b", "p/", tmp_path / "none", keys=["nope"])
            assert caught.value.details == {"Key": "p/nope"}
            nothing = await store.materialize("b", "zzz", tmp_path / "empty")
            assert (nothing.files, nothing.size_bytes) == (0, 0)

        self.run(scenario)

    def test_equal_trees_have_equal_digests(self, tmp_path: Path) -> None:
        async def scenario(store: Store) -> None:
            for key in ("p/a", "q/a", "r/b"):
                await put(store, key, b"same")
            digests = [(await store.materialize("b", f"{p}/", tmp_path / p)).digest for p in "pqr"]
            assert digests[0] == digests[1] != digests[2]

        self.run(scenario)

    @pytest.mark.parametrize(
        "keys",
        [
            ["p/../x"],
            ["p/.."],
            ["p/./x"],
            ["p/a", "p/a/b"],
            ["p/a/b", "p/a//b"],
            ["p/" + "n" * 300],
            ["p/a\0b"],
            ["p/f", "p/f/"],
        ],
    )
    def test_keys_that_cannot_be_files_are_refused_and_nothing_is_made(self, tmp_path: Path, keys: list[str]) -> None:
        async def scenario(store: Store) -> None:
            for key in keys:
                await put(store, key, b"" if key.endswith("/") else b"x")
            with pytest.raises(Invalid, match="key"):
                await store.materialize("b", "p", tmp_path / "t")
            assert not (tmp_path / "t").exists()
            assert not (tmp_path / "x").exists()

        self.run(scenario)

    def test_files_are_moved_into_the_store(self, tmp_path: Path) -> None:
        async def scenario(store: Store) -> None:
            out = tmp_path / "out"
            (out / "sub/empty").mkdir(parents=True)
            (out / "a.txt").write_bytes(b"1")
            (out / "sub/b.bin").write_bytes(b"22" * MIB)
            (out / "latest").symlink_to("sub/b.bin")
            assert await store.ingest(out, "b", "o/p", now=3.0) == 3
            assert await keys_of(store) == ["o/p/a.txt", "o/p/latest", "o/p/sub/b.bin"]
            stored = await store.head("b", "o/p/a.txt")
            assert (stored.size, stored.etag, stored.modified_at) == (1, hashlib.md5(b"1").hexdigest(), 3.0)
            assert stored.headers == {"content-type": "binary/octet-stream"}
            assert await store.read("b", "o/p/latest") == b"22" * MIB
            assert [one for one in out.rglob("*") if not one.is_dir()] == []
            assert await store.ingest(out, "b", "o/p/", now=3.0) == 0

        self.run(scenario)

    def test_links_out_of_the_directory_and_devices_are_refused(self, tmp_path: Path) -> None:
        async def scenario(store: Store) -> None:
            secret = tmp_path / "secret"
            secret.write_bytes(b"s")
            for number, make in enumerate(
                (
                    lambda path: path.symlink_to(secret),
                    lambda path: path.symlink_to("../secret"),
                    os.mkfifo,
                )
            ):
                out = tmp_path / f"out{number}"
                out.mkdir()
                (out / "good").write_bytes(b"g")
                make(out / "bad")
                with pytest.raises(Invalid, match="bad"):
                    await store.ingest(out, "b", "o/", now=1.0)
                assert (out / "good").exists()
            assert await keys_of(store) == []

        self.run(scenario)

    def test_clearing_forgets_everything(self) -> None:
        async def scenario(store: Store) -> None:
            await put(store, "k")
            await store.clear()
            assert await store.buckets("1") == []
            await store.create_bucket("b", account="1", region="us-east-1", now=1.0)
            assert await keys_of(store) == []

        self.run(scenario)

    # Uploads

    async def begin(self, store: Store, algorithm: str | None = None, kind: str | None = None) -> str:
        return await store.create_upload(
            info("m", headers={"content-type": "x"}), now=2.0, algorithm=algorithm, checksum_type=kind
        )

    async def part(self, store: Store, upload: str, number: int, data: bytes, **more: Any) -> Any:
        return await store.put_part("b", "m", upload, number, Chunks(data), now=3.0, size=len(data), **more)

    def test_an_upload_can_be_named_on_a_command_line(self) -> None:
        """One in 64 began with "-", and the aws command line took it for an option."""

        async def scenario(store: Store) -> None:
            uploads = [await self.begin(store) for _ in range(300)]
            assert [upload for upload in uploads if not upload[0].isalnum()] == []

        self.run(scenario)

    def test_parts_become_one_object(self) -> None:
        async def scenario(store: Store) -> None:
            upload = await self.begin(store, "CRC32", "FULL_OBJECT")
            pieces = [os.urandom(5 * MIB), os.urandom(5 * MIB), b"end"]
            parts = await asyncio.gather(*(self.part(store, upload, n + 1, d) for n, d in enumerate(pieces)))
            assert [p.number for p in await store.parts("b", "m", upload)] == [1, 2, 3]
            whole = b"".join(pieces)
            stored = await store.complete_upload(
                "b",
                "m",
                upload,
                [(p.number, {"ETAG": p.etag, "CRC32": p.checksums["CRC32"]}) for p in parts],
                now=7.0,
                expect={"CRC32": crc32(whole), "SIZE": str(len(whole))},
            )
            md5s = b"".join(hashlib.md5(piece).digest() for piece in pieces)
            assert (stored.size, stored.etag) == (len(whole), hashlib.md5(md5s).hexdigest() + "-3")
            assert stored.checksums == {"CRC32": crc32(whole), "TYPE": "FULL_OBJECT"}
            assert (list(stored.parts), dict(stored.headers)) == ([5 * MIB, 5 * MIB, 3], {"content-type": "x"})
            _, path = await store.open("b", "m")
            assert path.read_bytes() == whole
            assert await store.uploads("b") == []
            with pytest.raises(NotFound):
                await store.parts("b", "m", upload)

        self.run(scenario)

    def test_the_last_part_may_come_first_parts_may_be_repeated_and_left_out(self) -> None:
        async def scenario(store: Store) -> None:
            upload = await self.begin(store)
            order = [(4, b"end"), (1, b"wrong" + PART), (9, b"unused"), (1, b"1" + PART), (3, PART)]
            kept = {n: await self.part(store, upload, n, data) for n, data in order}
            asked = [(n, {"ETAG": f'"{kept[n].etag}"'}) for n in (1, 3, 4)]
            stored = await store.complete_upload("b", "m", upload, asked, now=7.0)
            assert await store.read("b", "m") == b"1" + PART + PART + b"end"
            assert stored.checksums["TYPE"] == "FULL_OBJECT"
            assert (await store.copy(stored, info=info("c"), now=1.0)).checksums == stored.checksums

        self.run(scenario)

    def test_a_repeated_part_replaces_the_first(self) -> None:
        async def scenario(store: Store) -> None:
            upload = await self.begin(store)
            await self.part(store, upload, 1, b"1" * 5 * MIB)
            first = await self.part(store, upload, 1, b"2" * 5 * MIB)
            second = await self.part(store, upload, 2, b"end")
            asked = [(1, {"ETAG": first.etag}), (2, {"ETAG": second.etag})]
            await store.complete_upload("b", "m", upload, asked, now=7.0)
            assert await store.read("b", "m") == b"2" * 5 * MIB + b"end"

        self.run(scenario)

    def test_composite_checksums_are_those_of_the_parts(self) -> None:
        async def scenario(store: Store) -> None:
            upload = await self.begin(store, "SHA256", "COMPOSITE")
            parts = [await self.part(store, upload, n, data) for n, data in ((1, PART), (2, b"end"))]
            asked = [(p.number, {"ETAG": p.etag, "SHA256": p.checksums["SHA256"]}) for p in parts]
            stored = await store.complete_upload("b", "m", upload, asked, now=7.0)
            digests = hashlib.sha256(PART).digest() + hashlib.sha256(b"end").digest()
            value = base64.b64encode(hashlib.sha256(digests).digest()).decode() + "-2"
            assert stored.checksums == {"SHA256": value, "TYPE": "COMPOSITE"}
            assert list(stored.part_checksums) == [dict(p.checksums) for p in parts]
            copied = await store.copy(stored, info=info("c"), now=8.0)
            whole = PART + b"end"
            assert copied.etag == hashlib.md5(whole).hexdigest()
            assert copied.checksums["SHA256"] == base64.b64encode(hashlib.sha256(whole).digest()).decode()
            assert (await store.head("b", "c")).parts == ()

        self.run(scenario)

    def test_completion_is_refused_as_s3_refuses_it_and_the_upload_stays(self) -> None:
        async def scenario(store: Store) -> None:
            upload = await self.begin(store, "CRC32", "COMPOSITE")
            one = await self.part(store, upload, 1, b"small")
            two = await self.part(store, upload, 2, b"end")
            good = [(p.number, {"ETAG": p.etag, "CRC32": p.checksums["CRC32"]}) for p in (one, two)]
            for asked, code in (
                ([], "MalformedXML"),
                ([good[1], good[0]], "InvalidPartOrder"),
                ([good[0], good[0]], "InvalidPartOrder"),
                ([(3, good[0][1])], "InvalidPart"),
                ([(1, {"ETAG": two.etag, "CRC32": one.checksums["CRC32"]})], "InvalidPart"),
                ([(1, {"ETAG": one.etag, "CRC32": "AAAAAA=="})], "InvalidPart"),
                ([(1, {"ETAG": one.etag})], "InvalidRequest"),
                (good, "EntityTooSmall"),
            ):
                with pytest.raises(Invalid) as caught:
                    await store.complete_upload("b", "m", upload, asked, now=7.0)
                assert code_of(caught) == code
            with pytest.raises(Invalid) as caught:
                await store.complete_upload("b", "m", upload, good[:1], now=7.0, expect={"CRC32": "AAAAAA=="})
            assert code_of(caught) == "BadDigest"
            with pytest.raises(Invalid):
                await store.complete_upload("b", "m", upload, good[:1], now=7.0, expect={"SIZE": "99"})
            await put(store, "m", b"there")
            with pytest.raises(Conflict):
                await store.complete_upload("b", "m", upload, good[:1], now=7.0, if_none_match=True)
            assert await store.read("b", "m") == b"there"
            await store.complete_upload("b", "m", upload, good[:1], now=7.0)
            assert await store.read("b", "m") == b"small"

        self.run(scenario)

    def test_completing_again_answers_the_same_until_it_is_overwritten(self) -> None:
        async def scenario(store: Store) -> None:
            upload = await self.begin(store)
            asked = [(1, {"ETAG": (await self.part(store, upload, 1, b"x")).etag})]
            first = await store.complete_upload("b", "m", upload, asked, now=7.0)
            assert await store.complete_upload("b", "m", upload, asked, now=8.0) == first
            await put(store, "m")
            with pytest.raises(NotFound) as caught:
                await store.complete_upload("b", "m", upload, asked, now=9.0)
            assert code_of(caught) == "NoSuchUpload"

        self.run(scenario)

    def test_a_part_may_be_bytes_of_an_object(self) -> None:
        async def scenario(store: Store) -> None:
            data = os.urandom(6 * MIB)
            source = await put(store, "source", data)
            upload = await self.begin(store)
            one = await store.copy_part("b", "m", upload, 1, source, start=0, length=5 * MIB, now=3.0)
            two = await store.copy_part("b", "m", upload, 2, source, start=5 * MIB + 1, length=10, now=3.0)
            assert one.etag == hashlib.md5(data[: 5 * MIB]).hexdigest()
            await store.complete_upload("b", "m", upload, [(1, {"ETAG": one.etag}), (2, {"ETAG": two.etag})], now=7.0)
            assert await store.read("b", "m") == data[: 5 * MIB] + data[5 * MIB + 1 :][:10]

        self.run(scenario)

    def test_an_aborted_upload_is_gone(self) -> None:
        async def scenario(store: Store) -> None:
            upload = await self.begin(store)
            await self.part(store, upload, 1, b"x")
            assert [(u.id, u.info.key, u.info.modified_at) for u in await store.uploads("b")] == [(upload, "m", 2.0)]
            assert await store.uploads("b", prefix="n") == []
            await store.abort_upload("b", "m", upload)
            for call in (
                store.parts("b", "m", upload),
                store.abort_upload("b", "m", upload),
                self.part(store, upload, 2, b"x"),
                store.complete_upload("b", "m", upload, [(1, {"ETAG": "x"})], now=1.0),
                store.upload("b", "m", "never"),
            ):
                with pytest.raises(NotFound) as caught:
                    await call
                assert code_of(caught) == "NoSuchUpload"

        self.run(scenario)

    def test_parts_that_are_not_what_was_said_are_not_kept(self) -> None:
        async def scenario(store: Store) -> None:
            upload = await self.begin(store)
            with pytest.raises(Invalid):
                await self.part(store, upload, 1, b"data", algorithms=["CRC32"], expect={"CRC32": crc32(b"other")})
            assert await store.parts("b", "m", upload) == []
            assert (
                await self.part(store, upload, 1, b"data", algorithms=["CRC32"])
                == (await store.parts("b", "m", upload))[0]
            )

        self.run(scenario)

    # Against a plain dict

    def test_it_behaves_as_a_dict_does(self) -> None:
        class Opened(ObjectsMachine):
            contract = self

        run_state_machine_as_test(
            Opened, settings=settings(max_examples=15, stateful_step_count=25, deadline=None, database=None)
        )
