"""Log streams in memory, in the file format where a path is asked: everything the port promises but durability.

Positions are byte offsets, as in the adapter, so that the contract can speak of them.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sagehouse.kit.errors import InUse, NotFound
from sagehouse.kit.page import Page
from sagehouse.ports.streams import LogEvent, LogGroup, LogPage, LogStream, Scope

_PAGE_BYTES = 1024 * 1024


@dataclass
class _Stream:
    path: Path
    created_at: float | None

    def lines(self) -> list[tuple[int, int, str, int]]:
        """(position, ms, text, end) of every whole line."""
        found, position = [], 0
        for line in self.path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                stamp, _, text = line[:-1].decode(errors="replace").partition(" ")
                found.append((position, int(stamp), _unescape(text), position + len(line)))
            position += len(line)
        return found


@dataclass
class _Group:
    created_at: float
    retention_days: int | None = None
    streams: dict[str, _Stream] = field(default_factory=dict)


class FakeStreams:
    """`file` gives real files in a directory of its own, for the supervisor's part."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = root or Path(tempfile.mkdtemp(prefix="fake-streams-"))
        self._groups: dict[tuple[str, str, str], _Group] = {}
        self._serial = 0

    def file(self, scope: Scope, group: str, stream: str) -> Path:
        held = self._groups.setdefault((scope.account, scope.region, group), _Group(created_at=0.0))
        if stream not in held.streams:
            held.streams[stream] = self._new(None)
        return held.streams[stream].path

    async def create_group(self, scope: Scope, group: str, *, now: float) -> None:
        if (scope.account, scope.region, group) in self._groups:
            raise InUse("The specified log group already exists", code="ResourceAlreadyExistsException")
        self._groups[scope.account, scope.region, group] = _Group(created_at=now)

    async def delete_group(self, scope: Scope, group: str) -> None:
        self._group(scope, group)
        del self._groups[scope.account, scope.region, group]

    async def set_retention(self, scope: Scope, group: str, days: int | None) -> None:
        self._group(scope, group).retention_days = days

    async def retention(self, scope: Scope, group: str) -> int | None:
        return self._group(scope, group).retention_days

    async def groups(
        self, scope: Scope, *, prefix: str = "", limit: int = 50, token: str | None = None
    ) -> Page[LogGroup]:
        found = [
            LogGroup(
                name=name,
                created_at=group.created_at,
                retention_days=group.retention_days,
                stored_bytes=sum(stream.path.stat().st_size for stream in group.streams.values()),
            )
            for (account, region, name), group in sorted(self._groups.items())
            if (account, region) == (scope.account, scope.region) and name.startswith(prefix) and name > (token or "")
        ]
        return Page(items=found[:limit], next_token=found[limit - 1].name if len(found) > limit else None)

    async def create_stream(self, scope: Scope, group: str, stream: str, *, now: float) -> None:
        held = self._group(scope, group)
        if stream in held.streams:
            raise InUse("The specified log stream already exists", code="ResourceAlreadyExistsException")
        held.streams[stream] = self._new(now)

    async def delete_stream(self, scope: Scope, group: str, stream: str) -> None:
        self._stream(scope, group, stream)
        del self._group(scope, group).streams[stream]

    async def streams(self, scope: Scope, group: str, *, prefix: str = "") -> list[LogStream]:
        held = self._group(scope, group).streams
        return [_described(name, held[name]) for name in sorted(held) if name.startswith(prefix)]

    async def append(self, scope: Scope, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        held = self._stream(scope, group, stream)
        known = [(ms, text) for _, ms, text, _ in held.lines()]
        whole = sorted([*known, *events], key=lambda event: event[0])
        held.path.write_bytes(b"".join(f"{ms} {_escape(text)}\n".encode() for ms, text in whole))

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
        lines = self._stream(scope, group, stream).lines()
        whole_end = lines[-1][3] if lines else 0
        early = [line for line in lines if start_ms is not None and line[1] < start_ms]
        late = [line for line in lines if end_ms is not None and line[1] >= end_ms]
        if backwards:
            until = min(whole_end if position is None else position, late[0][0] if late else whole_end)
            wanted = [line for line in lines[len(early) :] if line[3] <= until]
            wanted = list(reversed(_page(list(reversed(wanted)), limit)))
            return LogPage(events=_events(wanted, stream), forward=until, backward=wanted[0][0] if wanted else until)
        begin = min(max(position or 0, early[-1][3] if early else 0), whole_end)
        wanted = [line for line in lines if line[0] >= begin and (end_ms is None or line[1] < end_ms)]
        wanted = _page(wanted, limit)
        forward = wanted[-1][3] if wanted else begin
        return LogPage(events=_events(wanted, stream), forward=forward, backward=wanted[0][0] if wanted else begin)

    async def clear(self) -> None:
        self._groups.clear()

    def _new(self, created_at: float | None) -> _Stream:
        self._serial += 1
        path = self._root / f"{self._serial}.log"
        path.touch()
        return _Stream(path, created_at)

    def _group(self, scope: Scope, group: str) -> _Group:
        held = self._groups.get((scope.account, scope.region, group))
        if held is None:
            raise NotFound("The specified log group does not exist.", code="ResourceNotFoundException")
        return held

    def _stream(self, scope: Scope, group: str, stream: str) -> _Stream:
        held = self._group(scope, group).streams.get(stream)
        if held is None:
            raise NotFound("The specified log stream does not exist.", code="ResourceNotFoundException")
        return held


def _page(lines: list[tuple[int, int, str, int]], limit: int) -> list[tuple[int, int, str, int]]:
    page, room = [], _PAGE_BYTES
    for line in lines[:limit]:
        room -= len(line[2].encode()) + 26
        if room < 0 and page:
            break
        page.append(line)
    return page


def _events(lines: list[tuple[int, int, str, int]], stream: str) -> list[LogEvent]:
    return [LogEvent(timestamp_ms=ms, message=text, position=at, stream=stream) for at, ms, text, _ in lines]


def _described(name: str, stream: _Stream) -> LogStream:
    times = [line[1] for line in stream.lines()]
    created_at = stream.created_at
    if created_at is None:
        created_at = times[0] / 1000 if times else stream.path.stat().st_mtime
    return LogStream(
        name=name,
        created_at=created_at,
        first_event_ms=times[0] if times else None,
        last_event_ms=times[-1] if times else None,
        stored_bytes=stream.path.stat().st_size,
    )


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _unescape(text: str) -> str:
    out, characters = [], iter(text)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            out.append({"n": "\n", "r": "\r", "\\": "\\"}.get(following, "\\" + following))
        else:
            out.append(character)
    return "".join(out)
