"""Who holds a data directory: a lock that ends with its holder, however that ends.

A process id says less: after `kill -9` it may be a zombie's, or somebody else's by now.
"""

from __future__ import annotations

import fcntl
import os
import struct

LOCK_FILE = "house.lock"
_FLOCK = "hhqqi0q"
"""struct flock on 64-bit Linux: type, whence, start, length, process id, padding."""


def take(lock: int) -> bool:
    """Whether the open file is locked from now on, until the last process that inherited it has closed it."""
    try:
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, _wish())
    except (BlockingIOError, PermissionError):
        return False
    return True


def is_held(path: str | os.PathLike[str]) -> bool:
    """Whether somebody holds the lock. Looks without touching, so that looking never gets in a starter's way."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        found: int = struct.unpack(_FLOCK, fcntl.fcntl(lock, fcntl.F_OFD_GETLK, _wish()))[0]
    finally:
        os.close(lock)
    return found != fcntl.F_UNLCK


def _wish() -> bytes:
    return struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
