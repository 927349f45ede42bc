"""The endpoints controller: brings every endpoint's replicas to life, keeps them alive, replaces and removes them.

`endpoints_keeper.py` keeps one endpoint, `endpoints_replicas.py` watches its replicas; what happens next is decided in
`domain.hosting.decide`.
"""

import asyncio
import logging

from sagehouse.controllers.endpoints_keeper import Keeper
from sagehouse.controllers.model_sweep import sweep
from sagehouse.controllers.woken import Woken, innermost
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.domain.lifecycle import ENDPOINT
from sagehouse.kit.errors import SagehouseError
from sagehouse.ports.catalog import Key

_log = logging.getLogger(__name__)
_RETRY_S = 1.0
_ATTEMPTS = 3
"""Times the keeping of a changing endpoint may go wrong in a way nobody foresaw before the change fails."""


class EndpointsController:
    """On start it adopts what an earlier control plane left running, and routes to it at once.

    `kill -9` at any moment loses no endpoint: replicas live on under their supervisors, and what is known of them is
    in the endpoint's document.
    """

    kinds: tuple[str, ...] = (ENDPOINT.kind,)

    def __init__(self, ports: WorkloadPorts) -> None:
        self._ports = ports
        self._keepers: dict[Key, Keeper] = {}
        self._woken = Woken(self.kinds)

    def wake(self, key: Key) -> None:
        """Look at an endpoint soon; keys of other kinds are not ours and ignored."""
        self._woken.add(key)

    async def run(self) -> None:
        """Keep endpoints until cancelled. Their replicas then live on, and are adopted by the next `run`."""
        for stored in await self._ports.catalog.with_status(ENDPOINT.kind, tuple(ENDPOINT.moves)):
            self.wake(stored.key)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep(), name="servers-sweep")
            async for key in self._woken:
                self._attend(group, key)

    async def _sweep(self) -> None:
        try:
            await sweep(self._ports)
        except (SagehouseError, OSError) as problem:
            _log.warning("servers_not_swept problem=%s", problem)

    def _attend(self, group: asyncio.TaskGroup, key: Key) -> None:
        keeper = self._keepers.get(key.plain)
        if keeper is None:
            keeper = self._keepers[key.plain] = Keeper(key, ports=self._ports)
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
                    keeper = self._keepers[key.plain] = Keeper(key, ports=self._ports)
                    if attempt >= _ATTEMPTS:
                        keeper.give_up(innermost(problem))
                    attempt += 1
                else:
                    break
        finally:
            del self._keepers[key.plain]
            if keeper.has_unread:
                self.wake(key)
