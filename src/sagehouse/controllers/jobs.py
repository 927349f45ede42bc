"""The jobs controller: brings every processing and training job from its wish to its end.

`jobs_driver.py` drives one job, `jobs_steps.py` does what it asks; the decisions are in `domain.jobs`.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sagehouse.controllers.jobs_admission import Admission
from sagehouse.controllers.jobs_directory import HEAP, WORDS, remove, workload_id
from sagehouse.controllers.jobs_driver import Driver
from sagehouse.controllers.jobs_steps import reason_of
from sagehouse.controllers.woken import Woken
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.domain.jobs.job import LIFECYCLES
from sagehouse.ports.catalog import Key, Stored

_log = logging.getLogger(__name__)
_ATTEMPTS = 3
"""Times a job's driving may go wrong in a way nobody foresaw before the job fails."""
_RETRY_S = 1.0
_PLACES_PER_PROCESSOR = 4
"""Generous: most jobs of a pipeline wait for files or for each other."""


def _load() -> float:
    return os.getloadavg()[0]


class JobsController:
    """Runs many jobs at once, at most `places`; on start it adopts every job that has not ended.

    `kill -9` at any moment loses nothing and starts nothing twice: what was decided is stored before it is done, and
    a workload is the same workload however often it is started.
    """

    kinds: tuple[str, ...] = tuple(LIFECYCLES)

    def __init__(self, ports: WorkloadPorts, *, places: int | None = None, load: Callable[[], float] = _load) -> None:
        """`places` bounds the jobs that run at once; `load` is the machine's load average."""
        processors = os.cpu_count() or 1
        self._ports = ports
        self._admission = Admission(
            places=places or _PLACES_PER_PROCESSOR * processors,
            clock=ports.clock,
            load=load,
            idle_below=processors / 2,
        )
        self._drivers: dict[Key, Driver] = {}
        self._woken = Woken(self.kinds)

    def wake(self, key: Key) -> None:
        """Reconcile a job soon; keys of other kinds are not ours and ignored."""
        self._woken.add(key)

    async def run(self) -> None:
        """Drive jobs until cancelled. Jobs that run then go on running, and are adopted by the next `run`."""
        self._ports.jobs.mkdir(parents=True, exist_ok=True)
        leftovers = list(self._ports.jobs.iterdir())
        unfinished = [stored for kind in self.kinds for stored in await self._unfinished(kind)]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._admission.watch(), name="jobs-admission")
            group.create_task(self._sweep(unfinished, leftovers), name="jobs-sweep")
            for stored in unfinished:
                self._attend(group, stored.key)
            async for key in self._woken:
                self._attend(group, key)

    async def _unfinished(self, kind: str) -> Iterable[Stored]:
        return await self._ports.catalog.with_status(kind, LIFECYCLES[kind].unfinished)

    def _attend(self, group: asyncio.TaskGroup, key: Key) -> None:
        driver = self._drivers.get(key.plain)
        if driver is not None:
            driver.notice()
            return
        driver = self._drivers[key.plain] = self._driver(key)
        group.create_task(self._keep(driver), name=f"job-{key.name}")

    def _driver(self, key: Key) -> Driver:
        return Driver(key, ports=self._ports, admission=self._admission)

    async def _keep(self, driver: Driver) -> None:
        """See one job through, whatever goes wrong with it."""
        key = driver.key
        try:
            for _ in range(_ATTEMPTS):
                try:
                    await driver.run()
                except Exception as problem:  # noqa: BLE001 - a fault in driving one job must not end the others'
                    _log.exception("job_driver_broke kind=%s name=%s", key.kind, key.name)
                    reason = reason_of(problem)
                    await self._ports.clock.sleep(_RETRY_S)
                    driver = self._drivers[key.plain] = self._driver(key)
                else:
                    return
            await driver.fail(reason)
        finally:
            del self._drivers[key.plain]
            if driver.has_unread:
                self.wake(key)

    async def _sweep(self, unfinished: Sequence[Stored], leftovers: Sequence[Path]) -> None:
        """Remove the directories of jobs that ended while nobody was there to clean up."""
        kept = {workload_id(stored.key, stored.document["CreationTime"]) for stored in unfinished}
        words = [f"{word}-" for word in WORDS.values()]
        prefixes = (*words, *(f"{HEAP}{word}" for word in words))
        for path in leftovers:
            if path.name.startswith(prefixes) and path.name not in kept:
                await remove(path)
