"""Sparse files: bytes that were never written, cost nothing where they are and their whole length to read."""

import os

LIMIT_BYTES = 1024**3
"""What an output may hide together. Arrays written through mmap have holes; a file of 8 TiB that is nearly all hole is
a trap, which takes a day to pack or to hash."""
_WORTH_A_LOOK_BYTES = 1024 * 1024
_EXTENTS = 10_000
"""More pieces than this are no trap: somebody wrote them."""


def hole_bytes(path: str | os.PathLike[str], status: os.stat_result) -> int:
    """Return how many bytes of a file are hole.

    Blocks alone do not tell: file systems that compress, or write later, have few for files without a hole.
    """
    if status.st_size - status.st_blocks * 512 < _WORTH_A_LOOK_BYTES:
        return 0
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _measure(descriptor, status.st_size)
    finally:
        os.close(descriptor)


def _measure(descriptor: int, size: int) -> int:
    holes = position = 0
    for _ in range(_EXTENTS):
        if position >= size:
            break
        try:
            begins = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError:  # nothing but hole from here on
            return holes + size - position
        holes += begins - position
        position = os.lseek(descriptor, begins, os.SEEK_HOLE)
    return holes
