"""Bytes that are not held in memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class ByteStream(Protocol):
    """A request body as it arrives: chunks of any size, once."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSlice:
    """`length` bytes of an immutable file from `start`; the gateway streams them."""

    path: Path
    start: int
    length: int
