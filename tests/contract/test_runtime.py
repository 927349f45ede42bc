"""The runtimes, held to their contract."""

import asyncio

from tests.contract.runtime import RuntimeContract
from tests.fakes.runtime import FakeRuntime

from sagehouse.ports.runtime import Runtime, Workload
from sagehouse.runtimes.process.runtime import ProcessRuntime


class LeapingClock:
    """Time passes only where somebody sleeps, and then at once."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.time += seconds


class TestFakeRuntime(RuntimeContract):
    def runtime(self) -> Runtime:
        return FakeRuntime(LeapingClock())

    def starts(self, runtime: Runtime, workload: Workload) -> int:
        assert isinstance(runtime, FakeRuntime)
        return runtime.started.count(workload)


class TestProcessRuntime(RuntimeContract):
    def runtime(self) -> Runtime:
        return ProcessRuntime()

    def starts(self, runtime: Runtime, workload: Workload) -> int:
        """Each start would have made a root; the ledger lets only one process begin."""
        states = list((workload.directory / ".workload").iterdir())
        return len([path for state in states for path in (state / "hosts").iterdir()])
