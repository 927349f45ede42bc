"""What every runtime promises. Each adapter and the fake inherit `RuntimeContract`."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sagehouse.kit.errors import Conflict, Invalid
from sagehouse.ports.runtime import Handle, Host, Mount, Observed, Runtime, Workload, handle_document, handle_from


def a_workload(folder: Path, *command: str, hosts: int = 1, **more: Any) -> Workload:
    """A workload whose directory and logs are below `folder`."""
    directory = folder / "job"
    directory.mkdir(parents=True, exist_ok=True)
    named = [Host(name=f"algo-{n}", log=folder / f"algo-{n}.log") for n in range(1, hosts + 1)]
    given: dict[str, Any] = {"id": "job-1", "environment": {}, "stop_grace_s": 0.2, **more}
    return Workload(directory=directory, command=command, hosts=named, **given)


async def to_the_end(runtime: Runtime, workload: Workload) -> Observed:
    return await asyncio.wait_for(runtime.wait(await runtime.start(workload)), 30)


class RuntimeContract:
    """Commands are only those that tests/fakes/runtime.py knows: `sh -c "exit N"` and `sleep N`."""

    def runtime(self) -> Runtime:
        raise NotImplementedError

    def starts(self, runtime: Runtime, workload: Workload) -> int:
        """Return how often the workload's command was really begun."""
        raise NotImplementedError

    def check(self, promise: Callable[[Runtime], Awaitable[None]]) -> None:
        asyncio.run(self._check(promise))

    async def _check(self, promise: Callable[[Runtime], Awaitable[None]]) -> None:
        await promise(self.runtime())

    def test_a_command_that_succeeds_ends_with_zero_and_its_times(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            seen = await to_the_end(runtime, a_workload(tmp_path, "sh", "-c", "exit 0"))
            assert (seen.is_running, seen.reason, dict(seen.exit_codes)) == (False, "exited", {"algo-1": 0})
            assert seen.started_at is not None
            assert seen.ended_at is not None
            assert seen.started_at <= seen.ended_at

        self.check(promise)

    def test_the_exit_code_of_a_failed_command_is_told(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            seen = await to_the_end(runtime, a_workload(tmp_path, "sh", "-c", "exit 3"))
            assert (seen.reason, dict(seen.exit_codes)) == ("exited", {"algo-1": 3})

        self.check(promise)

    def test_every_host_has_its_exit_code(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            seen = await to_the_end(runtime, a_workload(tmp_path, "sh", "-c", "exit 0", hosts=3))
            assert dict(seen.exit_codes) == {"algo-1": 0, "algo-2": 0, "algo-3": 0}

        self.check(promise)

    def test_a_workload_runs_until_it_is_stopped(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            handle = await runtime.start(a_workload(tmp_path, "sleep", "60"))
            assert (await runtime.poll(handle)).is_running
            await runtime.stop(handle, grace_s=20)
            seen = await asyncio.wait_for(runtime.wait(handle), 10)
            assert (seen.is_running, seen.reason) == (False, "stopped")
            assert set(seen.exit_codes) == {"algo-1"}

        self.check(promise)

    def test_a_stop_without_grace_kills(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            handle = await runtime.start(a_workload(tmp_path, "sleep", "60", stop_grace_s=60))
            await runtime.stop(handle)
            await runtime.stop(handle, grace_s=0)
            seen = await asyncio.wait_for(runtime.wait(handle), 10)
            assert seen.reason == "stopped"

        self.check(promise)

    def test_stopping_what_has_ended_changes_nothing(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            handle = await runtime.start(a_workload(tmp_path, "sh", "-c", "exit 0"))
            seen = await runtime.wait(handle)
            await runtime.stop(handle)
            assert await runtime.poll(handle) == seen

        self.check(promise)

    def test_a_workload_ends_when_its_time_is_over(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            seen = await to_the_end(runtime, a_workload(tmp_path, "sleep", "60", max_runtime_s=0.1))
            assert seen.reason == "timed_out"
            assert seen.exit_codes["algo-1"] != 0

        self.check(promise)

    def test_a_workload_may_be_given_more_time_than_the_kernel_waits(self, tmp_path: Path) -> None:
        """SageMaker's longest job, 28 days, is longer than one epoll waits: it was lost as soon as it had begun."""

        async def promise(runtime: Runtime) -> None:
            seen = await to_the_end(runtime, a_workload(tmp_path, "sleep", "0.05", max_runtime_s=28 * 86_400.0))
            assert (seen.reason, dict(seen.exit_codes)) == ("exited", {"algo-1": 0})

        self.check(promise)

    def test_the_same_id_started_twice_runs_once(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            workload = a_workload(tmp_path, "sh", "-c", "exit 0")
            first, second = await asyncio.gather(runtime.start(workload), runtime.start(workload))
            await runtime.wait(first)
            third = await runtime.start(workload)
            await runtime.wait(third)
            assert first == second == third
            assert self.starts(runtime, workload) == 1

        self.check(promise)

    def test_another_id_in_the_same_directory_is_another_attempt(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            workload = a_workload(tmp_path, "sh", "-c", "exit 4")
            again = replace(workload, id="job-1/attempt 2", command=("sh", "-c", "exit 5"))
            codes = [(await to_the_end(runtime, each)).exit_codes["algo-1"] for each in (workload, again)]
            assert codes == [4, 5]

        self.check(promise)

    def test_a_command_that_does_not_exist_fails_to_start_and_is_named(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            seen = await to_the_end(runtime, a_workload(tmp_path, "/no/such/command"))
            assert (seen.reason, seen.started_at, dict(seen.exit_codes)) == ("failed_to_start", None, {"algo-1": 127})
            assert "/no/such/command" in seen.detail

        self.check(promise)

    def test_many_may_wait_for_one_workload(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            handle = await runtime.start(a_workload(tmp_path, "sleep", "0.05"))
            seen = await asyncio.gather(*(runtime.wait(handle) for _ in range(3)))
            assert [each.reason for each in seen] == ["exited"] * 3

        self.check(promise)

    def test_a_handle_that_was_stored_finds_the_workload(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            handle = await runtime.start(a_workload(tmp_path, "sh", "-c", "exit 6"))
            stored = handle_from(handle_document(handle))
            assert (await runtime.wait(stored)).exit_codes == {"algo-1": 6}

        self.check(promise)

    def test_a_handle_to_nothing_is_lost(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            nothing = Handle(runtime="process", workload_id="never", directory=str(tmp_path))
            await runtime.stop(nothing)
            assert (await runtime.wait(nothing)).reason == "lost"

        self.check(promise)

    def test_a_forgotten_workload_leaves_nothing_and_may_be_forgotten_again(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            workload = a_workload(tmp_path, "sh", "-c", "exit 0")
            (workload.directory / "mine").write_text("kept")
            handle = await runtime.start(workload)
            await runtime.wait(handle)
            await runtime.forget(handle)
            await runtime.forget(handle)
            assert (await runtime.poll(handle)).reason == "lost"
            assert [path.name for path in workload.directory.iterdir()] == ["mine"]

        self.check(promise)

    def test_a_running_workload_is_not_forgotten(self, tmp_path: Path) -> None:
        async def promise(runtime: Runtime) -> None:
            handle = await runtime.start(a_workload(tmp_path, "sleep", "60"))
            with pytest.raises(Conflict, match="job-1"):
                await runtime.forget(handle)
            await runtime.stop(handle, grace_s=0)
            await runtime.wait(handle)

        self.check(promise)

    @pytest.mark.parametrize(
        "mount",
        [
            Mount(source=Path("/usr"), target="relative", access="read"),
            Mount(source=Path("/usr"), target="/opt/../etc", access="read"),
            Mount(source=Path("/usr"), target="/", access="read"),
            Mount(source=Path("/usr"), target="/proc/self", access="read"),
            Mount(source=Path("/"), target="/everything", access="read"),
        ],
        ids=lambda mount: mount.target,
    )
    def test_a_mount_that_makes_no_sense_or_shows_the_runtimes_files_is_refused(
        self, tmp_path: Path, mount: Mount
    ) -> None:
        async def promise(runtime: Runtime) -> None:
            with pytest.raises(Invalid):
                await runtime.start(a_workload(tmp_path, "sleep", "1", mounts=[mount]))

        self.check(promise)
