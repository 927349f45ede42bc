"""Executions of pipelines, brought from start to end.

Decides nothing: `domain.pipelines` does. One worker per execution loads it, performs what was decided and feeds back
what happened; it sleeps until a child, the execution itself or a due retry wakes it, and never polls.
"""

import asyncio
import logging
from collections.abc import Callable

from sagehouse.controllers.pipelines_children import Children
from sagehouse.controllers.pipelines_live import Inbox, Live, Plans, load
from sagehouse.domain.lifecycle import PIPELINE_EXECUTION
from sagehouse.domain.pipelines import events as ev
from sagehouse.domain.pipelines import records
from sagehouse.domain.pipelines.decide import decide
from sagehouse.domain.pipelines.functions import Shape
from sagehouse.domain.pipelines.step_types import STEP_TYPES
from sagehouse.kit.errors import Conflict
from sagehouse.ports.catalog import Catalog, Key, Stored
from sagehouse.ports.clock import Clock, Ids
from sagehouse.ports.dispatch import Dispatch
from sagehouse.ports.objects import Objects
from sagehouse.resources.transition import transition

_log = logging.getLogger(__name__)

_UNFINISHED = ("Executing", "Stopping")
_MAX_FAILURES = 8
"""Passes over one execution that may fail in a row before it is given up: about 25 s with the pauses between them."""
_FIRST_PAUSE_S = 0.1
_MAX_AT_ONCE = 16
"""Actions of one execution performed at the same time."""


class PipelinesController:
    """Wake it with the key of an execution, or of a job that may be an execution's child.

    `kinds` are reconciled by it alone; `watched` are other controllers' whose writes it wants to hear of as well.
    """

    kinds: tuple[str, ...] = (records.EXECUTION,)
    watched: tuple[str, ...] = tuple(step_type.kind for step_type in STEP_TYPES.values() if step_type.kind)

    def __init__(
        self,
        *,
        catalog: Catalog,
        objects: Objects,
        dispatch: Dispatch,
        clock: Clock,
        ids: Ids,
        input_shape: Callable[[str], Shape | None],
    ) -> None:
        """`input_shape` gives the input shape of a SageMaker operation from the service model."""
        self._catalog = catalog
        self._clock = clock
        self._children = Children(catalog=catalog, objects=objects, dispatch=dispatch, clock=clock, ids=ids)
        self._shapes = {kind.create: input_shape(kind.create) for kind in STEP_TYPES.values() if kind.create}
        self._plans = Plans(catalog=catalog)
        self._inboxes: dict[Key, Inbox] = {}
        self._wanted: set[Key] = set()
        self._bell = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None

    def wake(self, key: Key) -> None:
        if key.kind != records.EXECUTION:
            self._children.wake(key)
            return
        inbox = self._inboxes.get(key.plain)
        if inbox is not None:
            inbox.poke()
        else:
            self._wanted.add(key.plain)
            self._bell.set()

    async def run(self) -> None:
        for stored in await self._catalog.with_status(records.EXECUTION, _UNFINISHED):
            self._wanted.add(stored.key.plain)
        async with asyncio.TaskGroup() as self._tasks:
            while True:
                self._bell.clear()
                for key in sorted(self._wanted, key=lambda key: key.name):
                    if key not in self._inboxes:
                        self._inboxes[key] = Inbox()
                        self._tasks.create_task(self._drive(key, self._inboxes[key]), name=f"pipelines:{key.name}")
                self._wanted.clear()
                await self._bell.wait()

    async def _drive(self, key: Key, inbox: Inbox) -> None:
        """Follow an execution to its end, whatever goes wrong on the way."""
        failures = 0
        while True:
            try:
                await self._follow(key, inbox)
                break
            except Exception as error:  # noqa: BLE001 - one execution's trouble must not end the controller
                failures += 1
                is_race = isinstance(error, Conflict) and error.code == "VersionChanged"
                _log.log(
                    logging.INFO if is_race else logging.ERROR,
                    "pipeline_pass_failed execution=%s failures=%d",
                    key.name,
                    failures,
                    exc_info=None if is_race else error,
                )
                if failures >= _MAX_FAILURES:
                    await self._give_up(key, error)
                    break
                await self._clock.sleep(_FIRST_PAUSE_S * 2 ** (failures - 1) if not is_race else 0)
        self._children.forget(inbox)
        del self._inboxes[key]
        if inbox.is_poked:
            self.wake(key)

    async def _follow(self, key: Key, inbox: Inbox) -> None:
        inbox.take()
        live = await load(self._catalog, self._plans, self._shapes, key, inbox)
        if live is None:
            return
        self._children.adopt(live)
        events: list[ev.Event] = [ev.Resumed()]
        while True:
            live.execution, actions = decide(live.execution, events, self._clock.now())
            await live.save([action.run for action in actions if isinstance(action, ev.Save)], self._clock.now())
            finish = next((action for action in actions if isinstance(action, ev.Finish)), None)
            events = await self._perform(live, [a for a in actions if not isinstance(a, ev.Save | ev.Finish)])
            if finish is not None:
                await self._end(key, finish.status, finish.reason)
                return
            while not events:
                events = await self._hear(live)

    async def _perform(self, live: Live, actions: list[ev.Action]) -> list[ev.Event]:
        """Do everything decided, some of it at the same time; return what happened, in the order of the actions."""
        waits = [action.at for action in actions if isinstance(action, ev.WakeAt)]
        if waits:
            self._ring_at(live, min(waits))
        others = [action for action in actions if not isinstance(action, ev.WakeAt)]
        if len(others) <= 1:
            return [event for action in others for event in await self._children.perform(live, action)]
        gate = asyncio.Semaphore(_MAX_AT_ONCE)

        async def one(action: ev.Action) -> list[ev.Event]:
            async with gate:
                return await self._children.perform(live, action)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(action), name=f"pipelines:{live.key.name}:action") for action in others]
        return [event for task in tasks for event in task.result()]

    def _ring_at(self, live: Live, at: float) -> None:
        if live.rings_at is not None and live.rings_at <= at and live.rings_at > self._clock.now():
            return
        live.rings_at = at

        async def ring() -> None:
            await self._clock.sleep(max(0.0, at - self._clock.now()))
            live.inbox.ring()

        if self._tasks is not None:
            self._tasks.create_task(ring(), name=f"pipelines:{live.key.name}:retry")

    async def _hear(self, live: Live) -> list[ev.Event]:
        """Wait for the inbox, then look at what it names."""
        await live.inbox.wait()
        news = live.inbox.take()
        events: list[ev.Event] = [ev.TimePassed()] if news.has_rung else []
        if news.is_poked:
            events += await self._execution_events(live)
        for name in sorted(news.steps):
            events += await self._children.look(live, name)
        return events

    async def _execution_events(self, live: Live) -> list[ev.Event]:
        stored = await self._catalog.get(live.key)
        if stored is None:
            raise RuntimeError(f"Execution {live.key.name} is gone while it was being followed.")
        events: list[ev.Event] = []
        limit = stored.document.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
        if limit != live.execution.limit:
            events.append(ev.LimitChanged(limit=limit))
        if stored.status == "Stopping" and not live.execution.stopping:
            events.append(ev.StopAsked())
        return events

    async def _end(self, key: Key, status: str, reason: str) -> None:
        while True:
            stored = await self._catalog.get(key)
            if stored is None or stored.status not in _UNFINISHED:
                return
            try:
                await self._move(stored, status, reason)
                return
            except Conflict as error:
                if error.code != "VersionChanged":
                    raise

    async def _move(self, stored: Stored, status: str, reason: str) -> None:
        now = self._clock.now()
        document = {**stored.document, "LastModifiedTime": now}
        document.pop("FailureReason", None)
        if reason:
            document["FailureReason"] = reason
        await transition(
            self._catalog,
            PIPELINE_EXECUTION,
            stored,
            to=status,
            document=document,
            now=now,
            who="pipelines",
            why=reason or f"every step has ended: {status}",
        )
        _log.info("pipeline_execution_ended arn=%s status=%s", stored.arn, status)

    async def _give_up(self, key: Key, error: Exception) -> None:
        try:
            await self._end(key, "Failed", f"InternalServerError: {type(error).__name__}: {error}"[:1300])
        except Exception:  # noqa: BLE001 - the store itself is in trouble; the next start takes the execution up again
            _log.exception("pipeline_give_up_failed execution=%s", key.name)
