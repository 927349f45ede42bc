"""Packing and unpacking off the event loop; given up within a megabyte when whoever waits for it is cancelled."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sagehouse.storage.archives.packing import LEVEL, pack
from sagehouse.storage.archives.reading import read
from sagehouse.storage.archives.unpacking import unpack

T = TypeVar("T")


class TarArchives:
    """`limit_bytes` bounds what an archive may unpack to: Invalid beyond it. Without it the room on the disk does."""

    def __init__(self, *, level: int = LEVEL, limit_bytes: int | None = None) -> None:
        self.level = level
        self.limit_bytes = limit_bytes

    async def pack(self, directory: Path, archive: Path) -> int:
        """Invalid also for what takes for ever to read: files that are nearly all hole."""
        return await _in_thread(lambda given_up: pack(directory, archive, level=self.level, given_up=given_up))

    async def unpack(self, archive: Path, directory: Path) -> None:
        """Invalid also if the directory holds something already."""
        await _in_thread(lambda given_up: unpack(archive, directory, limit_bytes=self.limit_bytes, given_up=given_up))

    async def read(self, archive: Path, name: str, *, limit_bytes: int) -> bytes | None:
        return await _in_thread(lambda given_up: read(archive, name, limit_bytes=limit_bytes, given_up=given_up))


async def _in_thread(work: Callable[[threading.Event], T]) -> T:
    """Run blocking work that looks at the event it is handed, which is set when nobody waits any more."""
    given_up = threading.Event()
    try:
        return await asyncio.to_thread(work, given_up)
    finally:
        given_up.set()
