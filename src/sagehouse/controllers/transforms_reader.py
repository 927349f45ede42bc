"""An input file read piece by piece, unpacked and cut into payloads. Blocks: for a thread."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from sagehouse.domain.transform.cutting import Payload, cutter
from sagehouse.domain.transform.plan import Plan
from sagehouse.kit.errors import Invalid

_PIECE_BYTES = 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS
"""Tells zlib to expect a gzip header. Source: zlib manual, inflateInit2."""


class Reader:
    """Holds one piece of the file and one payload at most, however large the file unpacks."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self._file = path.open("rb")
        self._is_gzipped = plan.is_gzipped
        self._cutter = cutter(plan.split, is_single=bool(plan.is_single), limit_bytes=plan.limit_bytes)
        self._pieces = self._unpacked() if plan.is_gzipped else self._raw()
        self._is_finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def next(self) -> list[Payload] | None:
        """Return the payloads that the next piece completes, maybe none; None at the end.

        Invalid if a record is too large, or the file is not what it is said to be.
        """
        if self._is_finished:
            return None
        piece = next(self._pieces, None)
        if piece is not None:
            return list(self._cutter.feed(piece))
        self._is_finished = True
        return list(self._cutter.finish())

    def _raw(self) -> Iterator[bytes]:
        while piece := self._file.read(_PIECE_BYTES):
            yield piece

    def _unpacked(self) -> Iterator[bytes]:
        """Several gzip members one after another are one file."""
        unpacker = zlib.decompressobj(_GZIP)
        is_inside = False
        try:
            for raw in self._raw():
                rest = raw
                while rest:
                    is_inside = True
                    yield unpacker.decompress(rest, _PIECE_BYTES)
                    rest = unpacker.unconsumed_tail
                    if unpacker.eof:
                        rest, unpacker, is_inside = unpacker.unused_data, zlib.decompressobj(_GZIP), False
        except zlib.error as problem:
            raise Invalid(f"The file is not gzipped as CompressionType says: {problem}.") from problem
        if is_inside:
            raise Invalid("The gzipped file ends too early.")
