"""FilterLogEvents: the events of many streams by time, those that match a pattern, a page at a time.

A page ends at the limit, at a megabyte, or when enough was looked through; the token is the last event looked at, so a
page may be empty and still be followed by others, as AWS's may.
"""

import heapq
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sagehouse.kit.document import Document
from sagehouse.kit.errors import NotFound
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.ports.streams import LogEvent, LogStream, Scope, Streams
from sagehouse.services.logs.events import oldest_ms
from sagehouse.services.logs.filter_pattern import compile_pattern
from sagehouse.services.logs.members import group_of, invalid, read_token, scope_of, write_token

_LIMIT = 10_000
_PAGE_BYTES = 1_048_576
_LOOKED_THROUGH = 50_000
"""Events after which a page ends although few matched: about a tenth of a second."""
_AT_ONCE = 500
"""Events read from one stream at a time."""

Rank: TypeAlias = tuple[int, str, int]
"""(time, stream, position): the order of everything, and a token's content."""


async def filter_log_events(house: House, call: Call, request: Document) -> Document:
    group = group_of(request)
    matches = compile_pattern(request.get("filterPattern", ""))
    wanted = await _wanted(house, call, group, request)
    merge = await _merge(house, call, group, request, wanted)
    limit = request.get("limit", _LIMIT)
    found: list[LogEvent] = []
    room, looked = _PAGE_BYTES, 0
    last: LogEvent | None = None
    is_cut = False
    async for event in merge.events():
        if len(found) == limit or room <= 0 or looked == _LOOKED_THROUGH:
            is_cut = True
            break
        last = event
        looked += 1
        if matches(event.message):
            found.append(event)
            room -= len(event.message.encode())
    answer: Document = {"events": [_presented(event) for event in found], "searchedLogStreams": []}
    if is_cut and last is not None:
        answer["nextToken"] = write_token(merge.sign, *_rank(last))
    return answer


async def _wanted(house: House, call: Call, group: str, request: Document) -> Sequence[LogStream]:
    names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix", "")
    if names and prefix:
        raise invalid("logStreamNames and logStreamNamePrefix cannot both be specified.")
    streams = await house.streams.streams(scope_of(call), group, prefix=prefix)
    if not names:
        return streams
    known = {stream.name: stream for stream in streams}
    missing = [name for name in names if name not in known]
    if missing:
        raise NotFound("The specified log stream does not exist.", code="ResourceNotFoundException")
    return [known[name] for name in dict.fromkeys(names)]


async def _merge(house: House, call: Call, group: str, request: Document, wanted: Sequence[LogStream]) -> "_Merge":
    resumed = read_token(request.get("nextToken"), int, int, str, int)
    sign = 1 if request.get("startFromHead", True) else -1
    after: Rank | None = None
    if resumed:
        sign, after = resumed[0], (resumed[1], resumed[2], resumed[3])
    end = request.get("endTime")
    return _Merge(
        streams=house.streams,
        scope=scope_of(call),
        group=group,
        wanted=wanted,
        start_ms=max(request.get("startTime", 0), await oldest_ms(house, call, group)),
        end_ms=None if end is None else end + 1,
        sign=sign,
        after=after,
    )


@dataclass(kw_only=True)
class _Merge:
    """The events of many streams in one order; a stream is opened when its turn comes."""

    streams: Streams
    scope: Scope
    group: str
    wanted: Sequence[LogStream]
    start_ms: int
    end_ms: int | None
    sign: int
    """1: the earliest first; -1: the latest first."""
    after: Rank | None
    heap: list[tuple[tuple[int, str, int], str]] = field(default_factory=list)
    read: dict[str, list[LogEvent]] = field(default_factory=dict)
    """Stream -> events read and not told yet, the next one last."""
    places: dict[str, int] = field(default_factory=dict)

    async def events(self) -> AsyncIterator[LogEvent]:
        """Yield every event after `after`, in order."""
        for stream in self.wanted:
            edge = stream.first_event_ms if self.sign > 0 else stream.last_event_ms
            if edge is not None:
                heapq.heappush(self.heap, (self._turn(edge, stream.name, None), stream.name))
        while self.heap:
            _, name = heapq.heappop(self.heap)
            held = self.read.get(name)
            event = held.pop() if held else None
            if event is not None and self._is_new(event):
                yield event
            if not held:
                held = self.read[name] = await self._more(name)
            if held:
                following = held[-1]
                turn = self._turn(following.timestamp_ms, name, following.position)
                heapq.heappush(self.heap, (turn, name))

    def _turn(self, at_ms: int, name: str, position: int | None) -> tuple[int, str, int]:
        """Return what the heap sorts by; a stream that is not open yet comes before its own events."""
        at = 0 if position is None else self.sign * position + 1
        return (self.sign * at_ms, name, at if position is not None else -(1 << 62))

    def _is_new(self, event: LogEvent) -> bool:
        return self.after is None or self._order(_rank(event)) > self._order(self.after)

    def _order(self, rank: Rank) -> Rank:
        return (self.sign * rank[0], rank[1], self.sign * rank[2])

    async def _more(self, name: str) -> list[LogEvent]:
        """Return the next events of a stream, the next one last; nothing at its end."""
        start_ms, end_ms = self.start_ms, self.end_ms
        if self.after is not None and self.sign > 0:
            start_ms = max(start_ms, self.after[0])
        if self.after is not None and self.sign < 0:
            end_ms = self.after[0] + 1 if end_ms is None else min(end_ms, self.after[0] + 1)
        page = await self.streams.read(
            self.scope,
            self.group,
            name,
            position=self.places.get(name),
            backwards=self.sign < 0,
            start_ms=start_ms or None,
            end_ms=end_ms,
            limit=_AT_ONCE,
        )
        self.places[name] = page.forward if self.sign > 0 else page.backward
        return list(reversed(page.events)) if self.sign > 0 else list(page.events)


def _rank(event: LogEvent) -> Rank:
    return (event.timestamp_ms, event.stream, event.position)


def _presented(event: LogEvent) -> Document:
    return {
        "logStreamName": event.stream,
        "timestamp": event.timestamp_ms,
        "message": event.message,
        "ingestionTime": event.timestamp_ms,
        "eventId": _event_id(event),
    }


def _event_id(event: LogEvent) -> str:
    """Return 56 digits that no other event of the group has: time, stream, position."""
    stream = int.from_bytes(event.stream.encode()[-_STREAM_BYTES:].rjust(_STREAM_BYTES, b"\0"), "big")
    return f"{event.timestamp_ms:014d}{stream % 10**26:026d}{event.position:016d}"


_STREAM_BYTES = 16
