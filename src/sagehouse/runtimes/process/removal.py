"""Removing what a job has left: directories without permissions, and trees deeper than any path can say."""

import os
from pathlib import Path


def remove_tree(folder: Path) -> None:
    """Remove a directory and everything below it; FileNotFoundError if it is absent.

    Every subdirectory is first moved up to the top, so that neither recursion nor path length limits the depth.
    """
    waiting = [folder]
    emptied: list[Path] = []
    moved = 0
    while waiting:
        directory = waiting.pop()
        directory.chmod(0o700)
        with os.scandir(directory) as entries:
            for entry in list(entries):
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)
                    continue
                Path(entry.path).chmod(0o700)
                moved += 1
                target = folder / f".removed-{moved}"
                if directory != folder or not entry.name.startswith(".removed-"):
                    os.rename(entry.path, target)
                else:
                    target = Path(entry.path)
                waiting.append(target)
        emptied.append(directory)
    for directory in reversed(emptied):
        directory.rmdir()
