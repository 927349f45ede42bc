"""The replicas of one endpoint: started, watched until they answer and until they end, put out."""

import asyncio
import logging
import math
from collections.abc import Callable
from pathlib import Path

from sagehouse.controllers.endpoints_record import Next, Record
from sagehouse.controllers.jobs_directory import remove_quietly
from sagehouse.controllers.model_server import (
    Place,
    Server,
    Silent,
    await_end,
    await_ready,
    build,
    find,
    last_line,
    put_out,
    tell,
)
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.domain.hosting.decide import Seen, no_ping
from sagehouse.domain.hosting.deployment import Deployment, Hosting, Replica
from sagehouse.kit.errors import SagehouseError
from sagehouse.ports.catalog import Key, Stored
from sagehouse.ports.runtime import Handle, Observed, handle_document, handle_from

_log = logging.getLogger(__name__)
_STEADY_S = 60.0
"""A replica that served this long starts its count of deaths anew."""


class Replicas:
    """Invariant: at most one task watches an attempt of a replica; `seen` only ever speaks of watched attempts."""

    def __init__(self, key: Key, *, ports: WorkloadPorts, record: Record, heard: Callable[[], None]) -> None:
        self.seen: dict[str, Seen] = {}
        self.name = key.name
        """Of the endpoint, as it was created."""
        self._key = key
        self._ports = ports
        self._record = record
        self._heard = heard
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._launches: dict[str, asyncio.Task[Handle]] = {}
        self._handles: dict[str, Handle] = {}
        self._deaths: dict[str, int] = {}

    @property
    def log_group(self) -> str:
        return f"/aws/sagemaker/Endpoints/{self.name}"

    def socket(self, replica: Replica) -> Path:
        return Place.of(self._ports.servers, replica.instance_id).socket(replica.attempt)

    def watch(self, group: asyncio.TaskGroup, deployment: Deployment, *, is_live: bool) -> None:
        """See to it that every replica of a deployment runs or is known not to; again changes nothing."""
        for replica in deployment.replicas:
            if replica.workload_id not in self._watches:
                self._watches[replica.workload_id] = group.create_task(
                    self._watch(group, deployment, replica, is_live=is_live), name=f"replica-{replica.workload_id}"
                )

    def ignore(self, deployment: Deployment) -> None:
        """Watch a deployment's replicas no more."""
        for replica in deployment.replicas:
            if (task := self._watches.pop(replica.workload_id, None)) is not None:
                task.cancel()
            self.seen.pop(replica.workload_id, None)

    def ignore_all(self) -> None:
        for task in self._watches.values():
            task.cancel()
        self._watches.clear()
        self.seen.clear()

    async def _watch(
        self, group: asyncio.TaskGroup, deployment: Deployment, replica: Replica, *, is_live: bool
    ) -> None:
        began = self._ports.clock.now()
        try:
            handle = await self._start(group, deployment, replica)
            if not (is_live and replica.handle):  # an adopted one goes on answering while it is looked at
                self._see(replica, Seen(phase="starting", since=self._ports.clock.now()))
            # Of a deployment that is not live yet, the endpoint's own limit decides.
            limit_s = deployment.variant.startup_s if is_live else math.inf
            ended = await await_ready(self._ports, socket=self.socket(replica), handle=handle, within_s=limit_s)
            if ended is None:
                self._see(replica, Seen(phase="ready", since=self._ports.clock.now()))
                ended = await await_end(self._ports, socket=self.socket(replica), handle=handle)
                reason = f"The container ended: {ended.reason} {dict(ended.exit_codes)}"
            else:
                reason = await self._reason(deployment, replica, ended)
        except Silent as silent:
            reason = f"The container hangs. {silent} It is started again."
            await tell(reason, self._server(deployment, replica), self._ports)
        except (SagehouseError, OSError) as problem:
            reason = problem.message if isinstance(problem, SagehouseError) else str(problem)
        self._die(replica, reason, lived_s=self._ports.clock.now() - began)

    def _die(self, replica: Replica, reason: str, *, lived_s: float) -> None:
        before = self._deaths.get(replica.instance_id, 0) if lived_s < _STEADY_S else 0
        deaths = self._deaths[replica.instance_id] = before + 1
        _log.warning(
            "replica_died endpoint=%s id=%s deaths=%d why=%s", self._key.name, replica.workload_id, deaths, reason
        )
        self._see(replica, Seen(phase="dead", since=self._ports.clock.now(), reason=reason, deaths=deaths))

    def _see(self, replica: Replica, seen: Seen) -> None:
        self.seen[replica.workload_id] = seen
        self._heard()

    async def _reason(self, deployment: Deployment, replica: Replica, ended: Observed) -> str:
        said = ended.detail or await last_line(self._ports, self._server(deployment, replica), ended=ended)
        return no_ping(deployment.variant.name, last_words=said)

    async def why_silent(self, deployment: Deployment) -> str:
        """Return the reason of a deployment that runs but never answered."""
        said = await last_line(self._ports, self._server(deployment, deployment.replicas[0]))
        return no_ping(deployment.variant.name, last_words=said)

    async def _start(self, group: asyncio.TaskGroup, deployment: Deployment, replica: Replica) -> Handle:
        if replica.handle is not None:
            return handle_from(replica.handle)
        workload = await build(self._server(deployment, replica), self._ports)
        # Not cancelled with the watch: a workload must never be started without its handle being known.
        launch = group.create_task(self._ports.runtime.start(workload), name=f"launch-{replica.workload_id}")
        self._launches[replica.workload_id] = launch
        launch.add_done_callback(lambda _: self._launches.pop(replica.workload_id, None))
        handle = self._handles[replica.workload_id] = await asyncio.shield(launch)
        started = Replica(instance_id=replica.instance_id, attempt=replica.attempt, handle=handle_document(handle))

        def noted(_stored: Stored, hosting: Hosting) -> Next:
            return Next(hosting=hosting.with_replica(deployment.revision, started))

        await self._record.change(noted)
        return handle

    def _server(self, deployment: Deployment, replica: Replica) -> Server:
        return Server(
            key=self._key,
            instance_id=replica.instance_id,
            attempt=replica.attempt,
            container=deployment.container,
            instance_type=deployment.variant.instance_type,
            log_group=self.log_group,
            log_stream=f"{deployment.variant.name}/{replica.instance_id}",
        )

    async def put_out(self, deployment: Deployment, *, grace_s: float) -> None:
        """End every replica of a deployment and remove what it left."""
        self.ignore(deployment)
        async with asyncio.TaskGroup() as group:
            for replica in deployment.replicas:
                work = self._put_out(deployment, replica, grace_s=grace_s)
                group.create_task(work, name=f"put-out-{replica.workload_id}")
        await self._ports.models.prune(self._ports.servers)

    async def _put_out(self, deployment: Deployment, replica: Replica, *, grace_s: float) -> None:
        place = Place.of(self._ports.servers, replica.instance_id)
        handle = await self._handle(deployment, replica)
        if handle is not None:
            await put_out(self._ports, handle, grace_s=grace_s)
        self._handles.pop(replica.workload_id, None)
        await asyncio.to_thread(remove_quietly, place.root)

    async def _handle(self, deployment: Deployment, replica: Replica) -> Handle | None:
        if (launch := self._launches.get(replica.workload_id)) is not None:
            await asyncio.wait([launch])
            return launch.result() if not launch.exception() else None
        if replica.handle is not None:
            return handle_from(replica.handle)
        known = self._handles.get(replica.workload_id)
        return known if known is not None else await find(self._ports, self._server(deployment, replica))

    async def forget_attempt(self, replica: Replica) -> None:
        """Let the runtime forget an attempt that has ended, before the next one."""
        self._watches.pop(replica.workload_id, None)
        self.seen.pop(replica.workload_id, None)
        handle = self._handles.pop(replica.workload_id, None) or (
            handle_from(replica.handle) if replica.handle else None
        )
        if handle is not None:
            await put_out(self._ports, handle, grace_s=0)
        self.socket(replica).unlink(missing_ok=True)
