"""`kill -9` at every point of an execution: nothing is lost, nothing runs twice, the execution comes to its end."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.unit.controllers_pipelines.definitions import EVALUATION, a_definition, a_processing, compiled
from tests.unit.controllers_pipelines.world import CrashError, World, settle

from sagehouse.domain.pipelines import records

QUICKSTART = compiled("v2_quickstart_register_model")


class Crashes:
    """Counts the points at which the house could die and dies at one of them."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0

    def point(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise CrashError


async def _drive(world: World, arn: str) -> None:
    """End every job that runs until the execution has ended or the controller has died."""
    for _ in range(12):
        await settle()
        for job in world.jobs("InProgress"):
            await world._end(job, "Completed", {})


async def _crashed_at(point: int) -> tuple[World, str, int]:
    world = World()
    await world.put_json(EVALUATION, '{"binary_classification_metrics": {"accuracy": {"value": 0.9}}}')
    async with world.running():
        pass
    arn = await world.start(QUICKSTART)
    crashes = Crashes(point)

    def before(changes: Sequence[Any]) -> None:
        if any(change.key.kind in {records.STEP, records.EXECUTION, records.CACHED_STEP} for change in changes):
            crashes.point()

    world.before_write, world.after_create = before, lambda operation: crashes.point()
    async with world.running():
        await _drive(world, arn)
    world.before_write, world.after_create = lambda changes: None, lambda operation: None
    async with world.running():
        await _drive(world, arn)
    return world, arn, crashes.seen


def test_an_execution_survives_a_kill_at_any_point_without_running_a_step_twice() -> None:
    async def scenario() -> None:
        _, _, points = await _crashed_at(0)
        assert points > 15
        for point in range(1, points + 1):
            world, arn, _ = await _crashed_at(point)
            assert await world.status(arn) == "Succeeded", f"killed at point {point}"
            assert set((await world.statuses(arn)).values()) == {"Succeeded"}, f"killed at point {point}"
            assert len(world.jobs()) == 3, f"killed at point {point}"
            assert len(world.packages()) == 1, f"killed at point {point}"
            assert all(step["AttemptCount"] == 1 for step in await world.steps(arn))

    asyncio.run(scenario())


def test_jobs_that_ended_while_the_house_was_down_are_noticed_at_start() -> None:
    async def scenario() -> None:
        world = World()
        async with world.running():
            arn = await world.start(a_definition(a_processing("A"), a_processing("B", DependsOn=["A"])))
        await world.end("A")
        assert await world.status(arn) == "Executing"
        async with world.running():
            assert await world.statuses(arn) == {"A": "Succeeded", "B": "Executing"}

    asyncio.run(scenario())


def test_a_stop_asked_while_the_house_was_down_is_carried_out_at_start() -> None:
    async def scenario() -> None:
        world = World()
        async with world.running():
            arn = await world.start(a_definition(a_processing("A"), a_processing("B", DependsOn=["A"])))
        await world.ask("StopPipelineExecution", PipelineExecutionArn=arn)
        async with world.running():
            assert await world.status(arn) == "Stopped"
            assert await world.statuses(arn) == {"A": "Stopped"}

    asyncio.run(scenario())


def test_a_step_that_waits_for_its_retry_keeps_its_appointment_over_a_restart() -> None:
    policy = {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 60, "MaxAttempts": 3}

    async def scenario() -> None:
        world = World()
        async with world.running():
            arn = await world.start(a_definition(a_processing("A", RetryPolicies=[policy])))
            await world.end("A", "Failed", FailureReason="InternalServerError: gone")
        async with world.running():
            assert world.jobs("InProgress") == []
            world.clock.advance(60)
            await settle()
            assert len(world.jobs("InProgress")) == 1
            await world.end("A")
            assert await world.status(arn) == "Succeeded"

    asyncio.run(scenario())


def test_two_executions_of_one_pipeline_do_not_mix() -> None:
    async def scenario() -> None:
        world = World()
        async with world.running():
            first = await world.start(a_definition(a_processing("A")))
            second = await world.again()
            jobs = {job.key.name.split("-")[1]: job for job in world.jobs("InProgress")}
            await world._end(jobs[second.rsplit("/", 1)[-1]], "Completed", {})
            assert await world.status(second) == "Succeeded"
            assert await world.status(first) == "Executing"

    asyncio.run(scenario())
