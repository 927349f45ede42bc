"""Where the parts of running multipart uploads are written, so that completing one moves no byte.

An upload has one file of its own. The first part that says its size sets the size of a slot; part n then belongs at
(n - 1) slots. A part that does not fit, says no size, or finds its slot taken gets a file of its own and is copied
into place at completion.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sagehouse.ports.objects import Part
from sagehouse.storage.objects.blobs import Blobs, Draft
from sagehouse.storage.objects.checksums import Digests


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A stored part and where its bytes are."""

    part: Part
    blob: int
    start: int


@dataclass(slots=True, kw_only=True)
class _Running:
    slot_bytes: int | None = None
    drafts: dict[int, Draft] = field(default_factory=dict)
    is_sealed: bool = False
    """While it is being completed nothing is written to its file."""


class Slots:
    """The uploads somebody writes to right now. Used from the event loop only."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._running: dict[str, _Running] = {}

    @contextmanager
    def lend(
        self,
        upload: str,
        number: int,
        digests: Digests,
        *,
        blob: int,
        size: int | None,
        stored_slot_bytes: int | None,
        is_taken: bool,
    ) -> Iterator[Draft | None]:
        """Lend the part's slot of the upload's file while the block writes to it; None if it cannot be had."""
        running = self._running.setdefault(upload, _Running())
        running.slot_bytes = running.slot_bytes or stored_slot_bytes
        if not size or is_taken or running.is_sealed or number in running.drafts:
            yield None
            return
        running.slot_bytes = running.slot_bytes or size
        if size > running.slot_bytes:
            yield None
            return
        draft = Draft(self._blobs, blob, digests, start=(number - 1) * running.slot_bytes, limit=size)
        running.drafts[number] = draft
        try:
            yield draft
        finally:
            draft.revoke()
            running.drafts.pop(number, None)

    def slot_bytes(self, upload: str) -> int | None:
        running = self._running.get(upload)
        return running.slot_bytes if running else None

    @contextmanager
    def sealed(self, upload: str) -> Iterator[None]:
        """Keep everybody from writing to the upload's file: those who do are cut off, newcomers go elsewhere."""
        running = self._running.setdefault(upload, _Running())
        running.is_sealed = True
        for draft in running.drafts.values():
            draft.revoke()
        try:
            yield
        finally:
            running.is_sealed = False

    def forget(self, upload: str) -> None:
        running = self._running.pop(upload, None)
        for draft in running.drafts.values() if running else ():
            draft.revoke()

    def forget_all(self) -> None:
        for upload in tuple(self._running):
            self.forget(upload)


def offsets(parts: Sequence[Located]) -> list[int]:
    """Return where each part begins in the whole."""
    found, position = [], 0
    for located in parts:
        found.append(position)
        position += located.part.size
    return found
