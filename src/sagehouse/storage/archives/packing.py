"""A directory made a gzipped tar: equal trees give equal bytes, and the archive is whole or absent."""

import gzip
import os
import stat
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sagehouse.kit.errors import Invalid
from sagehouse.storage.archives.giving_up import look
from sagehouse.storage.holes import LIMIT_BYTES, hole_bytes

LEVEL = 1
"""gzip level. Against 6, on JSON, trees and machine code: a quarter of the time for 4 to 14 % more bytes (measured)."""


def pack(directory: Path, archive: Path, *, level: int, given_up: threading.Event) -> int:
    """Write the archive, durable when it returns; return its size."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=archive.parent, prefix=f".{archive.name}.")
    try:
        with os.fdopen(descriptor, "wb") as raw:
            with (
                gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=level, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
            ):
                Packing(tar, directory, given_up).run()
            raw.flush()
            os.fsync(raw.fileno())
            size = raw.tell()
        Path(temporary).chmod(0o644)
        Path(temporary).rename(archive)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_directory(archive.parent)
    return size


class Packing:
    """One directory on its way into an archive."""

    def __init__(self, tar: tarfile.TarFile, directory: Path, given_up: threading.Event) -> None:
        self.tar = tar
        self.directory = directory
        self.given_up = given_up
        self.holes_bytes = 0

    def run(self) -> None:
        for entry in sorted_tree(self.directory):
            look(self.given_up)
            self._add(entry)

    def _add(self, entry: "os.DirEntry[str]") -> None:
        """Add one member without owner or time; sockets, pipes and devices that a job left are passed over."""
        info = tarfile.TarInfo(Path(entry.path).relative_to(self.directory).as_posix())
        if entry.is_symlink():
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, str(Path(entry.path).readlink()), 0o777
            self.tar.addfile(info)
        elif entry.is_dir():
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            self.tar.addfile(info)
        elif entry.is_file():
            with Path(entry.path).open("rb") as file:
                self._file(info, file)

    def _file(self, info: tarfile.TarInfo, file: BinaryIO) -> None:
        found = os.fstat(file.fileno())
        self.holes_bytes += hole_bytes(file.name, found)
        if self.holes_bytes > LIMIT_BYTES:
            raise Invalid(
                f"{info.name!r} is a sparse file of {found.st_size} bytes, most of which were never written. At most "
                f"{LIMIT_BYTES} such bytes may be in an archive; write the file out, or compress it."
            )
        info.size, info.mode = found.st_size, 0o755 if found.st_mode & stat.S_IXUSR else 0o644
        self.tar.addfile(info, Source(file, self.given_up))  # type: ignore[arg-type]  # it only ever reads


class Source:
    """A file to read from until it is given up."""

    def __init__(self, file: BinaryIO, given_up: threading.Event) -> None:
        self._file = file
        self._given_up = given_up

    def read(self, size: int) -> bytes:
        look(self._given_up)
        return self._file.read(size)


def sorted_tree(directory: Path) -> Iterator["os.DirEntry[str]"]:
    """Yield everything below a directory, parents first, in the order of names, however deep it is."""
    waiting = [_sorted(directory)]
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
            continue
        yield entry
        if entry.is_dir(follow_symlinks=False):
            waiting.append(_sorted(entry.path))


def _sorted(directory: str | Path) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(str(directory)) as entries:
        return iter(sorted(entries, key=lambda entry: entry.name))


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
