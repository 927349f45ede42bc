"""The model servers of one transform job, one per instance: brought up, watched, listened to."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sagehouse.controllers.model_server import (
    Place,
    Server,
    await_ready,
    build,
    end_of,
    find,
    last_line,
    put_out,
)
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.domain.hosting.container import Container
from sagehouse.domain.hosting.deployment import DEFAULT_STARTUP_S, Replica, instance_id
from sagehouse.domain.transform.plan import Plan
from sagehouse.kit.document import Document
from sagehouse.ports.catalog import Stored
from sagehouse.ports.runtime import Handle, Observed, handle_document, handle_from

LOG_GROUP = "/aws/sagemaker/TransformJobs"
MEMBER = "_Servers"
_SEE_LOGS = "See job logs for more information."


class ServerFailed(Exception):
    """A server ended before its work did, or never answered its ping."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    server: Server
    handle: Handle
    socket: Path


def replicas_of(stored: Stored) -> list[Replica]:
    """Return the job's instances as they were left, or as they will be."""
    document = stored.document
    if known := document.get(MEMBER):
        return [Replica(instance_id=one["InstanceId"], attempt=one["Attempt"], handle=one["Handle"]) for one in known]
    created_at, count = document["CreationTime"], document["TransformResources"]["InstanceCount"]
    return [Replica(instance_id=instance_id(f"{stored.arn}\n{created_at:.6f}\n{number}")) for number in range(count)]


def replica_documents(replicas: Sequence[Replica]) -> list[Document]:
    return [{"InstanceId": one.instance_id, "Attempt": one.attempt, "Handle": one.handle} for one in replicas]


class Servers:
    """`note` stores what is known of the replicas: before any is started, and again with their handles."""

    def __init__(
        self,
        stored: Stored,
        *,
        plan: Plan,
        container: Container,
        ports: WorkloadPorts,
        note: Callable[[Sequence[Replica]], Awaitable[None]],
    ) -> None:
        self._stored = stored
        self._plan = plan
        self._container = container
        self._ports = ports
        self._note = note

    def server(self, replica: Replica) -> Server:
        return Server(
            key=self._stored.key,
            instance_id=replica.instance_id,
            attempt=replica.attempt,
            container=self._container,
            instance_type=self._plan.instance_type,
            log_group=LOG_GROUP,
            log_stream=f"{self._stored.document['TransformJobName']}/{replica.instance_id}",
            environment={"TRANSFORM_JOB_ARN": self._stored.arn, **self._plan.batch_environment},
        )

    async def bring_up(self) -> list[Running]:
        """Start every server, or find it running; return once all answer their pings. ServerFailed if one does not."""
        replicas = [await self._revived(one) for one in replicas_of(self._stored)]
        servers = [self.server(one) for one in replicas]
        workloads = [await build(server, self._ports) for server in servers]
        await self._note(replicas)
        handles = [await self._ports.runtime.start(workload) for workload in workloads]
        await self._note(
            [replace(one, handle=handle_document(handle)) for one, handle in zip(replicas, handles, strict=True)]
        )
        running = [
            Running(server, handle, Place.of(self._ports.servers, server.instance_id).socket(server.attempt))
            for server, handle in zip(servers, handles, strict=True)
        ]
        async with asyncio.TaskGroup() as group:
            for one in running:
                group.create_task(self._ready(one), name=f"ready-{one.server.workload_id}")
        return running

    async def _revived(self, replica: Replica) -> Replica:
        """Return the next attempt of a replica that ended while nobody was there; others as they are."""
        if replica.handle is None or (await self._ports.runtime.poll(handle_from(replica.handle))).is_running:
            return replica
        await put_out(self._ports, handle_from(replica.handle), grace_s=0)
        return replica.next_attempt()

    async def _ready(self, one: Running) -> None:
        async with asyncio.TaskGroup() as group:
            late = group.create_task(self._too_late(one.server), name=f"late-{one.server.workload_id}")
            ended = await await_ready(self._ports, socket=one.socket, handle=one.handle)
            late.cancel()
        if ended is not None:
            raise await self._no_ping(one.server, ended=ended)

    async def _too_late(self, server: Server) -> None:
        await self._ports.clock.sleep(DEFAULT_STARTUP_S)
        raise await self._no_ping(server)

    async def _no_ping(self, server: Server, *, ended: Observed | None = None) -> ServerFailed:
        said = await last_line(self._ports, server, ended=ended)
        return ServerFailed(f"The primary container did not pass the ping health check. {_SEE_LOGS} {said}".strip())

    async def watch(self, one: Running) -> None:
        """Raise ServerFailed when it ends."""
        await end_of(self._ports.runtime, one.handle)
        said = await last_line(self._ports, one.server)
        raise ServerFailed(f"The model server ended before its work did. {_SEE_LOGS} {said}".strip())

    async def parameters(self, plan: Plan, one: Running) -> Plan:
        """Return the plan with what the request left to the model."""
        if plan.asks_the_model:
            answer = await self._ports.serving.get(one.socket, "/execution-parameters")
            if answer is not None and answer.status == 200:
                plan = plan.with_parameters(answer.body)
        sizes = f"MaxConcurrentTransforms={plan.in_flight}, MaxPayloadInMB={plan.payload_mb}"
        await self.tell(one, [f"{sizes}, BatchStrategy={plan.strategy}"])
        return plan

    async def tell(self, one: Running, lines: Iterable[str]) -> None:
        """Append to the data log, in the form batch transform writes it."""
        now = self._ports.clock.now()
        stamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        stream = f"{one.server.log_stream}/data-log"
        self._ports.streams.file(one.server.scope, LOG_GROUP, stream)
        events = [(int(now * 1000), f"{stamp}:[sagemaker logs]: {line}") for line in lines]
        await self._ports.streams.append(one.server.scope, LOG_GROUP, stream, events)

    async def find(self, replica: Replica) -> Handle | None:
        """Return the handle of a replica that may have been started without anybody noting it."""
        return await find(self._ports, self.server(replica))
