"""Room on the disk: a reserve for the index when there is none left, and space given back within a file."""

import ctypes
import os
from pathlib import Path

RESERVE_BYTES = 4 * 1024 * 1024
"""As much as SQLite's log grows to before it is folded back (1,000 pages of 4 KiB)."""
_KEEP_SIZE_AND_PUNCH_HOLE = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, linux/falloc.h

_libc = ctypes.CDLL(None, use_errno=True)


class Reserve:
    """A file that only takes room, to be given up so that objects can be deleted from a disk that is full."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def hold(self) -> None:
        """Take the room, if it is there twice; else another time."""
        if self._path.exists():
            return
        free = os.statvfs(self._path.parent)
        if free.f_bavail * free.f_frsize < 2 * RESERVE_BYTES:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        except OSError:
            self._path.unlink()
        finally:
            os.close(descriptor)

    def release(self) -> bool:
        """Give the room up; whether there was any."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True


def punch_hole(path: Path, start: int, length: int) -> None:
    """Give back the blocks of a range of a file, which then reads as zeros; nothing where that is not supported."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _libc.fallocate(
            ctypes.c_int(descriptor),
            ctypes.c_int(_KEEP_SIZE_AND_PUNCH_HOLE),
            ctypes.c_int64(start),
            ctypes.c_int64(length),
        )
    finally:
        os.close(descriptor)
