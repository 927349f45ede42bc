"""Removing what a job has left: directories without permissions, and trees deeper than any path can say."""

import os
from contextlib import suppress
from itertools import count
from pathlib import Path


def remove_tree(folder: Path) -> None:
    """Remove a directory and everything below it, and what an interrupted removal of it has left.

    Every directory is moved to the top of a heap beside it before it is emptied, so that neither recursion nor the
    length of a path limits the depth; and the folder itself is gone at once.
    """
    heap = folder.with_name(f".removed-{folder.name}")
    if not heap.exists() and not folder.exists():
        return
    heap.mkdir(mode=0o700, exist_ok=True)
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
