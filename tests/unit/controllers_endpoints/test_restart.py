"""A control plane killed at any moment: endpoints live on."""

import asyncio

import pytest
from tests.fakes.runtime import Fate
from tests.unit.controllers_endpoints.test_endpoints import echoes
from tests.unit.controllers_endpoints.world import World

from sagehouse.kit.errors import Unavailable


def forget_routes(world: World) -> None:
    """A new process knows no routes and no controller."""
    for route in world.serving.routes():
        world.serving.unroute(route.key)
    world.build()


def test_after_a_restart_the_same_replicas_answer_at_once(tmp_path):
    world = World(tmp_path, model=echoes)

    async def scene():
        async with world.running():
            await world.up(count=2)
        ids = world.running_ids
        forget_routes(world)
        began = world.clock.now()
        async with world.running():
            await world.until_routed()
            body = (await world.invoke()).body
            return body, world.clock.now() - began, ids == world.running_ids

    assert asyncio.run(scene()) == (b"churn", 0.0, True)
    assert len(world.started) == 2


def test_a_replica_that_died_meanwhile_is_started_again(tmp_path):
    world = World(tmp_path, model=echoes)

    async def scene():
        async with world.running():
            await world.up()
        world.runtime.lose(world.running_ids[0])
        forget_routes(world)
        async with world.running():
            return (await world.until_answered()).body

    assert asyncio.run(scene()) == b"churn"
    assert len(world.started) == 2


@pytest.mark.parametrize("writes", range(1, 8))
def test_killed_after_any_write_a_creation_goes_on_and_starts_nothing_twice(tmp_path, writes):
    world = World(tmp_path, model=echoes)

    async def scene():
        async with world.running():
            await world.a_model()
            await world.a_config(count=2)
            key = await world.create()
            for _ in range(writes):
                world.changed.clear()
                stored = await world.catalog.get(key)
                if stored.status == "InService":
                    break
                await world.changed.wait()
        forget_routes(world)
        async with world.running():
            await world.until_status(key, "InService")
            await world.until_routed()
            return (await world.invoke()).body

    assert asyncio.run(scene()) == b"churn"
    assert len({one.id for one in world.started}) == len(world.started) == 2


@pytest.mark.parametrize("writes", range(1, 8))
def test_killed_after_any_write_an_update_goes_on_and_the_old_replicas_end(tmp_path, writes):
    world = World(tmp_path, model=echoes)

    async def scene():
        async with world.running():
            key = await world.up()
            await world.a_model("better")
            await world.a_config("second", model="better")
            await world.update(key, "second")
            for _ in range(writes):
                world.changed.clear()
                stored = await world.catalog.get(key)
                if stored.status == "InService" and not stored.document["_Hosting"]["Old"]:
                    break
                await world.changed.wait()
        forget_routes(world)
        async with world.running():
            await world.until(key, lambda stored: stored.document["EndpointConfigName"] == "second")
            await world.until_alone(key)
            await world.until_routed()
            return (await world.invoke()).body

    assert asyncio.run(scene()) == b"better"
    assert len(world.running_ids) == 1


def test_killed_while_deleting_the_deletion_is_finished(tmp_path):
    world = World(tmp_path)

    async def scene():
        async with world.running():
            key = await world.up()
        await world.ask(key, "Deleting")
        forget_routes(world)
        async with world.running():
            await world.until(key, lambda stored: stored is None)

    asyncio.run(scene())
    assert world.running_ids == []


def test_an_endpoint_whose_replica_cannot_be_built_again_keeps_trying_and_stays_in_service(tmp_path):
    world = World(tmp_path)

    async def scene():
        async with world.running():
            key = await world.up()
            world.environments.missing = frozenset({"scikit-learn==1.2.2"})
            world.runtime.finish(world.running_ids[0], Fate(exit_code=1))
            began = world.clock.now()
            await world.see(lambda: world.clock.now() > began + 100)
            with pytest.raises(Unavailable):
                await world.invoke()
            world.environments.missing = frozenset()
            await world.see(lambda: bool(world.running_ids))
            return (await world.catalog.get(key)).status

    assert asyncio.run(scene()) == "InService"
