"""Reading one stream file by position or time, a page at a time, whatever its size. Blocking; called on pool threads.

Lines are in the order of their times (the writers see to it), so times are found by bisection.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sagehouse.storage.streams import lines

_BLOCK = 64 * 1024
PAGE_BYTES = 1024 * 1024
"""Source: API reference, GetLogEvents: up to 1 MB, 10,000 events."""


@dataclass(frozen=True, slots=True)
class Line:
    position: int
    timestamp_ms: int
    data: bytes
    """Without the LF."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines in the order of the file; positions around them."""

    lines: list[Line]
    forward: int
    backward: int


class StreamFile:
    """An open stream file as it was when it was opened."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size
        self.end = self._complete_end()
        """After the last whole line."""

    def forwards(self, position: int, *, start_ms: int | None, end_ms: int | None, limit: int) -> Excerpt:
        """Return lines from a position on."""
        begin = self.line_at(position)
        if start_ms is not None:
            begin = max(begin, self.seek_time(start_ms))
        found: list[Line] = []
        room = PAGE_BYTES
        after = begin
        for line in self._from(begin):
            room -= lines.weight(line.data)
            is_late = end_ms is not None and line.timestamp_ms >= end_ms
            if is_late or len(found) == limit or (room < 0 and found):
                break
            after = line.position + len(line.data) + 1
            if start_ms is None or line.timestamp_ms >= start_ms:
                found.append(line)
        return Excerpt(found, forward=after, backward=found[0].position if found else begin)

    def backwards(self, position: int | None, *, start_ms: int | None, end_ms: int | None, limit: int) -> Excerpt:
        """Return the last lines before a position, in the order of the file."""
        until = self.end if position is None else min(position, self.end)
        if end_ms is not None:
            until = min(until, self.seek_time(end_ms))
        begin = 0 if start_ms is None else self.seek_time(start_ms)
        found: list[Line] = []
        room = PAGE_BYTES
        for line in self._before(until):
            room -= lines.weight(line.data)
            if line.position < begin or len(found) == limit or (room < 0 and found):
                break
            found.append(line)
        found.reverse()
        return Excerpt(found, forward=until, backward=found[0].position if found else until)

    def first(self) -> Line | None:
        return next(self._from(0), None)

    def last(self) -> Line | None:
        return next(self._before(self.end), None)

    def seek_time(self, at_ms: int) -> int:
        """Return the position of the first line not before a time; `end` if there is none."""
        low, high = 0, self.end  # lines before `low` are too early, lines from `high` on are not
        while high - low > _BLOCK:
            middle = self.line_at((low + high) // 2)
            line = next(self._from(middle), None) if middle < high else None
            if line is None:
                high = (low + high) // 2  # one long line reaches from the middle to `high`: look for its beginning
            elif line.timestamp_ms < at_ms:
                low = line.position + len(line.data) + 1
            else:
                high = line.position
        for line in self._from(self.line_at(low)):
            if line.timestamp_ms >= at_ms:
                return line.position
        return self.end

    def line_at(self, position: int) -> int:
        """Return the position itself if a line begins there, else that of the next line."""
        if position <= 0:
            return 0
        if position >= self.end:
            return self.end
        begin = position - 1
        while begin < self.end:
            block = self._read(begin, begin + _BLOCK)
            found = block.find(b"\n")
            if found >= 0:
                return begin + found + 1
            begin += len(block)
        return self.end

    def _from(self, begin: int) -> Iterator[Line]:
        """Yield whole lines from a position at which one begins."""
        rest = b""
        position = begin
        stamp = 0
        while begin < self.end:
            block = self._read(begin, min(begin + _BLOCK, self.end))
            begin += len(block)
            *whole, rest = (rest + block).split(b"\n")
            for data in whole:
                stamp = _stamp(data, stamp)
                yield Line(position, stamp, data)
                position += len(data) + 1

    def _before(self, until: int) -> Iterator[Line]:
        """Yield whole lines that end before a position, the last first."""
        rest = b""
        begin = until
        while begin > 0:
            block = self._read(max(0, begin - _BLOCK), begin)
            begin -= len(block)
            head, *whole = (block + rest).split(b"\n")
            position = begin + len(head) + 1
            placed: list[tuple[int, bytes]] = []
            for data in whole[:-1]:
                placed.append((position, data))
                position += len(data) + 1
            for place, data in reversed(placed):
                yield Line(place, _stamp(data, 0), data)
            rest = head + b"\n" if whole else block + rest
        if rest:
            data = rest.removesuffix(b"\n")
            yield Line(0, _stamp(data, 0), data)

    def _complete_end(self) -> int:
        begin = self.size
        while begin > 0:
            block = self._read(max(0, begin - _BLOCK), begin)
            found = block.rfind(b"\n")
            if found >= 0:
                return begin - len(block) + found + 1
            begin -= len(block)
        return 0

    def _read(self, begin: int, end: int) -> bytes:
        return os.pread(self._file.fileno(), end - begin, begin)


def _stamp(data: bytes, fallback: int) -> int:
    """Return the line's time; that of the line before it for a line nobody of ours wrote."""
    stamp = lines.timestamp(data)
    return fallback if stamp is None else stamp


def open_stream(path: Path) -> BinaryIO:
    return path.open("rb")
