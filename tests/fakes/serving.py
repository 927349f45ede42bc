"""A data plane without sockets: replicas are functions."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from sagehouse.domain.hosting.rotation import Rotation
from sagehouse.kit.errors import Invalid, NotFound, Unavailable
from sagehouse.ports.serving import Answer, EndpointKey, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Model: TypeAlias = Callable[[Asked], Awaitable[Answer] | Answer]


def answer(status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None, variant: str = "") -> Answer:
    return Answer(status=status, headers=dict(headers or {}), body=body, variant=variant)


class FakeServing:
    """`listen(path, model)` makes a replica answer; `fall_silent(path)` ends it."""

    def __init__(self, *, invocation_timeout_s: float = 60.0) -> None:
        self._timeout_s = invocation_timeout_s
        self._models: dict[Path, Model] = {}
        self._routes: dict[EndpointKey, Route] = {}
        self._rotations: dict[EndpointKey, Rotation] = {}
        self._in_flight: dict[Path, int] = {}

    def listen(self, replica: Path, model: Model) -> None:
        self._models[replica] = model

    def fall_silent(self, replica: Path) -> None:
        self._models.pop(replica, None)

    async def _ask(self, replica: Path, asked: Asked, timeout_s: float) -> Answer:
        model = self._models.get(replica)
        if model is None:
            raise Unavailable(f"No model server listens at {replica}.", code="Unreachable")
        self._in_flight[replica] = self._in_flight.get(replica, 0) + 1
        try:
            async with asyncio.timeout(timeout_s):
                said = model(asked)
                return said if isinstance(said, Answer) else await said
        except TimeoutError as error:
            raise Unavailable("The model server took too long.", code="TimedOut") from error
        except OSError as error:
            raise Unavailable("The model server went away.", code="Dropped") from error
        finally:
            self._in_flight[replica] -= 1

    async def ping(self, replica: Path) -> bool:
        said = await self.get(replica, "/ping")
        return said is not None and said.status == 200

    async def get(self, replica: Path, path: str) -> Answer | None:
        try:
            return await self._ask(replica, Asked(method="GET", path=path, headers={}, body=b""), 2.0)
        except Unavailable:
            return None

    async def post(self, replica: Path, *, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Answer:
        return await self._ask(
            replica, Asked(method="POST", path="/invocations", headers=headers, body=body), timeout_s
        )

    def route(self, route: Route) -> None:
        self._routes[route.key] = route
        self._rotations[route.key] = Rotation({variant.name: variant.weight for variant in route.variants})

    def unroute(self, key: EndpointKey) -> None:
        self._routes.pop(key, None)

    def routes(self) -> Sequence[Route]:
        return list(self._routes.values())

    async def drain(self, replicas: Sequence[Path], *, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while any(map(self._in_flight.get, replicas)):  # noqa: ASYNC110 - a fake may spin
                    await asyncio.sleep(0)
        except TimeoutError:
            return False
        return True

    async def invoke(self, key: EndpointKey, *, variant: str | None, headers: Mapping[str, str], body: bytes) -> Answer:
        route = self._routes.get(key)
        if route is None:
            raise NotFound(f"Endpoint {key.name} of account {key.account} not found.")
        name = variant or self._rotations[key].next()
        chosen = next((one for one in route.variants if one.name == name), None)
        if chosen is None:
            raise Invalid(f"Variant {name} of endpoint {key.name} not found.")
        for replica in sorted(chosen.replicas, key=lambda one: self._in_flight.get(one, 0))[:2]:
            try:
                said = await self.post(replica, headers=headers, body=body, timeout_s=self._timeout_s)
            except Unavailable as error:
                if error.code != "Unreachable":
                    raise
                continue
            return replace(said, variant=chosen.name)
        raise Unavailable(f"No replica of endpoint {key.name} can be reached now.", code="Unreachable")
