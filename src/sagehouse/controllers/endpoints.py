"""The endpoints controller: brings every endpoint's replicas to life, keeps them alive, replaces and removes them.

`endpoints_keeper.py` keeps one endpoint, `endpoints_replicas.py` watches its replicas; what happens next is decided in
`domain.hosting.decide`.
"""

import asyncio
import logging
from typing import TypeAlias

from sagehouse.controllers.endpoints_keeper import Keeper
from sagehouse.controllers.model_sweep import sweep
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.domain.lifecycle import ENDPOINT
from sagehouse.kit.errors import SagehouseError
from sagehouse.ports.catalog import Key

_log = logging.getLogger(__name__)
_RETRY_S = 1.0
_ATTEMPTS = 3
"""Times the keeping of a changing endpoint may go wrong in a way nobody foresaw before the change fails."""

PlaceOf: TypeAlias = tuple[str, str, str]


class EndpointsController:
    """On start it adopts what an earlier control plane left running, and routes to it at once.

    `kill -9` at any moment loses no endpoint: replicas live on under their supervisors, and what is known of them is
    in the endpoint's document.
    """

    kinds: tuple[str, ...] = (ENDPOINT.kind,)

    def __init__(self, ports: WorkloadPorts) -> None:
        self._ports = ports
        self._keepers: dict[PlaceOf, Keeper] = {}
        self._woken: dict[PlaceOf, Key] = {}
        self._bell = asyncio.Event()

    def wake(self, key: Key) -> None:
        """Look at an endpoint soon; keys of other kinds are not ours and ignored."""
        if key.kind in self.kinds:
            self._woken[_place(key)] = key
            self._bell.set()

    async def run(self) -> None:
        """Keep endpoints until cancelled. Their replicas then live on, and are adopted by the next `run`."""
        for stored in await self._ports.catalog.with_status(ENDPOINT.kind, tuple(ENDPOINT.moves)):
            self.wake(stored.key)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep(), name="servers-sweep")
            while True:
                await self._bell.wait()
                self._bell.clear()
                woken, self._woken = self._woken, {}
                for key in woken.values():
                    self._attend(group, key)

    async def _sweep(self) -> None:
        try:
            await sweep(self._ports)
        except (SagehouseError, OSError) as problem:
            _log.warning("servers_not_swept problem=%s", problem)

    def _attend(self, group: asyncio.TaskGroup, key: Key) -> None:
        keeper = self._keepers.get(_place(key))
        if keeper is None:
            keeper = self._keepers[_place(key)] = Keeper(key, ports=self._ports)
            group.create_task(self._keep(keeper), name=f"endpoint-{key.name}")
        keeper.notice()

    async def _keep(self, keeper: Keeper) -> None:
        """Keep one endpoint until it is gone, whatever goes wrong with it."""
        key, attempt = keeper.key, 1
        try:
            while True:
                try:
                    await keeper.run()
                except Exception as problem:  # noqa: BLE001 - a fault in keeping one endpoint must not end the others
                    _log.exception("endpoint_keeper_broke name=%s", key.name)
                    await self._ports.clock.sleep(_RETRY_S)
                    keeper = self._keepers[_place(key)] = Keeper(key, ports=self._ports)
                    if attempt >= _ATTEMPTS:
                        keeper.give_up(_innermost(problem))
                    attempt += 1
                else:
                    break
        finally:
            del self._keepers[_place(key)]
            if keeper.has_unread:
                self.wake(key)


def _place(key: Key) -> PlaceOf:
    return key.account, key.region, key.name.lower()


def _innermost(problem: BaseException) -> BaseException:
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem
