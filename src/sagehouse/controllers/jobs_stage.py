"""A job's directory, laid out before its script starts: inputs by link, checkpoints, places for outputs."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sagehouse.controllers.jobs_directory import JobDirectory, remove
from sagehouse.domain.jobs.failure import FailureReason, empty_input
from sagehouse.domain.jobs.layout import is_copied
from sagehouse.domain.jobs.source import S3Uri, read_manifest, shard
from sagehouse.domain.jobs.spec import Checkpoint, Input, Spec
from sagehouse.kit.errors import NotFound
from sagehouse.ports.objects import Objects


class Unfit(Exception):
    """What was asked for cannot be prepared: the job fails with this reason."""

    def __init__(self, reason: FailureReason) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The objects of an input. `names` None: everything below the prefix."""

    prefix: S3Uri
    names: Sequence[str] | None


async def stage(objects: Objects, spec: Spec, directory: JobDirectory, *, region: str) -> None:
    """Lay the directory out from nothing; raises Unfit when an input is empty."""
    await remove(directory.root)
    for host in spec.cluster.hosts:
        directory.prepare(host)
        for path in spec.directories:
            directory.make(host, path)
    for one in spec.inputs:
        await _lay_out(objects, spec, directory, one, region=region)
    if spec.checkpoint:
        await _restore(objects, spec, directory, spec.checkpoint)


async def _lay_out(objects: Objects, spec: Spec, directory: JobDirectory, one: Input, *, region: str) -> None:
    files = 0
    try:
        chosen = await _choose(objects, one)
        hosts = [host for host in spec.cluster.hosts if one in spec.inputs_of(host)]
        for number, host in enumerate(hosts):
            names = chosen.names
            if one.is_sharded and names is not None:
                names = shard(names, host=number, hosts=len(hosts))
            target = directory.make(host, one.path)
            if names is None or names:
                files += await _materialize(objects, chosen.prefix, names, target, is_copied=is_copied(one, spec))
    except NotFound as missing:
        raise Unfit(empty_input(uri=str(one.uri), region=region)) from missing
    if not files:
        raise Unfit(empty_input(uri=str(one.uri), region=region))


async def _choose(objects: Objects, one: Input) -> Chosen:
    if one.is_manifest:
        text = (await objects.read(one.uri.bucket, one.uri.key)).decode()
        manifest = read_manifest(text, uri=str(one.uri))
        names = list(manifest.names) or (await _names(objects, manifest.prefix) if one.is_sharded else None)
        return Chosen(prefix=manifest.prefix, names=names)
    return Chosen(prefix=one.uri, names=await _names(objects, one.uri) if one.is_sharded else None)


async def _names(objects: Objects, prefix: S3Uri) -> list[str]:
    """Return the keys below a prefix, relative to it, without those that only mark a directory."""
    names: list[str] = []
    after = ""
    while True:
        listing = await objects.list(prefix.bucket, prefix=prefix.key, after=after)
        names += [one.key[len(prefix.key) :] for one in listing.objects if not one.key.endswith("/")]
        if not listing.is_truncated or listing.last is None:
            return names
        after = listing.last


async def _materialize(
    objects: Objects, prefix: S3Uri, names: Sequence[str] | None, target: Path, *, is_copied: bool
) -> int:
    if not is_copied:
        return (await objects.materialize(prefix.bucket, prefix.key, target, keys=names)).files
    linked = target.with_name(f"{target.name}.linked")
    laid = await objects.materialize(prefix.bucket, prefix.key, linked, keys=names)
    await _copy(linked, target)
    return laid.files


async def _restore(objects: Objects, spec: Spec, directory: JobDirectory, checkpoint: Checkpoint) -> None:
    """Give every host the checkpoints of an earlier job: copies, for scripts write to them."""
    linked = directory.root / "restored"
    try:
        laid = await objects.materialize(checkpoint.uri.bucket, checkpoint.uri.key, linked)
    except NotFound:
        return
    if laid.files:
        for host in spec.cluster.hosts:
            await asyncio.to_thread(shutil.copytree, linked, directory.make(host, checkpoint.path), dirs_exist_ok=True)
    await remove(linked)


async def _copy(linked: Path, target: Path) -> None:
    await asyncio.to_thread(shutil.copytree, linked, target, dirs_exist_ok=True)
    await remove(linked)
