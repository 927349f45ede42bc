"""Appending to one stream file. Blocking; called on pool threads, one at a time per file."""

import os
from collections.abc import Sequence
from pathlib import Path

from sagehouse.storage.streams import lines
from sagehouse.storage.streams.reading import StreamFile


def append(path: Path, events: Sequence[tuple[int, str]]) -> None:
    """Add events, in the order of their times, keeping the file in the order of times.

    Events older than the last are written between the others by rewriting the file from there on; a process that
    appends at that very moment may lose a line, which only happens to streams with two kinds of writers.
    """
    if not events:
        return
    new = [lines.encode(at_ms, message) for at_ms, message in events]
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        stream = StreamFile(file)
        last = stream.last()
        if last is not None and last.timestamp_ms > events[0][0]:
            begin = stream.seek_time(events[0][0] + 1)
            new = _merged(os.pread(descriptor, stream.end - begin, begin), new)
            _write_at(descriptor, b"".join(new), begin)
            return
    torn = b"\n" if stream.size > stream.end else b""
    with path.open("ab", buffering=0) as file:
        file.write(torn + b"".join(new))


def _merged(old: bytes, new: Sequence[bytes]) -> list[bytes]:
    """Return old and new lines by time, equal times in the order they came."""
    return sorted([*old.splitlines(keepends=True), *new], key=lambda line: lines.timestamp(line) or 0)


def _write_at(descriptor: int, data: bytes, position: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, position)
        view, position = view[written:], position + written
