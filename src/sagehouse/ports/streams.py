"""Where log lines rest: CloudWatch Logs groups and streams, one append-only file per stream.

File format, shared with the supervisor that writes it: one event per line, `<epoch ms> <text>\\n`, in which the text's
backslash, LF and CR are written `\\\\`, `\\n`, `\\r`. A torn last line (no LF) is not an event yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sagehouse.kit.page import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    account: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGroup:
    name: str
    created_at: float
    retention_days: int | None
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStream:
    name: str
    created_at: float
    first_event_ms: int | None
    last_event_ms: int | None
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent:
    timestamp_ms: int
    message: str
    position: int
    """Byte offset of the event in its stream: stable order and identity."""
    stream: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    events: Sequence[LogEvent]
    forward: int
    """Position after the last event; equal to the asked position when nothing follows."""
    backward: int
    """Position of the first event."""


class Streams(Protocol):
    def file(self, scope: Scope, group: str, stream: str) -> Path:
        """Return the file a supervisor appends to, its directory made; the group and stream exist from now on."""
        ...

    async def create_group(self, scope: Scope, group: str, *, now: float) -> None: ...
    async def delete_group(self, scope: Scope, group: str) -> None: ...
    async def set_retention(self, scope: Scope, group: str, days: int | None) -> None: ...
    async def retention(self, scope: Scope, group: str) -> int | None:
        """Return after how many days events expire, None for never; NotFound if there is no such group."""
        ...

    async def groups(
        self, scope: Scope, *, prefix: str = "", limit: int = 50, token: str | None = None
    ) -> Page[LogGroup]: ...
    async def create_stream(self, scope: Scope, group: str, stream: str, *, now: float) -> None: ...
    async def delete_stream(self, scope: Scope, group: str, stream: str) -> None: ...
    async def streams(self, scope: Scope, group: str, *, prefix: str = "") -> list[LogStream]:
        """Return the streams of the group by name; NotFound("ResourceNotFoundException") if there is no such group."""
        ...

    async def append(self, scope: Scope, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Add (epoch ms, text) events; a stream is always in the order of times, equal times in that of arrival."""
        ...

    async def read(
        self,
        scope: Scope,
        group: str,
        stream: str,
        *,
        position: int | None,
        backwards: bool = False,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 10_000,
    ) -> LogPage:
        """Return at most `limit` events (and 1 MB) from a position, or before it when `backwards`.

        `position` None means the beginning, or the end when backwards. end_ms is exclusive.
        """
        ...

    async def clear(self) -> None: ...
