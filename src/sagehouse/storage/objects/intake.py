"""From a request body to a file: receiving, hashing and writing overlap, and memory stays flat."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor

from sagehouse.ports.stream import ByteStream
from sagehouse.storage.objects.blobs import Draft

BATCH_BYTES = 512 * 1024
"""One batch fills while one is hashed and written: a body costs 1 MB of memory plus the server's own buffer."""


async def receive(body: ByteStream, draft: Draft, pool: Executor) -> None:
    """Write the whole body to the draft and finish it. On failure the draft is left to the caller to discard."""
    loop = asyncio.get_running_loop()
    batches = _batches(body)
    first: list[bytes] = await anext(batches, [])
    second = await anext(batches, None)
    if second is None:
        await loop.run_in_executor(pool, draft.whole, first)
        return
    working = _work(loop, pool, draft, first)
    following: list[bytes] | None = second
    while following is not None:
        await working
        working = _work(loop, pool, draft, following)
        following = await anext(batches, None)
    await working
    await loop.run_in_executor(pool, draft.finish)


def _work(
    loop: asyncio.AbstractEventLoop, pool: Executor, draft: Draft, batch: list[bytes]
) -> "asyncio.Future[tuple[None, None]]":
    """Write on one thread and hash on another; both let go of the interpreter while they do."""
    working = asyncio.gather(
        loop.run_in_executor(pool, draft.write, batch), loop.run_in_executor(pool, draft.digest, batch)
    )
    working.add_done_callback(_heard)
    return working


def _heard(working: "asyncio.Future[tuple[None, None]]") -> None:
    """Take note of a failure nobody waits for any more, because the body itself broke off first."""
    if not working.cancelled():
        working.exception()


async def _batches(body: ByteStream) -> AsyncIterator[list[bytes]]:
    batch: list[bytes] = []
    length = 0
    async for chunk in body:
        batch.append(chunk)
        length += len(chunk)
        if length >= BATCH_BYTES:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch
