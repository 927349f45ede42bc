"""Immutable files: how they are named, written once, linked, and removed when nobody needs them.

A file is written under its final name: the index row is what makes it an object, so a rename would add nothing. Names
are never used twice: the number of the opened store, then a counter. So whatever the index does not name after a
crash belongs to a store that was not closed in order, and only the files of such stores are looked through.

A blob is complete before its row is committed. With durability "process" the bytes rest in the page cache then and
survive the death of this process; with "power" they and their directories are synced first.
"""

import errno
import itertools
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sagehouse.kit.errors import Conflict, Invalid, Unavailable
from sagehouse.storage.objects.checksums import Digests
from sagehouse.storage.objects.space import punch_hole

Durability = Literal["process", "power"]

MODE = 0o644
"""Jobs of any user read the files through hard links."""
COUNTER_BITS = 40
DIRECTORY_BITS = 12
"""4,096 files a directory."""
COPY_BYTES = 1024 * 1024
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})
"""Other file system, links forbidden, too many links (65,000 on ext4), no links at all."""

NO_KERNEL_COPY = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


class Blobs:
    """The directory of all blobs. Its methods block; they are called on pool threads."""

    def __init__(self, directory: Path, *, session: int, durability: Durability) -> None:
        self.directory = directory
        self.is_power_safe = durability == "power"
        self._session = session
        self._counter = itertools.count()
        self._made: set[Path] = set()

    def allocate(self) -> int:
        """Return a number no blob has had or will have."""
        return self._session << COUNTER_BITS | next(self._counter)

    def path(self, blob: int) -> Path:
        counter = blob & ((1 << COUNTER_BITS) - 1)
        return self.directory / f"{blob >> COUNTER_BITS:06x}/{counter >> DIRECTORY_BITS:07x}/{blob:016x}"

    def place(self, blob: int) -> Path:
        """Return the path of a new blob, its directory made."""
        path = self.path(blob)
        if path.parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            if self.is_power_safe:
                sync_directory(self.directory)
                sync_directory(path.parent.parent)
            self._made.add(path.parent)
        return path

    def create(self, blob: int) -> int:
        """Return a descriptor of the blob's file, made if need be, open for writing."""
        descriptor = os.open(self.place(blob), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, MODE)
        os.fchmod(descriptor, MODE)
        return descriptor

    def adopt(self, source: Path, blob: int, *, may_link: bool) -> None:
        """Make the file `source` a blob as well, by hard link where that is possible and asked, else by copying."""
        with disk_errors(self.directory):
            path = self.place(blob)
            if not (may_link and link(source, path)):
                shutil.copyfile(source, path)
            path.chmod(MODE)
            if self.is_power_safe:
                sync_file(path)

    def remove(self, blob: int) -> None:
        self.path(blob).unlink(missing_ok=True)

    def session_files(self, session: int) -> Iterator[tuple[int, Path]]:
        """Yield number and path of every blob an opened store has written."""
        for parent in sorted((self.directory / f"{session:06x}").glob("*")):
            for path in parent.iterdir():
                yield int(path.name, 16), path


class Draft:
    """A blob, or a slot of one, while one request writes it.

    Its lock is what makes it safe to give up: after `revoke` not one byte more is written, whatever a pool thread is
    about to do. `write` and `digest` may run on two threads at once, each by itself in order.
    """

    def __init__(self, blobs: Blobs, blob: int, digests: Digests, *, start: int = 0, limit: int | None = None) -> None:
        self.blob = blob
        self.start = start
        self.size = 0
        self.digests = digests
        self._blobs = blobs
        self._limit = limit
        self._descriptor: int | None = None
        self._is_revoked = False
        self._lock = threading.Lock()

    def write(self, chunks: list[bytes]) -> None:
        length = sum(map(len, chunks))
        if self._limit is not None and self.size + length > self._limit:
            raise Invalid(f"The request body is longer than the {self._limit} bytes announced.", code="IncompleteBody")
        with self._lock, disk_errors(self._blobs.directory):
            write_all(self._open(), chunks, self.start + self.size)
            self.size += length

    def digest(self, chunks: list[bytes]) -> None:
        self.digests.update(chunks)

    def finish(self) -> None:
        """Let the file rest as it is, on the disk itself if so configured."""
        with self._lock, disk_errors(self._blobs.directory):
            descriptor = self._open()
            if self._blobs.is_power_safe:
                os.fsync(descriptor)
                sync_directory(self._blobs.path(self.blob).parent)
            self._close()

    def whole(self, chunks: list[bytes]) -> None:
        """Write, digest and finish a body that came in one piece."""
        self.write(chunks)
        self.digest(chunks)
        self.finish()

    def revoke(self) -> None:
        """Never write again."""
        with self._lock:
            self._is_revoked = True
            self._close()

    def vacate(self) -> None:
        """Never write again, and give back the room of the slot, unless it was revoked: then it is not ours."""
        if self._is_revoked:
            return
        self.revoke()
        if self._limit:
            punch_hole(self._blobs.path(self.blob), self.start, self._limit)

    def discard(self) -> None:
        """Never write again, and remove the file."""
        self.revoke()
        self._blobs.remove(self.blob)

    def _open(self) -> int:
        if self._is_revoked:
            raise Conflict(
                "The upload was completed, aborted or given up while this request wrote to it.",
                code="OperationAborted",
            )
        if self._descriptor is None:
            self._descriptor = self._blobs.create(self.blob)
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def disk_errors(directory: Path) -> Iterator[None]:
    """Turn the operating system's "no space left" into the error the caller is told."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise no_space(directory) from error
        raise


def no_space(directory: Path) -> Unavailable:
    """Return the error for a disk that is full."""
    return Unavailable(
        f"No space left on device: the disk that holds the object store ({directory}) is full. Nothing was stored; "
        "free some space and try again."
    )


def write_all(descriptor: int, chunks: list[bytes], position: int) -> None:
    """Write every chunk at a position; one system call takes at most 1,024 chunks and may write less than asked."""
    for first in range(0, len(chunks), 1024):
        views = [memoryview(chunk) for chunk in chunks[first : first + 1024] if chunk]
        while views:
            written = os.pwritev(descriptor, views, position)
            position += written
            while views and written >= len(views[0]):
                written -= len(views.pop(0))
            if written:
                views[0] = views[0][written:]


def read_range(path: Path, start: int, length: int) -> Iterator[bytes]:
    """Yield `length` bytes of a file from `start` in pieces."""
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while length:
            piece = file.read(min(COPY_BYTES, length))
            if not piece:
                raise Unavailable(f"The stored file {path} is shorter than the index says; the disk lost a write.")
            length -= len(piece)
            yield piece


def copy_range(source: int, target: int, *, source_start: int, target_start: int, length: int) -> None:
    """Copy bytes between descriptors inside the kernel, sharing blocks where the file system can."""
    while length:
        try:
            moved = os.copy_file_range(source, target, length, source_start, target_start)
        except OSError as error:
            if error.errno not in NO_KERNEL_COPY:
                raise
            moved = os.pwrite(target, os.pread(source, min(COPY_BYTES, length), source_start), target_start)
        if not moved:
            raise Unavailable("A stored part is shorter than the index says; the disk lost a write.")
        source_start, target_start, length = source_start + moved, target_start + moved, length - moved


def link(source: Path, target: Path) -> bool:
    """Give a file a second name; False where the file systems do not allow it."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in NO_LINK:
            return False
        raise
    return True


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_file(path: Path, digests: Digests) -> int:
    """Feed a whole file to digests; return its size."""
    size = path.stat().st_size
    for piece in read_range(path, 0, size):
        digests.update([piece])
    return size
