"""What the embedded store promises beyond the port: links instead of copies, and files that go when they may."""

import asyncio
import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.objects import Chunks

from sagehouse.kit.errors import Conflict, Invalid, Unavailable
from sagehouse.ports.objects import ObjectInfo
from sagehouse.storage.objects import ObjectStore, harvest

MIB = 1024 * 1024


class Now:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


class House:
    """A store below a directory, with its clock."""

    def __init__(self, root: Path) -> None:
        self.root, self.now = root, Now()
        self.store = ObjectStore(root, now=self.now, grace_s=90.0)

    def run(self, scenario: Callable[[ObjectStore], Any]) -> Any:
        async def scene() -> Any:
            with contextlib.suppress(Conflict):
                await self.store.create_bucket("b", account="1", region="us-east-1", now=1.0)
            return await scenario(self.store)

        return asyncio.run(scene())

    def files(self) -> list[Path]:
        return [path for path in (self.root / "blobs").rglob("*") if path.is_file()]

    def collect(self) -> None:
        self.store._cleaner.collect()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "store")
    yield house
    house.store.close()


def info(key: str) -> ObjectInfo:
    return ObjectInfo(bucket="b", key=key, size=0, etag="", modified_at=0.0)


async def put(store: ObjectStore, key: str, data: bytes = b"x") -> ObjectInfo:
    return await store.put("b", key, Chunks(data), info=info(key), now=1.0)


async def upload(store: ObjectStore, *parts: tuple[int, bytes], is_sized: bool = True) -> tuple[str, list[Any]]:
    upload_id = await store.uploads.create_upload(info("m"), now=1.0, algorithm=None, checksum_type=None)
    asked = []
    for number, data in parts:
        size = len(data) if is_sized else None
        part = await store.uploads.put_part("b", "m", upload_id, number, Chunks(data), now=1.0, size=size)
        asked.append((number, {"ETAG": part.etag}))
    return upload_id, sorted(asked, key=lambda one: one[0])


def test_a_materialized_file_is_the_object_itself_readable_by_all(house: House, tmp_path: Path) -> None:
    async def scenario(store: ObjectStore) -> None:
        await put(store, "p/a", b"data")
        made = await store.materialize("b", "p/", tmp_path / "t")
        _, path = await store.open("b", "p/a")
        assert made.is_linked
        assert (tmp_path / "t/a").samefile(path)
        assert path.stat().st_mode & 0o777 == 0o644

    house.run(scenario)


def test_on_another_file_system_the_bytes_are_copied_and_that_is_said(house: House, tmp_path: Path) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second file system to write to")

    async def scenario(store: ObjectStore) -> None:
        await put(store, "p/a", b"data")
        with tempfile.TemporaryDirectory(dir=shared) as other:
            made = await store.materialize("b", "p/", Path(other) / "t")
            assert (made.is_linked, (Path(other) / "t/a").read_bytes()) == (False, b"data")
            assert await store.ingest(Path(other) / "t", "b", "back", now=1.0) == 1
            assert await store.read("b", "back/a") == b"data"
            assert list((Path(other) / "t").iterdir()) == []

    house.run(scenario)


def test_an_index_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    """The house ended with a traceback."""
    (tmp_path / "index.sqlite").write_text("no database " * 1000)
    with pytest.raises(Unavailable, match="file is not a database"):
        ObjectStore(tmp_path)


def test_an_ingested_file_is_not_copied(house: House, tmp_path: Path) -> None:
    async def scenario(store: ObjectStore) -> None:
        out = tmp_path / "out"
        out.mkdir()
        (out / "a").write_bytes(b"data")
        (out / "a").chmod(0o600)
        inode = (out / "a").stat().st_ino
        await store.ingest(out, "b", "o", now=1.0)
        _, path = await store.open("b", "o/a")
        assert (path.stat().st_ino, path.stat().st_mode & 0o777, path.stat().st_nlink) == (inode, 0o644, 1)

    house.run(scenario)


def test_a_file_somebody_else_may_still_write_to_is_copied(house: House, tmp_path: Path) -> None:
    async def scenario(store: ObjectStore) -> None:
        out = tmp_path / "out"
        out.mkdir()
        (out / "a").write_bytes(b"data")
        (tmp_path / "other").hardlink_to(out / "a")
        await store.ingest(out, "b", "o", now=1.0)
        (tmp_path / "other").write_bytes(b"changed")
        assert await store.read("b", "o/a") == b"data"

    house.run(scenario)


@pytest.mark.parametrize("flags", [os.O_RDWR, os.O_RDONLY])
def test_a_file_that_is_still_open_is_copied(house: House, tmp_path: Path, flags: int) -> None:
    """A job passed its open output to another job over a socket, which changed the stored object after its end.

    A reader is as dangerous: what it has open it may open again for writing, in /proc.
    """

    async def scenario(store: ObjectStore) -> None:
        out = tmp_path / "out"
        out.mkdir()
        (out / "a").write_bytes(b"data")
        held = os.open(out / "a", flags)
        try:
            await store.ingest(out, "b", "o", now=1.0)
            Path(f"/proc/self/fd/{held}").write_bytes(b"evil")
            assert await store.read("b", "o/a") == b"data"
        finally:
            os.close(held)

    house.run(scenario)


def test_a_file_that_is_nearly_all_hole_is_refused(house: House, tmp_path: Path) -> None:
    async def scenario(store: ObjectStore) -> None:
        out = tmp_path / "out"
        out.mkdir()
        with (out / "sparse").open("wb") as file:
            file.truncate(2 * 1024**3)
        with pytest.raises(Invalid, match=r"'sparse' is a sparse file"):
            await store.ingest(out, "b", "o", now=1.0)
        with (out / "sparse").open("wb") as file:
            file.truncate(MIB)
        assert await store.ingest(out, "b", "o", now=1.0) == 1

    house.run(scenario)


def test_many_files_may_not_hide_together_what_one_may_not(house: House, tmp_path: Path) -> None:
    async def scenario(store: ObjectStore) -> None:
        (tmp_path / "out").mkdir()
        for number in range(3):
            with (tmp_path / "out" / f"sparse{number}").open("wb") as file:
                file.truncate(700 * MIB)
        with pytest.raises(Invalid, match=r"is a sparse file"):
            await store.ingest(tmp_path / "out", "b", "o", now=1.0)

    house.run(scenario)


def test_directories_that_multiply_through_links_are_refused(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty directories, each with two links to the next, have 2**40 paths and not one file to count."""
    monkeypatch.setattr(harvest, "ENTRIES_LIMIT", 1000)

    async def scenario(store: ObjectStore) -> None:
        for number in range(40):
            (tmp_path / "out" / str(number)).mkdir(parents=True)
            for side in ("left", "right"):
                (tmp_path / "out" / str(number) / side).symlink_to(f"../{number + 1}")
        (tmp_path / "out" / "40").mkdir()
        with pytest.raises(Invalid, match="more than 1000 files and directories"):
            await store.ingest(tmp_path / "out", "b", "o", now=1.0)

    house.run(scenario)


def test_directories_that_link_in_a_circle_are_refused_and_others_are_entered(house: House, tmp_path: Path) -> None:
    async def scenario(store: ObjectStore) -> None:
        out = tmp_path / "out"
        (out / "real").mkdir(parents=True)
        (out / "real/f").write_bytes(b"1")
        (out / "latest").symlink_to("real")
        assert await store.ingest(out, "b", "o", now=1.0) == 2
        (out / "real/up").symlink_to("..")
        with pytest.raises(Invalid, match="directory it is in"):
            await store.ingest(out, "b", "o", now=1.0)

    house.run(scenario)


def test_a_copy_shares_the_bytes(house: House) -> None:
    async def scenario(store: ObjectStore) -> None:
        source = await put(store, "a", b"data")
        await store.copy(source, info=info("b"), now=1.0)
        (_, one), (_, other) = await store.open("b", "a"), await store.open("b", "b")
        assert one.samefile(other)
        assert one != other

    house.run(scenario)


@pytest.mark.parametrize("order", [(1, 2, 3), (2, 1, 3), (2, 3, 1)])
def test_parts_of_one_size_become_the_object_where_they_lie(house: House, order: tuple[int, ...]) -> None:
    data = {1: b"1" * 5 * MIB, 2: b"2" * 5 * MIB, 3: b"end"}

    async def scenario(store: ObjectStore) -> None:
        upload_id, asked = await upload(store, *((number, data[number]) for number in order))
        (file,) = house.files()
        inode = file.stat().st_ino
        await store.uploads.complete_upload("b", "m", upload_id, asked, now=2.0)
        _, path = await store.open("b", "m")
        assert (path.stat().st_ino, path.read_bytes()) == (inode, data[1] + data[2] + data[3])

    house.run(scenario)


def test_parts_of_unknown_size_are_put_together_and_their_files_go(house: House) -> None:
    async def scenario(store: ObjectStore) -> None:
        parts = ((1, b"1" * 6 * MIB), (2, b"2" * 5 * MIB), (3, b"end"))
        upload_id, asked = await upload(store, *parts, is_sized=False)
        await store.uploads.complete_upload("b", "m", upload_id, asked, now=2.0)
        assert await store.read("b", "m") == b"".join(data for _, data in parts)
        house.collect()
        assert len(house.files()) == 1

    house.run(scenario)


@pytest.mark.parametrize("late", [1, 2])
def test_a_completed_object_cannot_be_changed_by_a_part_that_is_still_coming(house: House, late: int) -> None:
    """A client that repeats a part after a timeout may complete while the server still reads the first attempt."""

    async def scenario(store: ObjectStore) -> None:
        has_begun, is_completed = asyncio.Event(), asyncio.Event()

        class Slow:
            async def __aiter__(self) -> Any:
                for _ in range(4):
                    yield b"w" * MIB
                has_begun.set()
                await is_completed.wait()
                yield b"w" * MIB

        upload_id = await store.uploads.create_upload(info("m"), now=1.0, algorithm=None, checksum_type=None)
        coming = asyncio.ensure_future(store.uploads.put_part("b", "m", upload_id, late, Slow(), now=1.0, size=5 * MIB))
        await has_begun.wait()
        asked = []
        for number in (1, 2):
            body = Chunks(str(number).encode() * 5 * MIB)
            part = await store.uploads.put_part("b", "m", upload_id, number, body, now=1.0, size=5 * MIB)
            asked.append((number, {"ETAG": part.etag}))
        await store.uploads.complete_upload("b", "m", upload_id, asked, now=2.0)
        is_completed.set()
        with pytest.raises(Conflict):
            await coming
        assert await store.read("b", "m") == b"1" * 5 * MIB + b"2" * 5 * MIB

    house.run(scenario)


def test_a_part_that_fails_leaves_the_acknowledged_one_before_it(house: House) -> None:
    class Broken:
        async def __aiter__(self) -> Any:
            yield b"y" * MIB
            yield b"y" * MIB
            raise ConnectionResetError

    async def scenario(store: ObjectStore) -> None:
        upload_id, asked = await upload(store, (1, b"1" * 5 * MIB), (2, b"end"))
        with pytest.raises(ConnectionResetError):
            await store.uploads.put_part("b", "m", upload_id, 1, Broken(), now=1.0, size=5 * MIB)
        await store.uploads.complete_upload("b", "m", upload_id, asked, now=2.0)
        assert await store.read("b", "m") == b"1" * 5 * MIB + b"end"

    house.run(scenario)


def test_a_part_longer_than_announced_never_touches_its_neighbour(house: House) -> None:
    async def scenario(store: ObjectStore) -> None:
        other, _ = await upload(store, (2, b"2" * 5 * MIB))
        with pytest.raises(Invalid):
            await store.uploads.put_part("b", "m", other, 1, Chunks(b"1" * 6 * MIB), now=1.0, size=5 * MIB)
        part = (await store.uploads.parts("b", "m", other))[0]
        assert part.number == 2
        await store.uploads.complete_upload("b", "m", other, [(2, {"ETAG": part.etag})], now=2.0)
        assert await store.read("b", "m") == b"2" * 5 * MIB

    house.run(scenario)


def test_a_deleted_file_goes_when_its_grace_is_over(house: House) -> None:
    async def scenario(store: ObjectStore) -> None:
        for _ in range(2):
            await put(store, "k")
        await store.delete("b", ["k"])
        house.now.at += 89.0
        house.collect()
        assert len(house.files()) == 2
        house.now.at += 2.0
        house.collect()
        assert house.files() == []

    house.run(scenario)


def test_aborting_and_clearing_give_the_room_back_at_once(house: House) -> None:
    async def scenario(store: ObjectStore) -> None:
        upload_id, _ = await upload(store, (1, b"x"), (2, b"longer"))
        await store.uploads.abort_upload("b", "m", upload_id)
        house.collect()
        assert house.files() == []
        await put(store, "k")
        await upload(store, (1, b"x"))
        await store.clear()
        house.collect()
        assert house.files() == []

    house.run(scenario)


def test_a_refused_put_leaves_no_file(house: House) -> None:
    async def scenario(store: ObjectStore) -> None:
        for expect in ({"SIZE": "2"}, {"MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}):
            with pytest.raises(Invalid):
                await store.put("b", "k", Chunks(b"x"), info=info("k"), now=1.0, expect=expect)
        results = await asyncio.gather(
            *(store.put("b", "k", Chunks(b"x"), info=info("k"), now=1.0, if_none_match=True) for _ in range(8)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, ObjectInfo) for one in results) == 1
        assert len(house.files()) == 1

    house.run(scenario)


def test_a_put_given_up_by_its_client_leaves_no_file(house: House) -> None:
    async def scenario(store: ObjectStore) -> None:
        is_under_way = asyncio.Event()

        class Endless:
            async def __aiter__(self) -> Any:
                for _ in range(8):
                    yield b"x" * MIB
                is_under_way.set()
                await asyncio.Event().wait()

        putting = asyncio.ensure_future(store.put("b", "k", Endless(), info=info("k"), now=1.0))
        await is_under_way.wait()
        assert len(house.files()) == 1
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting

    house.run(scenario)
    assert house.files() == []


def test_lost_bytes_are_said_not_served(house: House) -> None:
    async def scenario(store: ObjectStore) -> None:
        await put(store, "k", b"data")
        _, path = await store.open("b", "k")
        os.truncate(path, 2)
        with pytest.raises(Unavailable, match="damaged"):
            await store.open("b", "k")
        path.unlink()
        with pytest.raises(Unavailable, match="damaged"):
            await store.read("b", "k")

    house.run(scenario)


def test_one_process_at_a_time_has_the_store(house: House) -> None:
    with pytest.raises(Unavailable, match="in use by another process"):
        ObjectStore(house.root)


def test_everything_is_there_after_closing_and_opening(tmp_path: Path) -> None:
    for _ in range(2):
        house = House(tmp_path / "s")

        async def scenario(store: ObjectStore) -> int:
            await put(store, f"k{len((await store.list('b')).objects)}")
            return len((await store.list("b")).objects)

        count = house.run(scenario)
        house.store.close()
    assert count == 2
    connection = sqlite3.connect(tmp_path / "s/index.sqlite")
    assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (0,)
    connection.close()


def test_an_error_in_one_write_does_not_stop_the_writer(house: House) -> None:
    async def scenario(store: ObjectStore) -> None:
        def broken(_: sqlite3.Connection) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await store._index.write(broken)
        with pytest.raises(Unavailable):
            await store._index.write(lambda connection: connection.execute("SELECT nonsense"))
        assert (await put(store, "k")).size == 1

    house.run(scenario)


def test_names_that_are_not_utf8_are_refused(house: House) -> None:
    async def scenario(store: ObjectStore) -> None:
        for call in (
            store.list("b", prefix="\udcff"),
            store.head("\udcff", "k"),
            store.delete("b", ["\udcff"]),
            put(store, "\udcff"),
        ):
            with pytest.raises(Invalid, match="not UTF-8"):
                await call
        assert house.files() == []

    house.run(scenario)
