"""Run as a program in a mount namespace whose argv[1] is a file system of a few MiB: fills it through the store."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from tests.fakes.objects import Chunks

from sagehouse.kit.errors import Unavailable
from sagehouse.ports.objects import ObjectInfo
from sagehouse.storage.objects import ObjectStore

MIB = 1024 * 1024


def info(key: str) -> ObjectInfo:
    return ObjectInfo(bucket="b", key=key, size=0, etag="", modified_at=0.0)


async def refused(awaitable: object) -> bool:
    try:
        await awaitable  # type: ignore[misc]
    except Unavailable as error:
        return "No space left on device" in error.message
    return False


async def main() -> None:
    root = Path(sys.argv[1])
    store = ObjectStore(root / "s")
    await store.create_bucket("b", account="1", region="us-east-1", now=1.0)
    await store.write("b", "small", b"before", content_type="", now=1.0)
    assert await refused(store.put("b", "big", Chunks(*[b"x" * MIB] * 32), info=info("big"), now=1.0))
    assert await refused(store.put("b", "small", Chunks(*[b"x" * MIB] * 32), info=info("small"), now=1.0))
    upload = await store.uploads.create_upload(info("m"), now=1.0, algorithm=None, checksum_type=None)
    body = Chunks(*[b"x" * MIB] * 32)
    assert await refused(store.uploads.put_part("b", "m", upload, 1, body, now=1.0, size=32 * MIB))
    assert os.statvfs(root).f_bavail > os.statvfs(root).f_blocks // 2, "a refused body keeps its room"
    await store.uploads.abort_upload("b", "m", upload)
    filler = (root / "filler").open("wb", buffering=0)
    with contextlib.suppress(OSError):
        while True:
            filler.write(b"x" * 4096)
    assert await refused(store.write("b", "later", b"x" * 100_000, content_type="", now=1.0))
    assert await store.read("b", "small") == b"before"
    await store.delete("b", ["small"])
    filler.close()
    (root / "filler").unlink()
    await store.write("b", "later", b"after", content_type="", now=1.0)
    assert [one.key for one in (await store.list("b")).objects] == ["later"]
    store.close()
    again = ObjectStore(root / "s")
    assert await again.read("b", "later") == b"after"
    again.close()
    print("whole")


if __name__ == "__main__":
    asyncio.run(main())
