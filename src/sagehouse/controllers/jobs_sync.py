"""Storing while the script runs: checkpoints and Continuous outputs.

A look every few seconds at size and time of every file; what changed and then rested is copied aside and stored. What
is missed at the end, the collector stores. The script may move things meanwhile, so files are reached through open
directories and no link is ever followed.
"""

import asyncio
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sagehouse.controllers.jobs_directory import JobDirectory, remove
from sagehouse.domain.jobs.source import S3Uri
from sagehouse.domain.jobs.spec import Spec
from sagehouse.ports.clock import Clock
from sagehouse.ports.objects import Objects

_LOOK_S = 5.0
"""Between looks; AWS names no interval."""
_REST_S = 1.0
"""A file that changed more recently is still being written."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(slots=True, kw_only=True)
class Watched:
    host: Path
    """The host's directory, which the script cannot replace."""
    inside: str
    """Below it: "ml/checkpoints"."""
    target: S3Uri
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Relative name -> (size, time of change in ns) when it was last stored."""


def watched_of(spec: Spec, directory: JobDirectory) -> list[Watched]:
    """Return the directories of a job that are stored while it runs."""
    wanted = [(output.path, output.uri) for output in spec.outputs if output.is_continuous]
    wanted += [(spec.checkpoint.path, spec.checkpoint.uri)] if spec.checkpoint else []
    return [
        Watched(host=directory.of(host), inside=directory.layout.locate(path), target=uri)
        for path, uri in wanted
        for host in spec.cluster.hosts
    ]


async def sync(watched: list[Watched], directory: JobDirectory, *, objects: Objects, clock: Clock) -> None:
    """Store what changes, until cancelled."""
    aside = directory.root / "synced"
    while True:
        await clock.sleep(_LOOK_S)
        for one in watched:
            await remove(aside)
            if await asyncio.to_thread(_copy_changed, one, aside, clock.now() - _REST_S):
                await objects.ingest(aside, one.target.bucket, one.target.key, now=clock.now())


def _copy_changed(one: Watched, aside: Path, before: float) -> int:
    copied = 0
    for name, file, status in _files(one):
        stamp = (status.st_size, status.st_mtime_ns)
        if one.seen.get(name) == stamp or status.st_mtime > before:
            continue
        (aside / name).parent.mkdir(parents=True, exist_ok=True)
        with open(file, "rb", closefd=False) as source, (aside / name).open("wb") as target:
            shutil.copyfileobj(source, target)
        one.seen[name] = stamp
        copied += 1
    return copied


def _files(one: Watched) -> Iterator[tuple[str, int, os.stat_result]]:
    """Yield (relative name, open file, status) of every regular file."""
    with _opened(one.host, one.inside) as top:
        if top is None:
            return
        for directory, _, names, descriptor in os.fwalk(".", dir_fd=top):
            for name in names:
                try:
                    file = os.open(name, _FILE, dir_fd=descriptor)
                except OSError:
                    continue  # a link, or gone meanwhile
                try:
                    status = os.fstat(file)
                    if stat.S_ISREG(status.st_mode):
                        yield os.path.normpath(f"{directory}/{name}"), file, status
                finally:
                    os.close(file)


@contextmanager
def _opened(host: Path, inside: str) -> Iterator[int | None]:
    """Open a directory below the host's, one step at a time; None if it is not there or a link is on the way."""
    here = os.open(host, _DIRECTORY)
    try:
        for step in inside.split("/"):
            try:
                deeper = os.open(step, _DIRECTORY, dir_fd=here)
            except OSError:
                yield None
                return
            os.close(here)
            here = deeper
        yield here
    finally:
        os.close(here)
