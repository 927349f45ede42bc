"""Models unpacked once and shown to every server that serves them.

An archive is unpacked once per (bucket, key, etag); a prefix is laid out by links. A directory here is complete or
absent, never changed, and removed when no server's directory links to it any more.
"""

import asyncio
import hashlib
import itertools
import os
import time
from pathlib import Path

from sagehouse.controllers.jobs_directory import remove_quietly
from sagehouse.domain.hosting.container import Artifact
from sagehouse.kit.errors import Invalid, NotFound
from sagehouse.ports.archives import Archives
from sagehouse.ports.objects import Objects

_KEPT_UNUSED_S = 3600.0
"""A model nobody serves is kept this long, for the next endpoint of the same model."""
_serial = itertools.count()


class ModelCache:
    """Several may share a directory; what one has laid out the others find."""

    def __init__(self, *, objects: Objects, archives: Archives, directory: Path) -> None:
        self._objects = objects
        self._archives = archives
        self.directory = directory
        self._locks: dict[str, asyncio.Lock] = {}

    async def provide(self, artifact: Artifact | None) -> Path:
        """Return the directory that holds the model; NotFound, naming the object, if it is not in S3."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if artifact is None:
            return self._finished("none", self._scratch())
        if artifact.is_prefix:
            return await self._lay_out(artifact, keys=None)
        if not artifact.is_archive:
            return await self._lay_out(artifact, keys=[""])
        return await self._unpack(artifact)

    async def _unpack(self, artifact: Artifact) -> Path:
        uri = artifact.uri
        try:
            info, archive = await self._objects.open(uri.bucket, uri.key)
        except NotFound as missing:
            raise _missing(artifact) from missing
        digest = hashlib.sha256(f"{uri.bucket}\0{uri.key}\0{info.etag}".encode()).hexdigest()[:32]
        async with self._locks.setdefault(digest, asyncio.Lock()):
            found = self.directory / digest
            if not found.is_dir():
                scratch = self._scratch()
                try:
                    await self._archives.unpack(archive, scratch)
                except Invalid as broken:
                    remove_quietly(scratch)
                    told = broken.message.replace(archive.name, uri.key.rpartition("/")[2])  # not the store's own name
                    raise Invalid(f"The model archive {uri} cannot be unpacked: {told}") from broken
                return self._finished(digest, scratch)
            os.utime(found)
            return found

    async def _lay_out(self, artifact: Artifact, *, keys: list[str] | None) -> Path:
        scratch = self._scratch()
        try:
            laid = await self._objects.materialize(artifact.uri.bucket, artifact.uri.key, scratch, keys=keys)
        except NotFound as missing:
            remove_quietly(scratch)
            raise _missing(artifact) from missing
        if not laid.files:
            remove_quietly(scratch)
            raise _missing(artifact)
        return self._finished(laid.digest[:32], scratch)

    def _scratch(self) -> Path:
        scratch = self.directory / f"{os.getpid()}-{next(_serial)}.part"
        remove_quietly(scratch)
        scratch.mkdir()
        return scratch

    def _finished(self, digest: str, scratch: Path) -> Path:
        finished = self.directory / digest
        try:
            scratch.rename(finished)
        except OSError:  # somebody else was faster
            remove_quietly(scratch)
        os.utime(finished)
        return finished

    async def prune(self, servers: Path) -> None:
        """Remove models to which no directory below `servers` links and that were not asked for lately."""
        await asyncio.to_thread(self._prune, servers)

    def _prune(self, servers: Path) -> None:
        used = {link.resolve().name for link in servers.glob("*/model") if link.is_symlink()}
        oldest = time.time() - _KEPT_UNUSED_S
        for model in self.directory.glob("*"):
            if model.name not in used and model.stat().st_mtime < oldest:
                remove_quietly(model)


def _missing(artifact: Artifact) -> NotFound:
    return NotFound(f"Could not find model data at {artifact.uri}.")
