"""Models unpacked once and swept when nobody serves them; directories nobody owns."""

import asyncio
import os
import time

import pytest
from tests.unit.controllers_endpoints.ground import BUCKET, an_archive
from tests.unit.controllers_endpoints.world import World

from sagehouse.controllers.model_cache import ModelCache
from sagehouse.domain.hosting.container import Artifact
from sagehouse.domain.jobs.source import S3Uri
from sagehouse.kit.errors import Invalid, NotFound


def cache(world: World) -> ModelCache:
    return ModelCache(objects=world.objects, archives=world.archives, directory=world.root / "run" / "models")


def archive_at(key: str) -> Artifact:
    return Artifact(uri=S3Uri(bucket=BUCKET, key=key))


def test_asked_for_twice_at_once_an_archive_is_unpacked_once(tmp_path):
    world = World(tmp_path)

    async def scene():
        await world.put("m.tar.gz", an_archive(weights="1"))
        models = cache(world)
        (world.root / "run").mkdir()
        return await asyncio.gather(*(models.provide(archive_at("m.tar.gz")) for _ in range(3)))

    paths = asyncio.run(scene())
    assert len(set(paths)) == world.archives.unpacked == 1
    assert (paths[0] / "weights").read_text() == "1"


def test_a_model_stored_anew_is_another_model(tmp_path):
    world = World(tmp_path)

    async def scene():
        (world.root / "run").mkdir()
        await world.put("m.tar.gz", an_archive(weights="1"))
        first = await cache(world).provide(archive_at("m.tar.gz"))
        await world.put("m.tar.gz", an_archive(weights="2"))
        return first, await cache(world).provide(archive_at("m.tar.gz"))

    first, second = asyncio.run(scene())
    assert ((first / "weights").read_text(), (second / "weights").read_text()) == ("1", "2")


def test_one_object_is_laid_out_without_its_neighbours(tmp_path):
    world = World(tmp_path)

    async def scene():
        (world.root / "run").mkdir()
        await world.put("m/model.bin", b"a")
        await world.put("m/model.bin.bak", b"b")
        one = Artifact(uri=S3Uri(bucket=BUCKET, key="m/model.bin"), is_archive=False)
        return await cache(world).provide(one)

    assert [path.name for path in asyncio.run(scene()).iterdir()] == ["model.bin"]


@pytest.mark.parametrize(
    "artifact", [archive_at("gone"), Artifact(uri=S3Uri(bucket=BUCKET, key="no/"), is_prefix=True)]
)
def test_a_model_that_is_not_there_is_told_by_its_uri(tmp_path, artifact):
    world = World(tmp_path)

    async def scene():
        (world.root / "run").mkdir()
        await world.put("other", b"x")
        await cache(world).provide(artifact)

    with pytest.raises(NotFound, match=f"Could not find model data at {artifact.uri}"):
        asyncio.run(scene())


def test_an_archive_that_is_none_leaves_nothing_behind(tmp_path):
    world = World(tmp_path)

    async def unpack(archive, directory):
        (directory / "half").write_text("")
        raise Invalid("not a tar")

    world.archives.unpack = unpack

    async def scene():
        (world.root / "run").mkdir()
        await world.put("m.tar.gz", b"junk")
        await cache(world).provide(archive_at("m.tar.gz"))

    with pytest.raises(Invalid, match=r"s3://models/m\.tar\.gz cannot be unpacked: not a tar"):
        asyncio.run(scene())
    assert list((tmp_path / "run" / "models").iterdir()) == []


def test_at_start_old_models_and_directories_nobody_owns_are_removed_and_no_others(tmp_path):
    world = World(tmp_path)

    async def scene():
        async with world.running():
            await world.up()
        served = next(path for path in (tmp_path / "run").iterdir() if path.name != "models")
        used = (served / "model").resolve()
        forgotten, fresh = tmp_path / "run" / "models" / "old", tmp_path / "run" / "models" / "new"
        stray = tmp_path / "run" / "0123456789"
        for path in (forgotten, fresh, stray):
            path.mkdir()
        hours_ago = time.time() - 7200
        for path in (used, forgotten):
            os.utime(path, (hours_ago, hours_ago))
        world.build()
        async with world.running():
            await world.see(lambda: not stray.exists() and not forgotten.exists())
        return served, used, fresh

    assert all(path.exists() for path in asyncio.run(scene()))
