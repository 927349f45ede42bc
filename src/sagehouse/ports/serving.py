"""The data plane: which replicas answer for an endpoint, and asking them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointKey:
    account: str
    region: str
    name: str
    """Lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    name: str
    weight: float
    replicas: Sequence[Path]
    """Unix sockets on which a model server answers HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where an endpoint's requests go, from now on."""

    key: EndpointKey
    variants: Sequence[Variant]
    log_group: str
    """"/aws/sagemaker/Endpoints/name", named in model errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a replica said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    variant: str


class Serving(Protocol):
    async def ping(self, replica: Path) -> bool:
        """Whether the model server answers GET /ping with 200 now. Never raises."""
        ...

    async def get(self, replica: Path, path: str) -> Answer | None:
        """Return the answer to a GET such as /execution-parameters; None if there is no answer."""
        ...

    async def post(self, replica: Path, *, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Answer:
        """POST /invocations to one replica; Unavailable if it cannot be reached or takes longer.

        The error's code tells why: "Unreachable" (the replica saw nothing of the request), "TimedOut", "Dropped" (it
        went away in the middle) or "TooLarge" (its answer is over the limit).
        """
        ...

    def route(self, route: Route) -> None:
        """Send the endpoint's requests there; requests under way finish where they are."""
        ...

    def unroute(self, key: EndpointKey) -> None: ...

    def routes(self) -> Sequence[Route]: ...

    async def drain(self, replicas: Sequence[Path], *, timeout_s: float) -> bool:
        """Wait until no request is under way at these replicas; False if some still are after `timeout_s`."""
        ...

    async def invoke(self, key: EndpointKey, *, variant: str | None, headers: Mapping[str, str], body: bytes) -> Answer:
        """Ask a replica of a variant (by weight when none is named).

        NotFound if no such endpoint is routed, Invalid if no such variant, Unavailable (codes as in `post`) if no
        replica answers.
        A model's own error is an Answer with its status.
        """
        ...
