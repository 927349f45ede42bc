"""Removing what a job has left: directories without permissions, and trees deeper than any path can say."""

import fcntl
import os
from contextlib import suppress
from itertools import count
from pathlib import Path


def remove_tree(folder: Path) -> None:
    """Remove a directory and everything below it, and what an interrupted removal of it has left.

    Every directory is moved to the top of a heap beside it before it is emptied, so that neither recursion nor the
    length of a path limits the depth; and the folder itself is gone at once. Of several removals at once one works,
    the others wait for it.
    """
    heap = folder.with_name(f".removed-{folder.name}")
    while heap.exists() or folder.exists():
        heap.mkdir(mode=0o700, exist_ok=True)
        try:
            descriptor = os.open(heap, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:  # another removal has just ended
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_still(heap, descriptor):
                _remove(folder, heap)
        finally:
            os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove(folder: Path, heap: Path) -> None:
    waiting = list(heap.iterdir())
    taken = {path.name for path in waiting}
    free = (heap / str(number) for number in count() if str(number) not in taken)
    with suppress(FileNotFoundError):
        waiting.append(folder.rename(next(free)))
    while waiting:
        directory = waiting.pop()
        directory.chmod(0o700)
        with os.scandir(directory) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    below = Path(entry.path)
                    below.chmod(0o700)  # a directory without it cannot be moved
                    waiting.append(below.rename(next(free)))
                else:
                    os.unlink(entry.path)
        directory.rmdir()
    heap.rmdir()
