"""The controller killed at every point of a job's life, and started again: nothing lost, nothing started twice.

`Killed` is no `Exception`: like `kill -9` it passes through everything the controller would do about an error.
"""

import asyncio

import pytest
from tests.fakes.runtime import Fate
from tests.unit.controllers_jobs.world import World
from tests.unit.domain_jobs.documents import a_processing_job, a_training_job

from sagehouse.kit.errors import Invalid

MODEL = "out/job/output/model.tar.gz"


class Killed(BaseException):
    """The process died."""


class Mortal:
    """A port whose every call counts; the process dies before or after the call with a certain number."""

    def __init__(self, port, *methods: str) -> None:
        self.port = port
        self.methods = methods
        self.calls = 0
        self.dies_at: float | None = None

    def __getattr__(self, name):
        method = getattr(self.port, name)
        if name not in self.methods:
            return method

        async def counted(*args, **options):
            self.calls += 1
            if self.dies_at == self.calls - 0.5:
                raise Killed
            answer = await method(*args, **options)
            if self.dies_at == self.calls:
                raise Killed
            return answer

        return counted


def trains(host) -> None:
    host.write("/opt/ml/model/model.joblib", "weights")


def a_world(tmp_path, name: str, **changes) -> World:
    (tmp_path / name).mkdir()
    return World(tmp_path / name, script=trains, **changes)


async def killed_once(world: World, port: str, methods: tuple[str, ...], dies_at: float, document) -> dict:
    """Run a job in a house that dies at that call of that port, then in the house started again."""
    mortal = Mortal(getattr(world, port), *methods)
    setattr(world, port, mortal)
    world.build()
    key = await world.create(document)
    mortal.calls, mortal.dies_at = 0, dies_at
    task = asyncio.create_task(world.controller.run())
    ended = asyncio.create_task(world.until_ended(key))
    await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
    died = task.done()  # not for points beyond the last call
    task.cancel()
    ended.cancel()
    await asyncio.gather(task, ended, return_exceptions=True)
    mortal.dies_at = None
    setattr(world, port, mortal.port)
    world.build()
    async with world.running():
        document = await world.until_ended(key)
    return {"died": died, "document": document}


POINTS = [
    ("catalog", ("write",), [step / 2 for step in range(1, 15)]),
    ("runtime", ("start", "wait"), [0.5, 1.0, 1.5, 2.0]),
    ("objects", ("materialize", "ingest"), [0.5, 1.0, 1.5, 2.0]),
    ("environments", ("ensure",), [0.5, 1.0]),
]


@pytest.mark.parametrize(("port", "methods", "dies_at"), [(p, m, at) for p, m, ats in POINTS for at in ats])
def test_a_training_job_survives_a_kill_at_any_call(tmp_path, port, methods, dies_at):
    async def scenario():
        world = a_world(tmp_path, "house")
        await world.put("data/train/a.csv")
        seen = await killed_once(world, port, methods, dies_at, a_training_job())
        assert seen["document"]["TrainingJobStatus"] == "Completed"
        assert [one.id for one in world.runtime.started] == [world.runtime.started[0].id]
        assert await world.archive(MODEL) == {"model.joblib": "weights"}
        statuses = [one["Status"] for one in seen["document"]["SecondaryStatusTransitions"]]
        assert statuses == ["Starting", "Downloading", "Training", "Uploading", "Completed"]

    asyncio.run(scenario())


def test_the_points_above_are_all_there_are(tmp_path):
    """When a transition is added, its kill must be added to POINTS."""

    async def scenario():
        for number, (port, methods, points) in enumerate(POINTS):
            world = a_world(tmp_path, str(number))
            await world.put("data/train/a.csv")
            mortal = Mortal(getattr(world, port), *methods)
            setattr(world, port, mortal)
            world.build()
            key = await world.create(a_training_job())
            mortal.calls = 0
            async with world.running():
                await world.until_ended(key)
            assert mortal.calls <= max(points)

    asyncio.run(scenario())


def test_a_running_job_is_adopted_and_completes(tmp_path):
    async def scenario():
        world = a_world(tmp_path, "house", fate=Fate(after_s=None))
        await world.put("data/train/a.csv")
        async with world.running():
            key = await world.create(a_training_job())
            await world.until_running(key)
        world.build()
        async with world.running():
            world.runtime.finish(world.runtime.started[0].id)
            document = await world.until_ended(key)
        assert document["TrainingJobStatus"] == "Completed"
        assert len(world.runtime.started) == 1

    asyncio.run(scenario())


def test_a_job_that_ended_while_nobody_looked_is_collected(tmp_path):
    async def scenario():
        world = a_world(tmp_path, "house", fate=Fate(after_s=None))
        await world.put("data/train/a.csv")
        async with world.running():
            key = await world.create(a_training_job())
            await world.until_running(key)
        world.runtime.finish(world.runtime.started[0].id)
        world.build()
        async with world.running():
            assert (await world.until_ended(key))["TrainingJobStatus"] == "Completed"
        assert await world.archive(MODEL) == {"model.joblib": "weights"}

    asyncio.run(scenario())


def test_a_job_whose_supervisor_vanished_fails_as_an_internal_error(tmp_path):
    async def scenario():
        world = a_world(tmp_path, "house", fate=Fate(after_s=None))
        await world.put("data/train/a.csv")
        async with world.running():
            key = await world.create(a_training_job())
            await world.until_running(key)
        world.runtime.lose(world.runtime.started[0].id)
        world.build()
        async with world.running():
            document = await world.until_ended(key)
        assert document["FailureReason"].startswith("InternalServerError: We encountered an internal error.")

    asyncio.run(scenario())


def test_a_stop_asked_for_while_nobody_looked_is_carried_out(tmp_path):
    async def scenario():
        world = a_world(tmp_path, "house", fate=Fate(after_s=None))
        await world.put("data/train/a.csv")
        async with world.running():
            key = await world.create(a_training_job())
            await world.until_running(key)
        await world.stop(key)
        world.build()
        async with world.running():
            document = await world.until_ended(key)
        assert document["TrainingJobStatus"] == "Stopped"
        assert MODEL in await world.keys("out/")

    asyncio.run(scenario())


def test_a_stop_between_launch_and_its_record_stops_the_one_workload(tmp_path):
    async def scenario():
        world = a_world(tmp_path, "house", fate=Fate(after_s=None))
        await world.put("data/train/a.csv")
        mortal = Mortal(world.runtime, "start")
        mortal.dies_at = 1.0
        alive, world.runtime = world.runtime, mortal
        world.build()
        key = await world.create(a_training_job())
        with pytest.raises(BaseExceptionGroup):
            await world.controller.run()
        assert "_Handle" not in (await world.catalog.get(key)).document
        await world.stop(key)
        world.runtime = alive
        world.build()
        async with world.running():
            document = await world.until_ended(key)
        assert document["TrainingJobStatus"] == "Stopped"
        assert len(world.runtime.started) == len(world.runtime.stopped) == 1

    asyncio.run(scenario())


def test_what_a_kill_left_behind_is_swept_away_and_nothing_else(tmp_path):
    async def scenario():
        world = a_world(tmp_path, "house", fate=Fate(after_s=None))
        jobs = tmp_path / "house" / "jobs"
        await world.put("data/train/a.csv", "code/pre.py")
        async with world.running():
            key = await world.create(a_processing_job())
            await world.until_running(key)
        [kept] = jobs.iterdir()
        for name in ("training-old-0123456789ab", ".removed-processing-old-0123456789ab", "transform-others"):
            (jobs / name / "algo-1").mkdir(parents=True)
        world.build()
        async with world.running():
            assert await world.until_directories(2) == [kept.name, "transform-others"]

    asyncio.run(scenario())


def test_a_running_job_whose_image_is_no_longer_known_does_not_run_on(tmp_path):
    def forgotten(uri):
        raise Invalid(f"The image {uri!r} cannot be run here.")

    async def scenario():
        world = a_world(tmp_path, "house", fate=Fate(after_s=None))
        await world.put("data/train/a.csv")
        async with world.running():
            key = await world.create(a_training_job())
            await world.until_running(key)
        world.resolve = forgotten
        world.build()
        async with world.running():
            document = await world.until_ended(key)
        assert document["FailureReason"].startswith("ClientError: The image")
        assert len(world.runtime.stopped) == 1

    asyncio.run(scenario())
