"""What can be done for one job, each step one promise: done when it returns, harmless to do again after a crash."""

import errno
import logging
from collections.abc import Callable, Iterator

from sagehouse.controllers.equipment import Equipment, equip
from sagehouse.controllers.jobs_collect import Collector
from sagehouse.controllers.jobs_directory import JobDirectory, remove, workload_id
from sagehouse.controllers.jobs_observe import final_metrics, outcome_of
from sagehouse.controllers.jobs_stage import Unfit, stage
from sagehouse.controllers.jobs_sync import Watched, sync, watched_of
from sagehouse.controllers.jobs_workload import build_workload, log_stream
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.domain.jobs import processing, training
from sagehouse.domain.jobs.failure import FailureReason, disk_full, internal, path_too_long, refused
from sagehouse.domain.jobs.layout import layout_of
from sagehouse.domain.jobs.metrics import FinalMetric
from sagehouse.domain.jobs.outcome import Outcome, end_of
from sagehouse.domain.jobs.phase import Phase
from sagehouse.kit.errors import Invalid, NotFound, SagehouseError
from sagehouse.ports.catalog import Stored
from sagehouse.ports.runtime import Handle, Observed
from sagehouse.ports.streams import Scope

_log = logging.getLogger(__name__)
_SPECS = {"TrainingJob": training.spec_of, "ProcessingJob": processing.spec_of}
_WATCH_RETRY_S = (0.1, 1.0, 5.0)
"""After a runtime could not tell how a workload ended; then the workload counts as lost."""
_SYNC_RETRY_S = 30.0
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Steps:
    """The steps of one job. Raises Invalid or NotFound when made for a job that asks for what is not available."""

    def __init__(self, stored: Stored, ports: WorkloadPorts) -> None:
        document = stored.document
        self._ports = ports
        self._key = stored.key
        self._arn = stored.arn
        self._document = document
        self._created_at: float = document["CreationTime"]
        self._scope = Scope(account=stored.key.account, region=stored.key.region)
        self._spec = _SPECS[stored.key.kind](document)
        self._image = ports.resolve(self._spec.image)
        root = ports.jobs / workload_id(stored.key, self._created_at)
        self._directory = JobDirectory(root=root, layout=layout_of(self._spec))
        self._collector = Collector(
            self._spec, self._directory, objects=ports.objects, archives=ports.archives, clock=ports.clock
        )
        self._equipment: Equipment | None = None

    async def equip(self, told: Callable[[str], None]) -> str:
        """Make sure of the Python environment; return how it differs from what the image names, told in the log too.

        `told` hears what takes a while. A remote function installs no SDK itself: nobody else says why that is missing.
        """
        equipment = await self._ensure(told)
        note = equipment.environment.note or (equipment.refusal if self._spec.caller else "")
        if note:
            stream = log_stream(self._spec.name, self._spec.cluster.hosts[0], self._created_at)
            self._ports.streams.file(self._scope, self._spec.log_group, stream)
            line = [(int(self._ports.clock.now() * 1000), note)]
            await self._ports.streams.append(self._scope, self._spec.log_group, stream, line)
        return note

    async def stage(self) -> None:
        await stage(self._ports.objects, self._spec, self._directory, region=self._key.region)

    async def launch(self) -> Handle:
        """Hand the workload to the runtime, which starts it only if it never did."""
        workload = build_workload(
            self._spec,
            self._document,
            key=self._key,
            directory=self._directory,
            streams=self._ports.streams,
            image=self._image,
            equipment=await self._ensure(lambda _: None),
            house=self._ports.job_environment(self._key),
            toolkit_mounts=tuple(self._ports.toolkit_mounts),
        )
        return await self._ports.runtime.start(workload)

    async def watch(self, handle: Handle) -> Outcome:
        """Return how the workload ended, as soon as it did; what is not stored after such an end is gone by then."""
        outcome = await outcome_of(
            await self._await_end(handle),
            spec=self._spec,
            directory=self._directory,
            streams=self._ports.streams,
            scope=self._scope,
            created_at=self._created_at,
            notes=self._image.environment.notes,
        )
        await self._collector.make_room(end_of(outcome))
        return outcome

    async def halt(self, handle: Handle) -> None:
        await self._ports.runtime.stop(handle)

    @property
    def watched(self) -> list[Watched]:
        """What is stored while the script runs; empty for most jobs."""
        return watched_of(self._spec, self._directory)

    async def keep_synced(self, watched: list[Watched]) -> None:
        """Store what changes, until cancelled; what cannot be stored now is tried again, at the latest at the end."""
        while True:
            try:
                await sync(watched, self._directory, objects=self._ports.objects, clock=self._ports.clock)
            except (SagehouseError, OSError) as problem:
                _log.warning("job_not_synced arn=%s problem=%s", self._arn, problem)
                await self._ports.clock.sleep(_SYNC_RETRY_S)

    async def collect(self, end: Phase) -> tuple[FinalMetric, ...]:
        """Store what a job with this end leaves; return its metrics."""
        await self._collector.collect(end)
        ports = self._ports
        return await final_metrics(
            ports.metrics, ports.streams, scope=self._scope, spec=self._spec, created_at=self._created_at
        )

    async def clean(self, handle: Handle | None) -> None:
        """Remove the job's directory, and what still runs in it."""
        runtime = self._ports.runtime
        try:
            if handle is not None:
                if (await runtime.poll(handle)).is_running:
                    await runtime.stop(handle, grace_s=0)
                    await runtime.wait(handle)
                await runtime.forget(handle)
        except (SagehouseError, OSError) as problem:
            _log.warning("job_not_forgotten arn=%s problem=%s", self._arn, problem)
        await remove(self._directory.root)

    async def _ensure(self, told: Callable[[str], None]) -> Equipment:
        if self._equipment is None:
            caller = self._spec.caller
            text = caller.requirements if caller else await self._ports.requirements.read(self._spec.source)
            self._equipment = await equip(
                self._ports.environments, self._image, text=text, python=caller.python if caller else "", told=told
            )
        return self._equipment

    async def _await_end(self, handle: Handle) -> Observed:
        for retry_s in _WATCH_RETRY_S:
            try:
                return await self._ports.runtime.wait(handle)
            except (NotFound, Invalid):
                break
            except (SagehouseError, OSError) as problem:
                _log.warning("job_not_watched arn=%s problem=%s", self._arn, problem)
                await self._ports.clock.sleep(retry_s)
        return Observed(is_running=False, reason="lost")


def reason_of(problem: BaseException) -> FailureReason:
    """Return why a job fails whose step raised this."""
    if isinstance(problem, Unfit):
        return problem.reason
    if any(isinstance(cause, OSError) and cause.errno in _FULL for cause in _causes(problem)):
        return disk_full("")
    if any(isinstance(cause, OSError) and cause.errno == errno.ENAMETOOLONG for cause in _causes(problem)):
        return path_too_long()
    if isinstance(problem, SagehouseError):
        return refused(problem.message) if problem.fault == "client" else internal(problem.message)
    return internal(f"{type(problem).__name__}: {problem}")


def _causes(problem: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = problem
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
