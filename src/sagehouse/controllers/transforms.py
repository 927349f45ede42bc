"""The transforms controller: brings every batch transform job to its end.

`transforms_job.py` drives one job, `transforms_file.py` puts one file through a model; how files are cut, joined and
named is decided in `domain.transform`.
"""

import asyncio
import logging

from sagehouse.controllers.transforms_job import TransformJob
from sagehouse.controllers.woken import Woken, innermost
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.domain.lifecycle import TRANSFORM_JOB
from sagehouse.ports.catalog import Key

_log = logging.getLogger(__name__)
_ATTEMPTS = 3
"""Times a job's driving may go wrong in a way nobody foresaw before the job fails."""
_RETRY_S = 1.0


class TransformsController:
    """On start it takes up every job that has not ended: its servers are found again, finished files stay finished."""

    kinds: tuple[str, ...] = (TRANSFORM_JOB.kind,)

    def __init__(self, ports: WorkloadPorts) -> None:
        self._ports = ports
        self._jobs: dict[Key, TransformJob] = {}
        self._woken = Woken(self.kinds)

    def wake(self, key: Key) -> None:
        """Look at a job soon; keys of other kinds are not ours and ignored."""
        self._woken.add(key)

    async def run(self) -> None:
        """Drive jobs until cancelled. Their servers then live on, and are found by the next `run`."""
        for stored in await self._ports.catalog.with_status(TRANSFORM_JOB.kind, TRANSFORM_JOB.unfinished):
            self.wake(stored.key)
        async with asyncio.TaskGroup() as group:
            async for key in self._woken:
                self._attend(group, key)

    def _attend(self, group: asyncio.TaskGroup, key: Key) -> None:
        job = self._jobs.get(key.plain)
        if job is not None:
            job.notice()
            return
        job = self._jobs[key.plain] = TransformJob(key, ports=self._ports)
        group.create_task(self._keep(job), name=f"transform-job-{key.name}")

    async def _keep(self, job: TransformJob) -> None:
        """See one job through, whatever goes wrong with it."""
        try:
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    await job.run()
                except Exception as problem:  # noqa: BLE001 - a fault in driving one job must not end the others'
                    _log.exception("transform_broke name=%s", job.key.name)
                    if attempt == _ATTEMPTS:
                        await job.fail(innermost(problem))
                    await self._ports.clock.sleep(_RETRY_S)
                else:
                    return
        finally:
            del self._jobs[job.key.plain]
            if job.has_unread:
                self.wake(job.key)
