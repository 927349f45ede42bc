"""Many jobs, stops at any moment, full disks, and faults that must stay with their own job."""

import asyncio
import errno

import pytest
from tests.fakes.runtime import Fate
from tests.unit.controllers_jobs.world import World
from tests.unit.domain_jobs.documents import a_processing_job, a_training_job

from sagehouse.kit.errors import Invalid, Unavailable
from sagehouse.ports.catalog import Key


async def settled() -> None:
    """Let everything that can happen now happen."""
    for _ in range(50):
        await asyncio.sleep(0)


def gated(port, method: str) -> tuple[asyncio.Event, asyncio.Event]:
    """Make a port's method wait: (it has been entered, let it go on)."""
    entered, opened = asyncio.Event(), asyncio.Event()
    through = getattr(port, method)

    async def gate(*args, **options):
        entered.set()
        await opened.wait()
        return await through(*args, **options)

    setattr(port, method, gate)
    return entered, opened


def failing(port, method: str, *problems: Exception) -> None:
    """Make a port's method raise, once per problem, then work again."""
    through, left = getattr(port, method), list(problems)

    async def fail(*args, **options):
        if left:
            raise left.pop(0)
        return await through(*args, **options)

    setattr(port, method, fail)


def test_many_jobs_run_side_by_side(tmp_path):
    async def scenario():
        world = World(tmp_path, places=100)
        await world.put("data/train/a.csv")
        async with world.running():
            keys = [await world.create(a_training_job(f"job-{number}")) for number in range(40)]
            documents = [await world.until_ended(key) for key in keys]
        assert {document["TrainingJobStatus"] for document in documents} == {"Completed"}
        assert len({one.id for one in world.runtime.started}) == 40

    asyncio.run(scenario())


def test_jobs_beyond_the_places_wait_their_turn_and_say_why(tmp_path):
    async def scenario():
        world = World(tmp_path, places=1, fate=Fate(after_s=None))
        await world.put("data/train/a.csv")
        async with world.running():
            first = await world.create(a_training_job("first"))
            await world.until_running(first)
            second = await world.create(a_training_job("second"))
            third = await world.create(a_training_job("third"))
            document = await world.until(second, lambda stored: stored.document["SecondaryStatus"] == "Pending")
            message = document["SecondaryStatusTransitions"][-1]["StatusMessage"]
            assert message.startswith("Waiting for a place: 1 jobs run on this machine, which takes 1 at once")
            world.runtime.finish(world.runtime.started[0].id)
            await world.until_running(second)
            assert (await world.catalog.get(third)).document["SecondaryStatus"] == "Pending"
            world.runtime.finish(world.runtime.started[1].id)
            await world.until_running(third)
        assert [one.id.split("-")[1] for one in world.runtime.started] == ["first", "second", "third"]

    asyncio.run(scenario())


def test_an_idle_machine_takes_one_more_so_that_jobs_waiting_for_jobs_end(tmp_path):
    """Jobs that had started jobs filled every place and waited for ever."""

    async def scenario():
        world = World(tmp_path, places=1, fate=Fate(after_s=None), load=0.0)
        await world.put("data/train/a.csv")
        async with world.running():
            await world.until_running(await world.create(a_training_job("parent")))
            child = await world.create(a_training_job("child"))
            await world.until(child, lambda stored: stored.document["SecondaryStatus"] == "Pending")
            await settled()
            world.clock.advance(10.0)
            await world.until_running(child)

    asyncio.run(scenario())


def test_a_waiting_job_is_stopped_at_once_and_gives_its_turn_away(tmp_path):
    async def scenario():
        world = World(tmp_path, places=1, fate=Fate(after_s=None))
        await world.put("data/train/a.csv")
        async with world.running():
            await world.until_running(await world.create(a_training_job("first")))
            second = await world.create(a_training_job("second"))
            third = await world.create(a_training_job("third"))
            await world.until(second, lambda stored: stored.document["SecondaryStatus"] == "Pending")
            await world.stop(second)
            assert (await world.until_ended(second))["TrainingJobStatus"] == "Stopped"
            world.runtime.finish(world.runtime.started[0].id)
            await world.until_running(third)

    asyncio.run(scenario())


@pytest.mark.parametrize(("port", "method"), [("environments", "ensure"), ("objects", "materialize")])
def test_a_job_stopped_while_it_is_prepared_never_runs(tmp_path, port, method):
    async def scenario():
        world = World(tmp_path)
        await world.put("data/train/a.csv")
        entered, _ = gated(getattr(world, port), method)
        async with world.running():
            key = await world.create(a_training_job())
            await entered.wait()
            await world.stop(key)
            document = await world.until_ended(key)
            await settled()
        assert document["TrainingJobStatus"] == "Stopped"
        assert world.runtime.started == []
        assert "ModelArtifacts" not in document

    asyncio.run(scenario())


def test_a_job_stopped_while_it_is_launched_is_stopped_when_it_runs(tmp_path):
    async def scenario():
        world = World(tmp_path, fate=Fate(after_s=None))
        await world.put("data/train/a.csv")
        entered, opened = gated(world.runtime, "start")
        async with world.running():
            key = await world.create(a_training_job())
            await entered.wait()
            await world.stop(key)
            await settled()
            opened.set()
            document = await world.until_ended(key)
        assert document["TrainingJobStatus"] == "Stopped"
        assert len(world.runtime.stopped) == 1

    asyncio.run(scenario())


def test_a_stop_that_comes_while_outputs_are_stored_changes_nothing(tmp_path):
    async def scenario():
        world = World(tmp_path, script=lambda host: host.write("/opt/ml/model/m", "m"))
        await world.put("data/train/a.csv")
        entered, opened = gated(world.objects, "ingest")
        async with world.running():
            key = await world.create(a_training_job())
            await entered.wait()
            await world.stop(key)
            await settled()
            opened.set()
            document = await world.until_ended(key)
        assert document["TrainingJobStatus"] == "Completed"

    asyncio.run(scenario())


def test_a_disk_full_while_outputs_are_stored_fails_the_job_and_says_so(tmp_path):
    async def scenario():
        world = World(tmp_path, script=lambda host: host.write("/opt/ml/model/m", "m"))
        await world.put("data/train/a.csv")
        full = Unavailable("The disk is full.")
        full.__cause__ = OSError(errno.ENOSPC, "No space left on device")
        failing(world.objects, "ingest", full)
        document = await world.run(a_training_job())
        assert document["TrainingJobStatus"] == "Failed"
        assert "No space left on device" in document["FailureReason"]

    asyncio.run(scenario())


def test_what_filled_the_disk_makes_room_before_the_end_is_stored(tmp_path):
    """The catalog could not store that the disk was full, because the job's own files filled it."""

    async def scenario():
        full = Unavailable("The disk that holds the catalog is full.")
        world = World(
            tmp_path,
            script=lambda host: host.write("/opt/ml/model/m", "huge"),
            fate=Fate(exit_code=1, reason="disk_full"),
        )
        await world.put("data/train/a.csv")
        through = world.catalog.write

        async def write(*changes):
            if list((tmp_path / "jobs").glob("*/algo-1/ml/model/m")):
                raise full
            return await through(*changes)

        async with world.running():
            key = await world.create(a_training_job())
            await world.until_running(key)
            world.catalog.write = write
            document = await world.until_ended(key)
        assert document["FailureReason"].startswith("ClientError: The disk is full")

    asyncio.run(scenario())


def test_an_archive_that_does_not_fit_makes_room_before_the_end_is_stored(tmp_path):
    async def scenario():
        world = World(tmp_path, script=lambda host: host.write("/opt/ml/model/m", "m"))
        await world.put("data/train/a.csv")
        failing(world.objects, "ingest", OSError(errno.ENOSPC, "No space left on device"))
        stored_with = []
        through = world.catalog.write

        async def write(*changes):
            stored_with.extend(tmp_path.glob("jobs/*/staged/packed/*/*") if changes[0].status == "Failed" else ())
            return await through(*changes)

        world.catalog.write = write
        document = await world.run(a_training_job())
        assert (document["TrainingJobStatus"], stored_with) == ("Failed", [])

    asyncio.run(scenario())


def test_a_catalog_that_cannot_write_for_a_while_only_delays_the_job(tmp_path):
    async def scenario():
        world = World(tmp_path)
        await world.put("data/train/a.csv")
        async with world.running():
            key = await world.create(a_training_job())
            failing(world.catalog, "write", *(Unavailable("database or disk is full") for _ in range(6)))
            ended = asyncio.create_task(world.until_ended(key))
            while not ended.done():
                await asyncio.sleep(0.001)
                world.clock.advance(5.0)
        assert (await ended)["TrainingJobStatus"] == "Completed"

    asyncio.run(scenario())


def test_a_fault_in_one_job_ends_that_job_and_no_other(tmp_path):
    async def scenario():
        world = World(tmp_path)
        await world.put("data/train/a.csv")
        failing(world.objects, "materialize", ZeroDivisionError("a bug"))
        async with world.running():
            broken, sound = [await world.create(a_training_job(name)) for name in ("broken", "sound")]
            document = await world.until_ended(broken)
            assert (await world.until_ended(sound))["TrainingJobStatus"] == "Completed"
        assert document["FailureReason"].endswith("ZeroDivisionError: a bug")

    asyncio.run(scenario())


@pytest.mark.parametrize("refused", ["Completed", "Uploading", "Downloading"])
def test_what_the_catalog_can_never_store_fails_its_job_and_no_other(tmp_path, caplog, refused):
    """It was tried again every five seconds for ever."""

    async def scenario():
        world = World(tmp_path)
        await world.put("data/train/a.csv")
        through = world.catalog.write

        async def picky(*changes):
            for change in changes:
                document = getattr(change, "document", {})
                if document.get("TrainingJobName") == "bad" and document.get("SecondaryStatus") == refused:
                    raise Invalid("FinalMetricDataList holds 'nan', which is no number.")
            return await through(*changes)

        world.catalog.write = picky
        async with world.running():
            bad, good = [await world.create(a_training_job(name)) for name in ("bad", "good")]
            failed, completed = [await world.until_ended(key) for key in (bad, good)]
            again = await world.until_ended(await world.create(a_training_job("again")))
        assert failed["TrainingJobStatus"] == failed["SecondaryStatus"] == "Failed"
        assert failed["FailureReason"] == "ClientError: FinalMetricDataList holds 'nan', which is no number."
        assert completed["TrainingJobStatus"] == again["TrainingJobStatus"] == "Completed"
        started = [one.id for one in world.runtime.started if one.id.startswith("training-bad-")]
        assert len(started) == (0 if refused == "Downloading" else 1)
        assert "job_driver_broke" not in caplog.text

    asyncio.run(scenario())


def test_a_job_whose_driving_breaks_again_and_again_fails(tmp_path, caplog):
    async def scenario():
        world = World(tmp_path)
        key = await world.create(a_training_job())
        world.controller._admission.wait = None  # calling it raises TypeError, which nobody foresaw
        world.controller._admission.taken = "nonsense"
        async with world.running():
            ended = asyncio.create_task(world.until_ended(key))
            while not ended.done():
                await asyncio.sleep(0.001)
                world.clock.advance(1.0)
        assert (await ended)["FailureReason"].startswith("InternalServerError: ")

    asyncio.run(scenario())


def test_somebody_else_changing_the_document_meanwhile_is_kept(tmp_path):
    async def scenario():
        from sagehouse.ports.catalog import Replace

        world = World(tmp_path, fate=Fate(after_s=None))
        await world.put("data/train/a.csv")
        async with world.running():
            key = await world.create(a_training_job())
            await world.until_running(key)
            stored = await world.catalog.get(key)
            changed = {**stored.document, "Mark": "kept"}
            await world.catalog.write(
                Replace(key=key, document=changed, status=stored.status, expect_version=stored.version, now=0.0)
            )
            world.runtime.finish(world.runtime.started[0].id)
            document = await world.until_ended(key)
        assert (document["Mark"], document["TrainingJobStatus"]) == ("kept", "Completed")

    asyncio.run(scenario())


def test_after_the_catalog_was_cleared_nothing_runs_any_more(tmp_path):
    async def scenario():
        world = World(tmp_path, fate=Fate(after_s=None))
        await world.put("data/train/a.csv", "code/pre.py")
        async with world.running():
            keys = [await world.create(a_training_job()), await world.create(a_processing_job())]
            for key in keys:
                await world.until_running(key)
            await world.catalog.clear()
            for key in keys:
                world.controller.wake(key)
            async with asyncio.timeout(5):
                while world.runtime.runs or list((tmp_path / "jobs").iterdir()):
                    await settled()
            await world.put("data/train/a.csv")
            await world.until_running(await world.create(a_training_job()))

    asyncio.run(scenario())


def test_keys_of_other_kinds_and_of_jobs_that_ended_are_ignored(tmp_path):
    async def scenario():
        world = World(tmp_path)
        await world.put("data/train/a.csv")
        async with world.running():
            key = await world.create(a_training_job())
            document = await world.until_ended(key)
            world.controller.wake(Key(account="1", region="r", kind="Endpoint", name="e"))
            world.controller.wake(key)
            await settled()
            assert (await world.catalog.get(key)).document == document

    asyncio.run(scenario())
