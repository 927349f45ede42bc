"""The directory of one job on this machine.

{name}/run              the runtime's own
{name}/{host}/ml        /opt/ml
{name}/{host}/inputs/0  what an overlay shows
{name}/{host}/volumes/0 written to directly
{name}/staged/...       archives on their way to the store
"""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sagehouse.domain.jobs.layout import Layout
from sagehouse.domain.jobs.spec import is_below
from sagehouse.ports.catalog import Key
from sagehouse.ports.runtime import Access, Mount

WORDS = {"TrainingJob": "training", "ProcessingJob": "processing"}
HEAP = ".removed-"
"""Begins the name of a directory that is being removed."""
_DIGEST = 12
"""Hexadecimal characters of the digest in a workload's name: 48 bits, for names that also carry the job's."""


def workload_id(key: Key, created_at: float) -> str:
    """Return the name of a job's workload and directory: the same whenever it is asked, no other job's.

    A job created again under the name of a deleted one has another.
    """
    whole = "\n".join((key.account, key.region, key.kind, key.name.lower(), f"{created_at:.6f}"))
    return f"{WORDS[key.kind]}-{key.name.lower()}-{hashlib.sha256(whole.encode()).hexdigest()[:_DIGEST]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDirectory:
    root: Path
    layout: Layout

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def staged(self) -> Path:
        return self.root / "staged"

    def of(self, host: str) -> Path:
        return self.root / host

    def path(self, host: str, inside: str) -> Path:
        """Return where this machine keeps an absolute path of a host, wherever links planted there may lead."""
        return self.of(host) / self.layout.locate(inside)

    def found(self, host: str, inside: str) -> Path | None:
        """Return the same when it exists and no link on the way leads anywhere else; None otherwise.

        For reading, after its end, what a script left: it may have left links to files of this machine.
        """
        path = self.path(host, inside)
        expected = self.of(host).resolve() / self.layout.locate(inside)
        return path if path.exists() and path.resolve() == expected else None

    def make(self, host: str, inside: str) -> Path:
        path = self.path(host, inside)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def prepare(self, host: str) -> None:
        """Make the parts of a host and, in the parts that are written to, the places of those mounted over them."""
        for part, root in self.layout.parts.items():
            (self.of(host) / part).mkdir(parents=True, exist_ok=True)
            for outer, outer_root in self.layout.parts.items():
                if outer != part and is_below(root, outer_root):
                    (self.of(host) / outer / root[len(outer_root) :].strip("/")).mkdir(parents=True, exist_ok=True)

    def mounts(self, host: str) -> Iterator[Mount]:
        """Yield the host's mounts, outer ones before those inside them."""
        for part, root in sorted(self.layout.parts.items(), key=lambda one: one[1].count("/")):
            access: Access = "overlay" if part.startswith("inputs/") else "write"
            yield Mount(source=self.of(host) / part, target=root, access=access)


async def remove(path: Path) -> None:
    """Remove a directory tree off the event loop, whatever a script has made of it; it is gone by name at once.

    Neither closed directories nor depth beyond any path stop it: every directory is moved to the top of a heap beside
    the tree before it is emptied. What an interrupted removal has left, the next one and the sweep remove.
    """
    if path.exists():
        await asyncio.to_thread(_remove, path)


def remove_quietly(path: Path) -> None:
    """Do the same on a thread, as far as it can be done; what stays, the next sweep removes."""
    with contextlib.suppress(OSError):
        if path.exists():
            _remove(path)


def _remove(path: Path) -> None:
    heap = path if path.name.startswith(HEAP) else path.with_name(f"{HEAP}{path.name}")
    heap.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if path != heap:
            path.rename(heap / os.urandom(8).hex())
    waiting = list(heap.iterdir())
    while waiting:
        directory = waiting.pop()
        for entry in list(os.scandir(directory)):
            if entry.is_dir(follow_symlinks=False):
                below = Path(entry.path)
                below.chmod(0o700)  # one without it can neither be moved nor emptied
                waiting.append(below.rename(heap / os.urandom(8).hex()))
            else:
                Path(entry.path).unlink()
        directory.rmdir()
    heap.rmdir()
