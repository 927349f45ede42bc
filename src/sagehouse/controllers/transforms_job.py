"""One transform job: its files put through its servers, its end."""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagehouse.controllers.jobs_directory import remove_quietly
from sagehouse.controllers.jobs_steps import reason_of
from sagehouse.controllers.model_server import Place, container_for, put_out
from sagehouse.controllers.transforms_file import Failed, InputFile, Transformer
from sagehouse.controllers.transforms_input import input_files
from sagehouse.controllers.transforms_servers import (
    MEMBER,
    Running,
    ServerFailed,
    Servers,
    replica_documents,
    replicas_of,
)
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.domain.hosting.deployment import Replica
from sagehouse.domain.jobs.failure import MAX_CHARACTERS, empty_input
from sagehouse.domain.lifecycle import TRANSFORM_JOB
from sagehouse.domain.transform.mishap import Mishap, bad_data
from sagehouse.domain.transform.plan import Plan
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, Invalid, NotFound, SagehouseError
from sagehouse.ports.catalog import Key, Stored
from sagehouse.ports.runtime import Handle, handle_from
from sagehouse.resources.transition import transition

_log = logging.getLogger(__name__)
_WHO = "transforms controller"
_GRACE_S = 2.0
"""A server that has answered everything owes nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    status: str
    reason: str = ""


class TransformJob:
    """Drives one job from where it is to its end. Files whose result is stored are not transformed again."""

    def __init__(self, key: Key, *, ports: WorkloadPorts) -> None:
        self.key = key
        self._ports = ports
        self._bell = asyncio.Event()

    @property
    def has_unread(self) -> bool:
        return self._bell.is_set()

    def notice(self) -> None:
        """Look at the stored job again soon: it may have been asked to stop."""
        self._bell.set()

    async def run(self) -> None:
        """Return once the job has ended and nothing of it runs any more."""
        self._bell.clear()
        stored = await self._ports.catalog.get(self.key)
        if stored is None or stored.status not in TRANSFORM_JOB.unfinished:
            return
        is_stopping = stored.status == "Stopping"
        await self._finish(End(status="Stopped") if is_stopping else await self._until_stopped(self._transform(stored)))

    async def fail(self, problem: BaseException) -> None:
        """End the job for a problem nobody foresaw."""
        await self._finish(End(status="Failed", reason=str(reason_of(problem))))

    async def _until_stopped(self, work: Coroutine[Any, Any, End]) -> End:
        async with asyncio.TaskGroup() as group:
            working = group.create_task(work, name=f"transform-{self.key.name}")
            stopping = group.create_task(self._stop_asked(), name=f"stop-{self.key.name}")
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            working.cancel()
            stopping.cancel()
        return End(status="Stopped") if working.cancelled() else working.result()

    async def _stop_asked(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            stored = await self._ports.catalog.get(self.key)
            if stored is None or stored.status != "InProgress":
                return

    async def _transform(self, stored: Stored) -> End:
        try:
            mishaps = await self._work(stored)
        except (ExceptionGroup, SagehouseError, OSError, ServerFailed) as raised:
            problem = _cause(raised)
            if not isinstance(problem, SagehouseError | OSError | ServerFailed):
                raise
            _log.warning("transform_failed name=%s problem=%s", self.key.name, problem)
            if isinstance(problem, ServerFailed):
                return End(status="Failed", reason=f"AlgorithmError: {problem}"[:MAX_CHARACTERS])
            return End(status="Failed", reason=str(reason_of(problem)))
        return End(status="Failed", reason=mishaps[0].reason) if mishaps else End(status="Completed")

    async def _work(self, stored: Stored) -> list[Mishap]:
        """Transform every file; return what went wrong with some. A bad file does not keep the others from theirs."""
        plan = Plan.from_document(stored.document)
        files = await input_files(self._ports.objects, plan)
        if not files:
            raise Invalid(empty_input(uri=plan.source_uri, region=self.key.region).text)
        progress = Progress(self._place(replicas_of(stored)[0]).root / "done")
        left = [(number, file) for number, file in enumerate(files) if file.label not in progress.done]
        if not left:
            return []
        servers = await self._servers(stored)
        running = await servers.bring_up()
        async with asyncio.TaskGroup() as group:
            watches = [
                group.create_task(servers.watch(one), name=f"server-{one.server.workload_id}") for one in running
            ]
            plan = await servers.parameters(plan, running[0])
            work = Work(plan=plan, servers=servers, left=left, progress=progress, ports=self._ports)
            mishaps = await work.on(running)
            for watch in watches:
                watch.cancel()
        return mishaps

    async def _servers(self, stored: Stored) -> Servers:
        plan = Plan.from_document(stored.document)
        container = await container_for(self._ports.catalog, self.key, plan.model_name)
        return Servers(stored, plan=plan, container=container, ports=self._ports, note=self._note)

    def _place(self, replica: Replica) -> Place:
        return Place.of(self._ports.servers, replica.instance_id)

    # -- the stored job

    async def _note(self, replicas: Sequence[Replica]) -> None:
        def noted(document: Document) -> Document:
            began = document.get("TransformStartTime") or self._ports.clock.now()
            return {**document, MEMBER: replica_documents(replicas), "TransformStartTime": began}

        await self._store(noted)

    async def _finish(self, end: End) -> None:
        """Put the servers out, then store the end: whoever sees it finds the logs complete."""
        stored = await self._ports.catalog.get(self.key)
        replicas = replicas_of(stored) if stored is not None and MEMBER in stored.document else []
        for replica in replicas:
            if (handle := await self._handle(stored, replica)) is not None:
                await put_out(self._ports, handle, grace_s=_GRACE_S)

        def ended(document: Document) -> Document:
            told = {"FailureReason": end.reason} if end.reason else {}
            return {**document, **told, "TransformEndTime": self._ports.clock.now()}

        await self._store(ended, to=end)
        for replica in replicas:
            await asyncio.to_thread(remove_quietly, self._place(replica).root)
        await self._ports.models.prune(self._ports.servers)

    async def _handle(self, stored: Stored | None, replica: Replica) -> Handle | None:
        if replica.handle is not None or stored is None:
            return handle_from(replica.handle) if replica.handle else None
        try:
            return await (await self._servers(stored)).find(replica)
        except SagehouseError as problem:  # its model is gone, say: then nothing was started for it either
            _log.warning("server_not_found name=%s problem=%s", self.key.name, problem)
            return None

    async def _store(self, change: Callable[[Document], Document], *, to: End | None = None) -> None:
        """Store the next version of the job, decided again whenever somebody else wrote first."""
        while (stored := await self._ports.catalog.get(self.key)) is not None:
            if stored.status not in TRANSFORM_JOB.unfinished:
                return
            try:
                await transition(
                    self._ports.catalog,
                    TRANSFORM_JOB,
                    stored,
                    to=to.status if to else stored.status,
                    document=change(stored.document),
                    now=self._ports.clock.now(),
                    who=_WHO,
                    why=(to.reason or to.status) if to else "",
                )
            except Conflict as overtaken:
                if overtaken.code == "IllegalMove":
                    raise
            else:
                return


class Progress:
    """Which files have their result, kept beside the first server: what is there is never done again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.done: set[str] = set()
        if path.exists():
            lines = path.read_text().split("\n")[:-1]  # what follows the last line break was torn by a crash
            self.done = {json.loads(line) for line in lines}

    def add(self, label: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps(label) + "\n")
        self.done.add(label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Files shared among servers: each takes the next one it has room for."""

    plan: Plan
    servers: Servers
    left: Sequence[tuple[int, InputFile]]
    progress: Progress
    ports: WorkloadPorts

    async def on(self, running: Sequence[Running]) -> list[Mishap]:
        """Return what went wrong, in the order it did, once every file was tried."""
        queue, mishaps = iter(self.left), list[Mishap]()

        async def take(one: Running, transformer: Transformer) -> None:
            for number, file in queue:
                mishap = await self._try(transformer, file, number)
                if mishap is None:
                    self.progress.add(file.label)
                else:
                    mishaps.append(mishap)
                    await self.servers.tell(one, mishap.lines())

        async with asyncio.TaskGroup() as group:
            for one in running:
                transformer = self._transformer(one)
                for number in range(min(self.plan.in_flight, len(self.left))):
                    group.create_task(take(one, transformer), name=f"files-{one.server.workload_id}-{number}")
        return mishaps

    async def _try(self, transformer: Transformer, file: InputFile, number: int) -> Mishap | None:
        try:
            await transformer.transform(file, number=number)
        except Failed as failed:
            return failed.mishap
        except NotFound as gone:
            return bad_data(gone.message, file=file.label)
        return None

    def _transformer(self, one: Running) -> Transformer:
        return Transformer(
            plan=self.plan,
            objects=self.ports.objects,
            serving=self.ports.serving,
            clock=self.ports.clock,
            socket=one.socket,
            gate=asyncio.Semaphore(self.plan.in_flight),
            scratch=Place.of(self.ports.servers, one.server.instance_id).root / "out",
        )


def _cause(problem: BaseException) -> BaseException:
    """Return the problem that made the others: a server's end before what it did to files."""
    found, pending = list[BaseException](), [problem]
    while pending:
        one = pending.pop(0)
        if isinstance(one, BaseExceptionGroup):
            pending += one.exceptions
        else:
            found.append(one)
    return next((one for one in found if isinstance(one, ServerFailed)), found[0])
