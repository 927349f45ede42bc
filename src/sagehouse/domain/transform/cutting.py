"""An input file, fed piece by piece, cut into payloads no larger than a model takes.

Nothing larger than one payload and one piece is ever held.
Source: API reference, CreateTransformJob (SplitType, BatchStrategy, MaxPayloadInMB).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from sagehouse.kit.errors import Invalid

SplitType: TypeAlias = Literal["None", "Line", "RecordIO", "TFRecord"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    data: bytes
    first_record: int
    """Position in its file of the first record, from 1."""


class Cutter(Protocol):
    def feed(self, piece: bytes) -> Iterator[Payload]:
        """Yield the payloads that are complete now. Invalid if a record is larger than a payload may be."""
        ...

    def finish(self) -> Iterator[Payload]:
        """Yield what is left. Invalid if the file ends inside a record."""
        ...


def cutter(split: SplitType, *, is_single: bool, limit_bytes: int) -> Cutter:
    """Return a new cutter for one file; `is_single` puts one record into each payload, without its framing."""
    match split:
        case "None":
            return _Whole(limit_bytes)
        case "Line" if is_single:
            return _Lines(limit_bytes)
        case "Line":
            return _LineBatches(limit_bytes)
        case "RecordIO":
            return _Frames(limit_bytes, is_single=is_single, framing=_RecordIO())
        case "TFRecord":
            return _Frames(limit_bytes, is_single=is_single, framing=_TFRecord())


def too_large(record: int, limit_bytes: int) -> Invalid:
    """Source: the text batch transform writes to the data log of such a job."""
    return Invalid(
        f"Too much data for max payload size: record {record} is larger than {limit_bytes} bytes; "
        "raise MaxPayloadInMB or split the file."
    )


class _Whole:
    """The file is one record."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._data = bytearray()

    def feed(self, piece: bytes) -> Iterator[Payload]:
        self._data += piece
        if len(self._data) > self._limit_bytes:
            raise too_large(1, self._limit_bytes)
        return iter(())

    def finish(self) -> Iterator[Payload]:
        if self._data:
            yield Payload(data=bytes(self._data), first_record=1)


class _Lines:
    """One line per payload, without its line break."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._rest = b""
        self._record = 1

    def feed(self, piece: bytes) -> Iterator[Payload]:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            yield from self._payload(line.removesuffix(b"\r"))
        if len(self._rest) > self._limit_bytes:
            raise too_large(self._record, self._limit_bytes)

    def finish(self) -> Iterator[Payload]:
        if self._rest:
            yield from self._payload(self._rest)
            self._rest = b""

    def _payload(self, line: bytes) -> Iterator[Payload]:
        if len(line) > self._limit_bytes:
            raise too_large(self._record, self._limit_bytes)
        if line.strip():  # a blank line is no record
            yield Payload(data=line, first_record=self._record)
        self._record += 1


class _LineBatches:
    """As many whole lines as fit, cut without looking at each."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._data = bytearray()
        self._record = 1

    def feed(self, piece: bytes) -> Iterator[Payload]:
        self._data += piece
        while len(self._data) > self._limit_bytes:
            cut = self._data.rfind(b"\n", 0, self._limit_bytes) + 1
            if not cut:
                raise too_large(self._record, self._limit_bytes)
            yield from self._payload(cut)

    def finish(self) -> Iterator[Payload]:
        yield from self._payload(len(self._data))

    def _payload(self, cut: int) -> Iterator[Payload]:
        data = bytes(self._data[:cut])
        del self._data[:cut]
        if data.strip():
            yield Payload(data=data, first_record=self._record)
        self._record += data.count(b"\n")


class _Framing(Protocol):
    def next(self, data: memoryview) -> tuple[int, bytes | None] | None:
        """Return (length of the first frame, its record, None while the record goes on); None if it is not whole."""
        ...


class _RecordIO:
    """Source: Apache MXNet, dmlc-core recordio.h: magic, flag (3 bits) and length (29 bits), data padded to 4 bytes."""

    _MAGIC = struct.pack("<I", 0xCED7230A)
    _WHOLE, _BEGIN, _END = 0, 1, 3

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def next(self, data: memoryview) -> tuple[int, bytes | None] | None:
        if len(data) < 8:
            return None
        if data[:4] != self._MAGIC:
            raise Invalid("The file is no RecordIO: a record does not begin with the magic number 0xced7230a.")
        (word,) = struct.unpack_from("<I", data, 4)
        flag, length = word >> 29, word & ((1 << 29) - 1)
        end = 8 + (length + 3) // 4 * 4
        if len(data) < end:
            return None
        part = bytes(data[8 : 8 + length])
        if flag == self._WHOLE:
            return end, part
        self._parts = [part] if flag == self._BEGIN else [*self._parts, part]
        return end, self._MAGIC.join(self._parts) if flag == self._END else None


class _TFRecord:
    """Source: TensorFlow, record_writer.h: uint64 length, uint32 crc of it, data, uint32 crc of the data."""

    def next(self, data: memoryview) -> tuple[int, bytes | None] | None:
        if len(data) < 12:
            return None
        (length,) = struct.unpack_from("<Q", data)
        end = 12 + length + 4
        if length > 1 << 32:
            raise Invalid(f"The file is no TFRecord: a record claims to have {length} bytes.")
        return (end, bytes(data[12 : 12 + length])) if len(data) >= end else None


class _Frames:
    """Binary records: framing is kept in batches and removed from single records, as AWS documents."""

    def __init__(self, limit_bytes: int, *, is_single: bool, framing: _Framing) -> None:
        self._limit_bytes = limit_bytes
        self._is_single = is_single
        self._framing = framing
        self._data = bytearray()
        self._batch = bytearray()
        self._open = bytearray()
        self._record = self._first = 1

    def feed(self, piece: bytes) -> Iterator[Payload]:
        self._data += piece
        used = 0
        with memoryview(bytes(self._data)) as view:
            while (frame := self._framing.next(view[used:])) is not None:
                length, record = frame
                self._open += view[used : used + length]
                used += length
                if record is not None:
                    yield from self._payload(record)
        del self._data[:used]
        if len(self._data) + len(self._open) > self._limit_bytes + 16:
            raise too_large(self._record, self._limit_bytes)

    def _payload(self, record: bytes) -> Iterator[Payload]:
        framed = bytes(self._open)
        self._open.clear()
        if len(record if self._is_single else framed) > self._limit_bytes:
            raise too_large(self._record, self._limit_bytes)
        if self._is_single:
            yield Payload(data=record, first_record=self._record)
        else:
            if len(self._batch) + len(framed) > self._limit_bytes:
                yield from self._flush()
            self._batch += framed
        self._record += 1

    def _flush(self) -> Iterator[Payload]:
        if self._batch:
            yield Payload(data=bytes(self._batch), first_record=self._first)
        self._batch.clear()
        self._first = self._record

    def finish(self) -> Iterator[Payload]:
        if self._data or self._open:
            raise Invalid(f"The file ends inside record {self._record}.")
        yield from self._flush()
