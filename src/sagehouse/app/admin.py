"""The house's own routes below /_sagehouse/: health, changes, reset."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from sagehouse import __version__
from sagehouse.app.changes import ChangeFeed
from sagehouse.domain import lifecycle
from sagehouse.kit.document import Document
from sagehouse.ports.catalog import Catalog, Key, Stored

Query: TypeAlias = Mapping[str, Sequence[str]]
Route: TypeAlias = Callable[[str, Query], Awaitable[tuple[int, Document]]]
"""(HTTP method, query) -> (status, JSON document)."""

_IN_MOTION = {
    cycle.kind: tuple(status for status in cycle.unfinished if status not in {"InService", "Failed", "Stopped"})
    for cycle in (
        lifecycle.TRAINING_JOB,
        lifecycle.PROCESSING_JOB,
        lifecycle.TRANSFORM_JOB,
        lifecycle.ENDPOINT,
        lifecycle.PIPELINE_EXECUTION,
    )
}
"""Kind -> the statuses in which something is still under way by itself."""
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    catalog: Catalog
    feed: ChangeFeed
    started_at: float
    empty_house: Callable[[], Awaitable[None]] | None
    """None when the house was started without --allow-reset."""

    def routes(self) -> Mapping[str, Route]:
        return {"health": self.health, "changes": self.changes, "reset": self.reset}

    async def health(self, _method: str, _query: Query) -> tuple[int, Document]:
        """Say that the house is up and what it holds: kind -> status -> count."""
        started = datetime.fromtimestamp(self.started_at, UTC).isoformat(timespec="seconds")
        return 200, {
            "status": "up",
            "version": __version__,
            "started_at": started,
            "resources": await self.catalog.census(),
        }

    async def changes(self, _method: str, query: Query) -> tuple[int, Document]:
        """Answer when something has changed since `since`, when nothing is in motion, or after `timeout` s.

        With `name`s (names or ARNs) only a change of the status of one of those resources counts, and `moving` says
        whether any of them was in motion.
        """
        try:
            timeout_s = float(next(iter(query.get("timeout", ())), "5"))
            since = int(next(iter(query.get("since", ())), "0"))
        except ValueError:
            timeout_s, since = math.nan, 0
        if not timeout_s >= 0:
            return 400, {"__type": "ValidationException", "message": "timeout is a number of seconds, since a count."}
        names = {name.lower() for name in query.get("name", ())}
        async with self.feed.subscription() as keys:
            awaited = _named(names, await self._in_motion()) if names else {}
            try:
                async with asyncio.timeout(min(timeout_s, _LONGEST_WAIT_S)):
                    await (self._status_changed(awaited, keys) if names else self._anything_changed(since, keys))
            except TimeoutError:
                pass
        return 200, {"seen": self.feed.seen, "moving": bool(awaited) or not names}

    async def _in_motion(self) -> list[Stored]:
        found = [await self.catalog.with_status(kind, statuses) for kind, statuses in _IN_MOTION.items()]
        return [stored for several in found for stored in several]

    async def _anything_changed(self, since: int, keys: asyncio.Queue[Key]) -> None:
        if since >= self.feed.seen and await self._in_motion():
            await keys.get()

    async def _status_changed(self, awaited: Mapping[Key, str], keys: asyncio.Queue[Key]) -> None:
        while awaited:
            key = await keys.get()
            if key.plain in awaited:
                stored = await self.catalog.get(key)
                if stored is None or stored.status != awaited[key.plain]:
                    return

    async def reset(self, method: str, _query: Query) -> tuple[int, Document]:
        """Empty the house."""
        if method != "POST":
            return 405, {"__type": "MethodNotAllowed", "message": "Reset with POST."}
        if self.empty_house is None:
            return 403, {"__type": "AccessDenied", "message": "This house was started without --allow-reset."}
        await self.empty_house()
        return 200, {"status": "empty"}


def _named(names: set[str], moving: list[Stored]) -> dict[Key, str]:
    """Return the statuses of those of the resources that go by one of these names or ARNs, in lower case."""
    return {
        stored.key.plain: stored.status
        for stored in moving
        if stored.arn.lower() in names or stored.key.name.lower() in names
    }
