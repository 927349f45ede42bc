"""What happens next to an endpoint, from what is stored and what was seen of its replicas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sagehouse.domain.hosting.deployment import Deployment, Hosting, Replica, wanted_config
from sagehouse.kit.document import Document

_FIRST_RESTART_S = 0.1
_LONGEST_RESTART_S = 30.0
"""Bounds of the doubling pause before a replica that keeps dying is started again; AWS names no numbers."""

Phase: TypeAlias = Literal["starting", "ready", "dead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of one attempt of a replica, by workload id."""

    phase: Phase
    since: float
    reason: str = ""
    """Of a dead one: why, in words for FailureReason."""
    deaths: int = 0
    """In a row, this one included; a replica that served for a while starts again from one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Stop everything and delete the endpoint."""


@dataclass(frozen=True, slots=True)
class Deploy:
    """Plan the deployment of a configuration."""

    config_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """Send requests to the new deployment; the endpoint is in service."""


@dataclass(frozen=True, slots=True)
class Abandon:
    """Give the new deployment up; the old one, if any, goes on."""

    reason: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Start a replica of the live deployment again."""

    replica: Replica


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do before `until`; None: before something is heard."""

    until: float | None = None


Step: TypeAlias = Remove | Deploy | Promote | Abandon | Restart | Rest

_CHANGING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})


def next_step(endpoint: Document, hosting: Hosting, seen: Mapping[str, Seen], *, now: float) -> Step:
    """Return the one step to take now; asked again after every step and everything heard.

    Replaying it after a crash is safe: a step whose effect is stored is not returned again.
    """
    status = endpoint["EndpointStatus"]
    if status == "Deleting":
        return Remove()
    if hosting.next is not None:
        return _judge(hosting.next, seen, now=now)
    if status in _CHANGING:
        return Deploy(config_name=wanted_config(endpoint))
    return _restart(hosting.live, seen, now=now)


def _judge(deployment: Deployment, seen: Mapping[str, Seen], *, now: float) -> Step:
    states = [seen.get(one.workload_id) for one in deployment.replicas]
    for state in states:
        if state is not None and state.phase == "dead":
            return Abandon(reason=state.reason)
    starting = [state.since for state in states if state is not None and state.phase == "starting"]
    overdue = min(starting, default=None)
    if overdue is not None and now >= overdue + deployment.variant.startup_s:
        return Abandon(reason=no_ping(deployment.variant.name))
    if states and all(state is not None and state.phase == "ready" for state in states):
        return Promote()
    return Rest(until=overdue + deployment.variant.startup_s if overdue is not None else None)


def _restart(live: Deployment | None, seen: Mapping[str, Seen], *, now: float) -> Step:
    times: list[float] = []
    for replica in live.replicas if live else ():
        state = seen.get(replica.workload_id)
        if state is None or state.phase != "dead":
            continue
        at = state.since + pause_s(state.deaths)
        if now >= at:
            return Restart(replica=replica)
        times.append(at)
    return Rest(until=min(times, default=None))


def pause_s(deaths: int) -> float:
    """Return how long a replica waits after so many deaths in a row."""
    return min(_FIRST_RESTART_S * 2.0 ** max(min(deaths, 20) - 1, 0), _LONGEST_RESTART_S)


def answering(live: Deployment, seen: Mapping[str, Seen]) -> Sequence[Replica]:
    """Return the replicas to send requests to: ready ones, and those a control plane before this one left running."""

    def may_answer(replica: Replica) -> bool:
        state = seen.get(replica.workload_id)
        return replica.handle is not None if state is None else state.phase == "ready"

    return [replica for replica in live.replicas if may_answer(replica)]


def no_ping(variant: str, *, last_words: str = "") -> str:
    """Return AWS's words for a container that never answered its ping, and the script's own last ones."""
    text = (
        f"The primary container for production variant {variant} did not pass the ping health check. "
        "Please check CloudWatch logs for this endpoint."
    )
    return f"{text} Last words of the container: {last_words}" if last_words else text
