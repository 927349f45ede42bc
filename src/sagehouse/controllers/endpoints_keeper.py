"""One endpoint, kept as its document wants it: look, decide, act, listen."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from sagehouse.controllers.endpoints_record import WHO, Next, Record
from sagehouse.controllers.endpoints_replicas import Replicas
from sagehouse.controllers.model_server import container_for
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.domain.hosting.decide import (
    Abandon,
    Deploy,
    Promote,
    Remove,
    Rest,
    Restart,
    Step,
    answering,
    next_step,
)
from sagehouse.domain.hosting.deployment import Deployment, Hosting, Replica, Variant
from sagehouse.kit.errors import Invalid, NotFound, SagehouseError
from sagehouse.ports.catalog import Delete, Key, Stored
from sagehouse.ports.serving import EndpointKey, Route
from sagehouse.ports.serving import Variant as RoutedVariant

_log = logging.getLogger(__name__)
_DRAIN_S = 65.0
"""An invocation takes at most 60 s, so that after this none is lost by ending its replica."""
_GRACE_S = 30.0
_LAST_DRAIN_S = 5.0
_LAST_GRACE_S = 5.0
"""A deleted endpoint's replicas owe nothing to anybody: requests under way get this long to end."""


class Keeper:
    """Invariant: requests are only routed to replicas of the live deployment, or of the one about to replace it."""

    def __init__(self, key: Key, *, ports: WorkloadPorts) -> None:
        self.key = key
        self._ports = ports
        self._record = Record(key, catalog=ports.catalog, clock=ports.clock)
        self._route_key = EndpointKey(account=key.account, region=key.region, name=key.name.lower())
        self._replicas = Replicas(key, ports=ports, record=self._record, heard=self.notice)
        self._bell = asyncio.Event()
        self._alarm: asyncio.Task[None] | None = None
        self._retiring: dict[int, asyncio.Task[None]] = {}
        self._problem = ""

    @property
    def has_unread(self) -> bool:
        return self._bell.is_set()

    def notice(self) -> None:
        """Look at the stored endpoint again soon."""
        self._bell.set()

    def give_up(self, problem: BaseException) -> None:
        """Fail the change under way, for a problem nobody foresaw."""
        self._problem = f"We encountered an internal error. Please try again. {type(problem).__name__}: {problem}"

    async def run(self) -> None:
        """Return when the endpoint is gone, or has failed and left nothing behind."""
        async with asyncio.TaskGroup() as group:
            try:
                while await self._pass(group):
                    await self._bell.wait()
            finally:
                self._replicas.ignore_all()
                self._ring_at(group, None)

    async def _pass(self, group: asyncio.TaskGroup) -> bool:
        """Take the next step; False when there will never be another."""
        self._bell.clear()
        stored = await self._record.load()
        if stored is None:
            self._ports.serving.unroute(self._route_key)
            return False
        hosting = Hosting.of(stored.document)
        if self._problem:
            problem, self._problem = self._problem, ""
            await self._record.abandon(problem)
            self.notice()
            return True
        if stored.status == "Failed" and not hosting.deployments:
            self._ports.serving.unroute(self._route_key)
            return False
        if stored.status != "Deleting":
            self._replicas.name = stored.document["EndpointName"]
            self._attend(group, hosting)
            self._answer(hosting.live)
        step = next_step(stored.document, hosting, self._replicas.seen, now=self._ports.clock.now())
        return await self._take(group, step, stored, hosting)

    async def _take(self, group: asyncio.TaskGroup, step: Step, stored: Stored, hosting: Hosting) -> bool:
        match step:
            case Rest(until):
                self._ring_at(group, until)
                return True
            case Remove():
                await self._remove(stored, hosting)
                return False
            case Deploy(config_name):
                await self._deploy(stored, hosting, config_name)
            case Promote():
                await self._promote(hosting)
            case Abandon(reason):
                await self._abandon(hosting, reason)
            case Restart(replica):
                await self._restart(hosting, replica)
            case _:
                assert_never(step)
        self.notice()
        return True

    def _attend(self, group: asyncio.TaskGroup, hosting: Hosting) -> None:
        if hosting.live is not None:
            self._replicas.watch(group, hosting.live, is_live=True)
        if hosting.next is not None:
            self._replicas.watch(group, hosting.next, is_live=False)
        for deployment in hosting.old:
            if deployment.revision not in self._retiring:
                self._retiring[deployment.revision] = group.create_task(
                    self._retire(deployment), name=f"retire-{self.key.name}-{deployment.revision}"
                )

    def _answer(self, live: Deployment | None) -> None:
        """Route requests to the replicas that can answer them."""
        if live is None:
            self._ports.serving.unroute(self._route_key)
            return
        route = self._route(live, answering(live, self._replicas.seen))
        if route not in self._ports.serving.routes():
            self._ports.serving.route(route)

    def _route(self, deployment: Deployment, replicas: Sequence[Replica]) -> Route:
        sockets = [self._replicas.socket(one) for one in replicas]
        variant = RoutedVariant(name=deployment.variant.name, weight=deployment.variant.weight, replicas=sockets)
        return Route(key=self._route_key, variants=[variant], log_group=self._replicas.log_group)

    def _ring_at(self, group: asyncio.TaskGroup, until: float | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if until is not None:
            self._alarm = group.create_task(self._ring(until), name=f"alarm-{self.key.name}")

    async def _ring(self, at: float) -> None:
        await self._ports.clock.sleep(max(0.0, at - self._ports.clock.now()))
        self._bell.set()

    # -- the steps

    async def _deploy(self, stored: Stored, hosting: Hosting, config_name: str) -> None:
        try:
            deployment = await self._planned(stored, hosting, config_name)
        except SagehouseError as unfit:
            await self._record.abandon(unfit.message)
        else:
            await self._record.plan(deployment)

    async def _planned(self, stored: Stored, hosting: Hosting, config_name: str) -> Deployment:
        key = Key(account=self.key.account, region=self.key.region, kind="EndpointConfig", name=config_name)
        config = await self._ports.catalog.get(key)
        if config is None:
            arn = f"arn:aws:sagemaker:{key.region}:{key.account}:endpoint-config/{config_name.lower()}"
            raise Invalid(f'Could not find endpoint configuration "{arn}".')
        variant = Variant.from_config(config.document)
        container = await container_for(self._ports.catalog, self.key, variant.model_name)
        if config.document.get("EnableNetworkIsolation"):
            container = replace(container, is_network_isolated=True)
        return Deployment.plan(
            arn=stored.arn,
            created_at=stored.document["CreationTime"],
            revision=hosting.revision + 1,
            config_name=config.document["EndpointConfigName"],
            variant=variant,
            container=container,
        )

    async def _promote(self, hosting: Hosting) -> None:
        """Route first, store then: who sees InService is answered; who is killed between the two promotes again."""
        new = hosting.next
        assert new is not None
        self._ports.serving.route(self._route(new, new.replicas))
        if await self._record.promote(new.revision):
            _log.info("endpoint_in_service name=%s config=%s", self.key.name, new.config_name)

    async def _abandon(self, hosting: Hosting, reason: str) -> None:
        assert hosting.next is not None
        why = reason or await self._replicas.why_silent(hosting.next)
        _log.warning("endpoint_change_failed name=%s why=%s", self.key.name, why)
        await self._record.abandon(why)

    async def _restart(self, hosting: Hosting, replica: Replica) -> None:
        live = hosting.live
        assert live is not None
        await self._replicas.forget_attempt(replica)

        def restarted(_stored: Stored, current: Hosting) -> Next:
            return Next(hosting=current.with_replica(live.revision, replica.next_attempt()))

        await self._record.change(restarted)

    async def _retire(self, deployment: Deployment) -> None:
        """End a deployment that answers no more, once the requests under way there are answered."""
        sockets = [self._replicas.socket(one) for one in deployment.replicas]
        await self._ports.serving.drain(sockets, timeout_s=_DRAIN_S)
        await self._replicas.put_out(deployment, grace_s=_GRACE_S)

        def retired(_stored: Stored, hosting: Hosting) -> Next:
            return Next(hosting=hosting.without_old(deployment.revision))

        await self._record.change(retired)
        self.notice()

    async def _remove(self, stored: Stored, hosting: Hosting) -> None:
        self._ports.serving.unroute(self._route_key)
        for task in self._retiring.values():
            task.cancel()
        if self._retiring:
            await asyncio.wait(self._retiring.values())
        for deployment in hosting.deployments:
            sockets = [self._replicas.socket(one) for one in deployment.replicas]
            await self._ports.serving.drain(sockets, timeout_s=_LAST_DRAIN_S)
            await self._replicas.put_out(deployment, grace_s=_LAST_GRACE_S)
        try:
            await self._ports.catalog.write(Delete(key=stored.key, now=self._ports.clock.now(), who=WHO, why="deleted"))
        except NotFound:
            return
        _log.info("endpoint_deleted name=%s", self.key.name)
