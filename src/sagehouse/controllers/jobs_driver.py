"""One job, driven from where it is to its end: decide, store, perform, hear what happened.

Steps that take time run in tasks of the job's own TaskGroup and answer with an event through the inbox, so that a stop
is heard at any moment. Nothing here decides: `domain.jobs.decide` does.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, assert_never

from sagehouse.controllers.jobs_admission import Admission
from sagehouse.controllers.jobs_stage import Unfit
from sagehouse.controllers.jobs_steps import Steps, reason_of
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.domain.jobs.decide import (
    Abandon,
    Action,
    Admit,
    Admitted,
    Broke,
    Clean,
    Collect,
    Collected,
    Ended,
    Equip,
    Equipped,
    Event,
    Halt,
    Installing,
    Launch,
    Launched,
    Loaded,
    Stage,
    Staged,
    StopAsked,
    Waiting,
    Watch,
    decide,
)
from sagehouse.domain.jobs.failure import FailureReason
from sagehouse.domain.jobs.job import LIFECYCLES, Job
from sagehouse.kit.errors import Conflict, Invalid, NotFound, SagehouseError
from sagehouse.ports.catalog import Key
from sagehouse.ports.runtime import Handle, handle_document, handle_from
from sagehouse.resources.transition import transition

_log = logging.getLogger(__name__)
_WHO = "jobs controller"
_RETRY_S = (0.05, 0.2, 1.0, 5.0)
"""Between attempts to store a decision; the last one repeats, for a full disk has an end."""


class Noticed:
    """Somebody else may have changed the stored job."""


class Vanished(Exception):
    """The job is no longer in the catalog."""


class Driver:
    """Drives one job. Invariant: nothing is performed before the decision that asks for it is stored."""

    def __init__(self, key: Key, *, ports: WorkloadPorts, admission: Admission) -> None:
        self.key = key
        self._lifecycle = LIFECYCLES[key.kind]
        self._ports = ports
        self._admission = admission
        self._inbox: asyncio.Queue[Event | Noticed] = asyncio.Queue()
        self._preparing: set[asyncio.Task[None]] = set()
        self._launching: asyncio.Task[None] | None = None
        self._launched: Handle | None = None
        self._syncing: asyncio.Task[None] | None = None
        self._has_place = False

    @property
    def has_unread(self) -> bool:
        return not self._inbox.empty()

    def notice(self) -> None:
        """Look at the stored job again soon."""
        self._inbox.put_nowait(Noticed())

    async def run(self) -> None:
        """Drive the job to its end; returns when its directory is clean, at once if it has ended or vanished."""
        stored = await self._ports.catalog.get(self.key)
        if stored is None or stored.status not in self._lifecycle.unfinished:
            return
        self._stored = stored
        try:
            self._steps = Steps(stored, self._ports)
        except SagehouseError as problem:
            handle = self._job.handle
            if handle is not None:  # it was known when it was started, and is no longer
                await self._ports.runtime.stop(handle_from(handle), grace_s=0)
            await self.fail(reason_of(problem))
            return
        try:
            async with asyncio.TaskGroup() as self._group:
                await self._drive()
                self._stop_syncing()
        finally:
            self._give_up_place()

    async def fail(self, reason: FailureReason) -> None:
        """End the job whatever it is doing."""
        try:
            await self._load()
            if not self._job.phase.is_end:
                await self._advance(Broke(reason))
        except Vanished:
            return

    # -- the loop

    async def _drive(self) -> None:
        event: Event = Loaded()
        if not self._job.phase.is_before_running:
            self._admission.enter()
            self._has_place = True
        try:
            while True:
                job, actions = await self._advance(event)
                for action in actions:
                    await self._perform(action)
                if job.phase.is_end:
                    return
                event = await self._hear()
        except Vanished:
            self._abandon()
            if self._launching is not None:
                await asyncio.wait({self._launching})
            await self._steps.clean(handle_from(self._job.handle) if self._job.handle else self._launched)

    async def _hear(self) -> Event:
        while True:
            heard = await self._inbox.get()
            if not isinstance(heard, Noticed):
                return heard
            was_stopping = self._job.is_stopping
            await self._load()
            if self._job.is_stopping and not was_stopping:
                return StopAsked()

    async def _advance(self, event: Event) -> tuple[Job, tuple[Action, ...]]:
        """Decide and store, again and again until it is stored."""
        attempt = 0
        while True:
            before, now = self._job, self._ports.clock.now()
            if before.is_stopping and before.phase.is_before_running and not isinstance(event, Broke):
                event = StopAsked()
            job, actions = decide(before, event, now=now)
            if job == before:
                return job, actions
            try:
                await self._store(job, event, now=now)
            except Conflict:
                await self._load()
            except NotFound as gone:
                raise Vanished from gone
            except Invalid as problem:  # what this event says can never be stored: the job fails, saying so
                if isinstance(event, Broke):
                    raise
                event = Broke(reason_of(problem))
            except (SagehouseError, OSError) as problem:
                _log.warning("job_not_stored arn=%s problem=%s", self._stored.arn, problem)
                await self._ports.clock.sleep(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
                attempt += 1
            else:
                return job, actions

    async def _store(self, job: Job, event: Event, *, now: float) -> None:
        self._stored = await transition(
            self._ports.catalog,
            self._lifecycle,
            self._stored,
            to=job.status,
            document=job.to_document(self._stored.document, now=now),
            now=now,
            who=_WHO,
            why=(job.failure_reason or job.phase.value) if job.phase.is_end else "",
        )
        _log.info("job_phase arn=%s phase=%s event=%s", self._stored.arn, job.phase, type(event).__name__)

    @property
    def _job(self) -> Job:
        return Job.from_document(self._lifecycle, self._stored.document)

    async def _load(self) -> None:
        stored = await self._ports.catalog.get(self.key)
        if stored is None:
            raise Vanished
        self._stored = stored

    # -- the actions

    async def _perform(self, action: Action) -> None:
        match action:
            case Admit():
                self._prepare("admit", self._admit())
            case Equip():
                self._prepare("equip", self._equip())
            case Stage():
                self._prepare("stage", self._stage())
            case Launch():
                self._launching = self._begin("launch", self._launch())
            case Watch(handle):
                self._begin("watch", self._watch(handle))
                self._start_syncing()
            case Halt(handle):
                self._begin("halt", self._halt(handle))
            case Collect():
                self._stop_syncing()
                self._begin("collect", self._collect(action))
            case Abandon():
                self._abandon()
            case Clean(handle):
                self._give_up_place()
                await self._steps.clean(handle_from(handle) if handle else None)
            case _:
                assert_never(action)

    def _begin(self, name: str, step: Coroutine[Any, Any, Event | None]) -> asyncio.Task[None]:
        return self._group.create_task(self._answer(step), name=f"job-{name}-{self.key.name}")

    def _prepare(self, name: str, step: Coroutine[Any, Any, Event | None]) -> None:
        task = self._begin(name, step)
        self._preparing.add(task)
        task.add_done_callback(self._preparing.discard)

    def _abandon(self) -> None:
        for task in self._preparing:
            task.cancel()

    async def _answer(self, step: Coroutine[Any, Any, Event | None]) -> None:
        try:
            event = await step
        except Exception as problem:  # noqa: BLE001 - whatever breaks a step fails its own job, never the controller
            is_foreseen = isinstance(problem, Unfit | SagehouseError | OSError)
            _log.warning(
                "job_broke arn=%s problem=%r", self._stored.arn, problem, exc_info=None if is_foreseen else problem
            )
            event = Broke(reason_of(problem))
        if event is not None:
            self._inbox.put_nowait(event)

    async def _admit(self) -> Event:
        if self._admission.is_full:
            self._inbox.put_nowait(Waiting(self._admission.message))
        await self._admission.wait()
        self._has_place = True
        return Admitted()

    async def _equip(self) -> Event:
        return Equipped(await self._steps.equip(lambda words: self._inbox.put_nowait(Installing(words))))

    async def _stage(self) -> Event:
        await self._steps.stage()
        return Staged()

    async def _launch(self) -> Event:
        self._launched = await self._steps.launch()
        return Launched(handle_document(self._launched))

    async def _watch(self, handle: dict[str, Any]) -> Event:
        return Ended(await self._steps.watch(handle_from(handle)))

    async def _halt(self, handle: dict[str, Any]) -> None:
        await self._steps.halt(handle_from(handle))

    async def _collect(self, action: Collect) -> Event:
        return Collected(await self._steps.collect(action.end))

    def _start_syncing(self) -> None:
        watched = self._steps.watched
        if watched:
            work = self._steps.keep_synced(watched)
            self._syncing = self._group.create_task(work, name=f"job-sync-{self.key.name}")

    def _stop_syncing(self) -> None:
        if self._syncing is not None:
            self._syncing.cancel()

    def _give_up_place(self) -> None:
        if self._has_place:
            self._has_place = False
            self._admission.leave()
