"""Tar archives, made and unpacked off the event loop."""

from pathlib import Path
from typing import Protocol


class Archives(Protocol):
    async def pack(self, directory: Path, archive: Path) -> int:
        """Write everything below `directory` into a gzipped tar, durable when it returns; return its size in bytes.

        Member names have no leading "./"; owner, group and order are normalised, so equal trees give equal bytes.
        """
        ...

    async def unpack(self, archive: Path, directory: Path) -> None:
        """Unpack a tar (gzipped or not) into an empty directory, all or nothing.

        Invalid, naming the member, for absolute paths, "..", links or devices that lead out of the directory, and for
        a file that is no archive.
        """
        ...

    async def read(self, archive: Path, name: str, *, limit_bytes: int) -> bytes | None:
        """Return one file of a tar (gzipped or not) without unpacking it, the last of that name.

        None if there is none, if it is longer than the limit or no ordinary file, and for what is no whole archive or
        too long to look through.
        """
        ...
