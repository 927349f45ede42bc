"""Which replica answers, and asking it. Passes bytes; never reads a payload."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sagehouse.domain.hosting.rotation import Rotation
from sagehouse.kit.errors import Invalid, NotFound, Unavailable
from sagehouse.ports.serving import Answer, EndpointKey, Route
from sagehouse.serving.connection import NotSent, TooLarge
from sagehouse.serving.replica import Replica

RESPONSE_LIMIT_BYTES = 100 * 1024 * 1024
"""Longest answer taken into memory: the 100 MB that batch transform allows a payload.
Source: SageMaker developer guide, "Use Batch Transform", MaxPayloadInMB."""
INVOCATION_TIMEOUT_S = 60.0
"""A model container must answer within 60 s. Source: developer guide, "How containers serve inference requests"."""
PING_TIMEOUT_S = 2.0
"""Source: the same page: a ping is answered within 2 s."""


class Router:
    """The adapter of `ports.serving.Serving`. Lives on one event loop.

    Invariant: `_replicas` holds every socket that a route names, and others only while they are in use.
    """

    def __init__(
        self, *, invocation_timeout_s: float = INVOCATION_TIMEOUT_S, response_limit_bytes: int = RESPONSE_LIMIT_BYTES
    ) -> None:
        self._invocation_timeout_s = invocation_timeout_s
        self._response_limit_bytes = response_limit_bytes
        self._routes: dict[EndpointKey, Route] = {}
        self._rotations: dict[EndpointKey, Rotation] = {}
        self._replicas: dict[Path, Replica] = {}

    # Asking one replica

    async def ping(self, replica: Path) -> bool:
        try:
            answer = await self._reach(replica).ask("GET", "/ping", headers={}, body=b"", timeout_s=PING_TIMEOUT_S)
        except (NotSent, TooLarge, OSError, TimeoutError):
            return False
        return answer.status == 200

    async def get(self, replica: Path, path: str) -> Answer | None:
        try:
            return await self._reach(replica).ask("GET", path, headers={}, body=b"", timeout_s=PING_TIMEOUT_S)
        except (NotSent, TooLarge, OSError, TimeoutError):
            return None

    async def post(self, replica: Path, *, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Answer:
        try:
            return await self._post(self._reach(replica), headers=headers, body=body, timeout_s=timeout_s)
        except NotSent as error:
            raise Unavailable(f"No model server listens at {replica}.", code="Unreachable") from error

    async def _post(self, replica: Replica, *, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Answer:
        try:
            return await replica.ask("POST", "/invocations", headers=headers, body=body, timeout_s=timeout_s)
        except TimeoutError as error:
            raise Unavailable(f"The model server did not answer within {timeout_s:g} s.", code="TimedOut") from error
        except TooLarge as error:
            limit = self._response_limit_bytes
            raise Unavailable(f"The model's answer is larger than {limit} bytes.", code="TooLarge") from error
        except OSError as error:
            raise Unavailable(f"The model server went away: {error}.", code="Dropped") from error

    # Routes

    def route(self, route: Route) -> None:
        before = self._routes.get(route.key)
        self._routes[route.key] = route
        self._rotations[route.key] = Rotation({variant.name: variant.weight for variant in route.variants})
        for socket in _sockets(route):
            self._reach(socket).is_retired = False
        for socket in _sockets(before) - _sockets(route):
            self._retire(socket)

    def unroute(self, key: EndpointKey) -> None:
        route = self._routes.pop(key, None)
        self._rotations.pop(key, None)
        for socket in _sockets(route):
            self._retire(socket)

    def routes(self) -> Sequence[Route]:
        return list(self._routes.values())

    async def drain(self, replicas: Sequence[Path], *, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                for socket in replicas:
                    if (replica := self._replicas.get(socket)) is not None:
                        await replica.quiet()
        except TimeoutError:
            return False
        finally:
            for socket in replicas:
                self._drop_unrouted(socket)
        return True

    async def invoke(self, key: EndpointKey, *, variant: str | None, headers: Mapping[str, str], body: bytes) -> Answer:
        name, sockets = self._choose_variant(key, variant)
        candidates = sorted((self._replicas[socket] for socket in sockets), key=lambda replica: replica.in_flight)
        for replica in candidates[:2]:  # one more replica is tried, and only if the first saw nothing of the request
            try:
                answer = await self._post(replica, headers=headers, body=body, timeout_s=self._invocation_timeout_s)
            except NotSent:
                continue
            finally:
                self._drop_unrouted(replica.socket)
            return replace(answer, variant=name)
        raise Unavailable(
            f"No replica of variant {name} of endpoint {key.name} can be reached now; ask again.", code="Unreachable"
        )

    def _choose_variant(self, key: EndpointKey, wanted: str | None) -> tuple[str, Sequence[Path]]:
        route = self._routes.get(key)
        if route is None:
            raise NotFound(f"Endpoint {key.name} of account {key.account} not found.")
        name = wanted if wanted is not None else self._rotations[key].next()
        for variant in route.variants:
            if variant.name == name:
                return variant.name, variant.replicas
        if wanted is not None:
            raise Invalid(f"Variant {wanted} of endpoint {key.name} not found.")
        raise Unavailable(f"No variant of endpoint {key.name} has a weight above zero.", code="Unreachable")

    # Replicas

    def _reach(self, socket: Path) -> Replica:
        replica = self._replicas.get(socket)
        if replica is None:
            self._sweep()
            replica = self._replicas[socket] = Replica(socket, limit_bytes=self._response_limit_bytes)
        return replica

    def _sweep(self) -> None:
        """Forget what was asked without a route and is asked no more."""
        for socket, replica in list(self._replicas.items()):
            if replica.is_cold and not self._is_routed(socket):
                replica.retire()
                del self._replicas[socket]

    def _is_routed(self, socket: Path) -> bool:
        return any(socket in variant.replicas for route in self._routes.values() for variant in route.variants)

    def _retire(self, socket: Path) -> None:
        if not self._is_routed(socket) and (replica := self._replicas.get(socket)) is not None:
            replica.retire()
            self._drop_unrouted(socket)

    def _drop_unrouted(self, socket: Path) -> None:
        replica = self._replicas.get(socket)
        if replica is not None and replica.is_retired and not replica.in_flight:
            del self._replicas[socket]

    def close(self) -> None:
        """Close every idle connection; for the end of the house."""
        for replica in self._replicas.values():
            replica.retire()


def _sockets(route: Route | None) -> set[Path]:
    return {socket for variant in route.variants for socket in variant.replicas} if route is not None else set()
