"""An object is complete or absent after the process is killed, and nothing is left over."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.objects import Chunks

from sagehouse.storage.objects import ObjectStore

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("crash_program.py")
MIB = 1024 * 1024


def start(store: Path, action: str, *more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, PROGRAM, store, action, *more],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=subprocess.PIPE,
        text=True,
    )


def crash(store: Path, action: str, *more: str) -> str:
    with start(store, action, *more) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    return output


def files(store: Path) -> list[Path]:
    return [path for path in (store / "blobs").rglob("*") if path.is_file()]


def reopened(path: Path, scenario: Callable[[ObjectStore], Any]) -> None:
    """Run a scenario on the store opened again and swept."""
    store = ObjectStore(path)
    try:
        store._cleaner.sweep()
        asyncio.run(scenario(store))
    finally:
        store.close()


def test_every_acknowledged_put_is_there_whole_after_a_kill_and_no_file_is_without_an_object(tmp_path: Path) -> None:
    with start(tmp_path / "s", "put_for_ever") as process:
        assert process.stdout
        acknowledged = [process.stdout.readline() for _ in range(60)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.readlines()
    expected = dict(line.split() for line in acknowledged if line.endswith("\n"))
    assert len(expected) >= 60

    async def scenario(store: ObjectStore) -> None:
        listing = await store.list("b", limit=100_000)
        assert expected.keys() <= {one.key for one in listing.objects}
        for one in listing.objects:
            number = one.key[1:]
            assert await store.read("b", one.key) == number.encode() * (1000 * (int(number) % 700))
        assert len(files(tmp_path / "s")) == len(listing.objects)

    reopened(tmp_path / "s", scenario)


@pytest.mark.parametrize("action", ["put_and_die_before_the_commit", "die_in_the_middle_of_a_body"])
def test_what_was_not_acknowledged_is_absent_and_its_file_is_swept(tmp_path: Path, action: str) -> None:
    crash(tmp_path / "s", action)
    assert len(files(tmp_path / "s")) == 1

    async def scenario(store: ObjectStore) -> None:
        assert (await store.list("b")).objects == []
        assert files(tmp_path / "s") == []

    reopened(tmp_path / "s", scenario)


def test_an_upload_goes_on_after_a_kill(tmp_path: Path) -> None:
    upload = crash(tmp_path / "s", "die_in_the_middle_of_an_upload").strip()

    async def scenario(store: ObjectStore) -> None:
        data = b"end"
        await store.uploads.put_part("b", "m", upload, 3, Chunks(data), now=2.0, size=len(data))
        parts = await store.uploads.parts("b", "m", upload)
        asked = [(part.number, {"ETAG": part.etag}) for part in parts]
        await store.uploads.complete_upload("b", "m", upload, asked, now=3.0)
        assert await store.read("b", "m") == b"1" * 5 * MIB + b"2" * 5 * MIB + b"end"
        assert len(files(tmp_path / "s")) == 1

    reopened(tmp_path / "s", scenario)


@pytest.mark.parametrize("action", ["ingest_and_die_before_the_commit", "ingest_and_die_after_the_commit"])
def test_files_on_their_way_into_the_store_are_never_lost(tmp_path: Path, action: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in "ab":
        (out / name).write_text(name * 1000)
    crash(tmp_path / "s", action, str(out))

    async def scenario(store: ObjectStore) -> None:
        await store.ingest(out, "b", "o", now=1.0)
        assert [await store.read("b", f"o/{name}") for name in "ab"] == [b"a" * 1000, b"b" * 1000]
        assert list(out.iterdir()) == []

    reopened(tmp_path / "s", scenario)


def test_a_store_closed_in_order_is_not_swept(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "s")
    store.close()
    stray = tmp_path / "s/blobs/000001/0000000/stray"
    stray.parent.mkdir(parents=True)
    stray.touch()
    again = ObjectStore(tmp_path / "s")
    assert again._cleaner.sweep() == 0
    again.close()
    assert stray.exists()
