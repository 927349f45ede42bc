"""Run as a program: opens the store named by argv[1], does argv[2], and dies by SIGKILL where that says."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.fakes.objects import Chunks

from sagehouse.ports.objects import ObjectInfo
from sagehouse.storage.objects import ObjectStore
from sagehouse.storage.objects.index import Index

MIB = 1024 * 1024


def die(*_: object, **__: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def info(key: str) -> ObjectInfo:
    return ObjectInfo(bucket="b", key=key, size=0, etag="", modified_at=0.0)


async def put_for_ever(store: ObjectStore) -> None:
    """Put objects of growing size and tell the parent of each that was acknowledged."""
    for number in range(100_000):
        data = str(number).encode() * (1000 * (number % 700))
        await store.put("b", f"k{number}", Chunks(data), info=info(f"k{number}"), now=1.0)
        print(f"k{number} {len(data)}", flush=True)


async def put_and_die_before_the_commit(store: ObjectStore) -> None:
    Index.write = die  # type: ignore[method-assign]
    await store.put("b", "k", Chunks(b"x" * MIB), info=info("k"), now=1.0)


async def die_in_the_middle_of_a_body(store: ObjectStore) -> None:
    class Deadly:
        async def __aiter__(self) -> Any:
            for _ in range(8):
                yield b"x" * MIB
            die()

    await store.put("b", "k", Deadly(), info=info("k"), now=1.0)


async def die_in_the_middle_of_an_upload(store: ObjectStore) -> None:
    upload = await store.uploads.create_upload(info("m"), now=1.0, algorithm=None, checksum_type=None)
    for number in (1, 2):
        data = str(number).encode() * (5 * MIB)
        await store.uploads.put_part("b", "m", upload, number, Chunks(data), now=1.0, size=len(data))
    print(upload, flush=True)
    die()


async def ingest_and_die_before_the_commit(store: ObjectStore) -> None:
    Index.write = die  # type: ignore[method-assign]
    await store.ingest(Path(sys.argv[3]), "b", "o", now=1.0)


async def ingest_and_die_after_the_commit(store: ObjectStore) -> None:
    store_module = sys.modules["sagehouse.storage.objects.store"]
    store_module.release = die  # type: ignore[attr-defined]
    await store.ingest(Path(sys.argv[3]), "b", "o", now=1.0)


async def main() -> None:
    store = ObjectStore(Path(sys.argv[1]))
    await store.create_bucket("b", account="1", region="us-east-1", now=1.0)
    await globals()[sys.argv[2]](store)


if __name__ == "__main__":
    asyncio.run(main())
