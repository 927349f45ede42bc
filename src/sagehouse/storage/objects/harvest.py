"""A directory of files on its way into the store: what is in it, each file made a blob. Blocking; on pool threads."""

import fcntl
import os
import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from errno import EAGAIN
from pathlib import Path

from sagehouse.kit.errors import Invalid
from sagehouse.storage.holes import LIMIT_BYTES, hole_bytes
from sagehouse.storage.objects.blobs import Blobs, digest_file
from sagehouse.storage.objects.checksums import DEFAULT_ALGORITHM, Digests
from sagehouse.storage.objects.names import KEY_LIMIT_BYTES

ENTRIES_LIMIT = 1_000_000
"""More than this is a loop of links, or an output nobody wants as objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One file to take."""

    entry: Path
    """Its place in the directory: a file or a link to one."""
    source: Path
    """Where its bytes are."""
    name: str
    """Relative, "/" between directories."""
    may_link: bool
    """False if somebody else holds the file under another name and may write to it later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A file that has become a blob."""

    found: Found
    blob: int
    size: int
    digests: Digests


def scan(directory: Path) -> list[Found]:
    """Return the files below `directory` by name; Invalid for what cannot be objects."""
    root = directory.resolve()
    found, holes_bytes = [], 0
    for entry, name in _walk(directory, root):
        one, status = _found(entry, name, root)
        found.append(one)
        holes_bytes += hole_bytes(one.source, status)
        if holes_bytes > LIMIT_BYTES:
            raise Invalid(
                f"{name!r} is a sparse file of {status.st_size} bytes, most of which were never written. At most "
                f"{LIMIT_BYTES} such bytes may be in an output; write the file out, or compress it."
            )
    return sorted(found, key=lambda one: one.name)


def _walk(directory: Path, root: Path) -> Iterator[tuple[Path, str]]:
    """Yield every entry that is no directory. Directories are entered through links too, but never in a circle.

    All are counted: two links to a directory with two links, and so on, are more directories than can ever be entered.
    """
    waiting: list[tuple[Path, str, tuple[Path, ...]]] = [(directory, "", (root,))]
    seen = 0
    while waiting:
        parent, above, chain = waiting.pop()
        with os.scandir(parent) as found:
            entries = list(found)
        for entry in entries:
            name = above + entry.name
            _refuse_unnameable(name)
            seen += 1
            if seen > ENTRIES_LIMIT:
                raise Invalid(f"The directory holds more than {ENTRIES_LIMIT} files and directories.")
            path = Path(entry.path)
            if not entry.is_dir(follow_symlinks=True):
                yield path, name
                continue
            real = path.resolve()
            _refuse_outside(real, root, name)
            if real in chain:
                raise Invalid(f"The link {name!r} leads to a directory it is in; remove it.")
            waiting.append((path, f"{name}/", (*chain, real)))


def _found(entry: Path, name: str, root: Path) -> tuple[Found, os.stat_result]:
    real = entry.resolve()
    _refuse_outside(real, root, name)
    try:
        status = real.stat()
    except OSError as error:
        raise Invalid(f"The link {name!r} leads nowhere; remove it.") from error
    if not stat.S_ISREG(status.st_mode):
        raise Invalid(f"{name!r} is no regular file (a device, socket or pipe) and cannot become an object.")
    return Found(entry=entry, source=real, name=name, may_link=status.st_nlink == 1), status


def _refuse_unnameable(name: str) -> None:
    try:
        length = len(name.encode())
    except UnicodeEncodeError as error:
        raise Invalid(f"The file name {name!r} is not UTF-8 and cannot become a key.") from error
    if length > KEY_LIMIT_BYTES:
        raise Invalid(f"The path {name[:60]!r}... has {length} bytes; a key has at most {KEY_LIMIT_BYTES}.")


def _refuse_outside(real: Path, root: Path, name: str) -> None:
    if not real.is_relative_to(root):
        raise Invalid(f"The link {name!r} leads out of the directory, to {str(real)!r}; only files below it are taken.")


def take(blobs: Blobs, found: Found) -> Taken:
    """Make the file a blob and compute its digests; the entry stays where it is."""
    blob = blobs.allocate()
    try:
        blobs.adopt(found.source, blob, may_link=found.may_link and not is_open(found.source))
        digests = Digests((DEFAULT_ALGORITHM,))
        size = digest_file(blobs.path(blob), digests)
    except BaseException:
        blobs.remove(blob)
        raise
    return Taken(found=found, blob=blob, size=size, digests=digests)


def is_open(path: Path) -> bool:
    """Whether a process has the file open: a job may have handed it to one that outlives it and writes to it later.

    A write lease is granted to the only one who has a file open. Source: fcntl(2), F_SETLEASE.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)  # who opens it meanwhile sends it; ignored, unlike SIGIO
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == EAGAIN  # other errors: no leases here, so nobody knows
    finally:
        os.close(descriptor)
    return False


def release(found: list[Found]) -> None:
    """Remove the entries: the store has them now."""
    for one in found:
        one.entry.unlink(missing_ok=True)
