"""What a job made, stored: archives and trees of files. Every step may be repeated after a crash."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from sagehouse.controllers.jobs_directory import JobDirectory, remove
from sagehouse.controllers.jobs_stage import Unfit
from sagehouse.domain.jobs.failure import refused
from sagehouse.domain.jobs.phase import Phase
from sagehouse.domain.jobs.spec import Output, Spec
from sagehouse.kit.errors import NotFound
from sagehouse.ports.archives import Archives
from sagehouse.ports.clock import Clock
from sagehouse.ports.objects import Objects


class Collector:
    """Stores the outputs of one job."""

    def __init__(
        self, spec: Spec, directory: JobDirectory, *, objects: Objects, archives: Archives, clock: Clock
    ) -> None:
        self._spec = spec
        self._directory = directory
        self._objects = objects
        self._archives = archives
        self._clock = clock

    async def collect(self, end: Phase) -> None:
        """Store everything a job with this end leaves; raises Unfit when the bucket does not exist.

        What it has made on the way is gone when it fails: on a full disk the catalog needs that room to say so.
        """
        try:
            await self._collect(end)
        finally:
            await remove(self._directory.staged)

    async def make_room(self, end: Phase) -> None:
        """Remove what a job with this end does not store, which may be what has filled the disk."""
        for output in self._spec.outputs:
            if end not in output.ends:
                for host in self._spec.cluster.hosts:
                    found = self._directory.found(host, output.path)
                    if found is not None:
                        await remove(found)

    async def _collect(self, end: Phase) -> None:
        for output in self._spec.outputs:
            if end in output.ends:
                await self._store(output)
        if self._spec.checkpoint:
            for source in self._sources(self._spec.checkpoint.path):
                await self._ingest(source, self._spec.checkpoint.uri.bucket, self._spec.checkpoint.uri.key)

    async def _store(self, output: Output) -> None:
        sources = self._sources(output.path)
        if output.packing == "tree":
            for source in sources:
                await self._ingest(source, output.uri.bucket, output.uri.key)
            return
        if not await asyncio.to_thread(_has_files, sources):
            return
        staged = self._directory.staged / "packed" / output.archive
        await remove(staged)
        staged.mkdir(parents=True)
        whole = sources[0] if len(sources) == 1 else await self._merged(sources, output)
        await self._archives.pack(whole, staged / output.archive)
        await self._ingest(staged, output.uri.bucket, output.uri.key)

    def _sources(self, inside: str) -> list[Path]:
        """Return where the hosts have it; Unfit when a script has put a link there, which is never followed."""
        sources = []
        for host in self._spec.cluster.hosts:
            found = self._directory.found(host, inside)
            if found is None and os.path.lexists(self._directory.path(host, inside)):
                raise Unfit(
                    refused(f"{inside} is not stored: the script has replaced it, or a directory above, by a link.")
                )
            if found is not None and found.is_dir():
                sources.append(found)
        return sources

    async def _merged(self, sources: Sequence[Path], output: Output) -> Path:
        """Return one tree of all hosts' files; where names are equal, the first host's."""
        whole = self._directory.staged / "merged" / output.archive
        await remove(whole)
        whole.parent.mkdir(parents=True, exist_ok=True)
        for source in sources:
            await asyncio.to_thread(_link_tree, source, whole)
        return whole

    async def _ingest(self, source: Path, bucket: str, prefix: str) -> None:
        try:
            await self._objects.ingest(source, bucket, prefix, now=self._clock.now())
        except NotFound as missing:
            raise Unfit(refused(f"Could not upload to s3://{bucket}/{prefix}: {missing.message}")) from missing


def _has_files(sources: Sequence[Path]) -> bool:
    return any(names for source in sources for _, names in _directories(source))


def _link_tree(source: Path, target: Path) -> None:
    for directory, names in _directories(source):
        place = target / directory.relative_to(source)
        place.mkdir(exist_ok=True)
        for name in names:
            if not os.path.lexists(place / name):
                os.link(directory / name, place / name, follow_symlinks=False)


def _directories(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield every directory, outer ones first, with the names of what is no directory in it.

    Unlike os.walk it does not pass over what it cannot read, and depth is no matter.
    """
    waiting = [top]
    while waiting:
        here, names = waiting.pop(), []
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                else:
                    names.append(entry.name)
        yield here, names
