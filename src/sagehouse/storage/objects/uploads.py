"""Multipart uploads: the adapter of `ports.objects.Uploads`."""

import asyncio
import json
import os
import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

from sagehouse.ports.objects import ObjectInfo, Part, Upload
from sagehouse.ports.stream import ByteStream
from sagehouse.storage.objects import assembly, conditions, queries
from sagehouse.storage.objects.blobs import Blobs, Draft, copy_range, disk_errors, read_range, sync_file
from sagehouse.storage.objects.checksums import Digests, multipart_etag, verify
from sagehouse.storage.objects.index import Index
from sagehouse.storage.objects.intake import receive
from sagehouse.storage.objects.names import after_all
from sagehouse.storage.objects.queries import Held
from sagehouse.storage.objects.schema import details_text, to_part, to_upload
from sagehouse.storage.objects.slots import Located, Slots, offsets

T = TypeVar("T")
NOTHING: Mapping[str, str] = MappingProxyType({})
UPLOAD = "id, key, created_at, details, algorithm, checksum_type"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """An upload as the index holds it."""

    upload: Upload
    blob: int
    """The file its slots are in, and that may become the object's."""
    slot_bytes: int | None


class UploadStore:
    """Shares index, files and threads with the `ObjectStore` it belongs to."""

    def __init__(
        self,
        index: Index,
        blobs: Blobs,
        pool: Executor,
        *,
        open_draft: Callable[[Digests], AbstractContextManager[Draft]],
        tidy: Callable[[], AbstractContextManager[None]],
        now: Callable[[], float],
    ) -> None:
        self._index, self._blobs, self._pool = index, blobs, pool
        self._open_draft, self._tidy, self._now = open_draft, tidy, now
        self._slots = Slots(blobs)

    def forget(self) -> None:
        """Cut off everybody who still writes."""
        self._slots.forget_all()

    async def create_upload(
        self, info: ObjectInfo, *, now: float, algorithm: str | None, checksum_type: str | None
    ) -> str:
        upload_id = secrets.token_hex(32)  # never begins with "-", as an option does on a command line
        blob = self._blobs.allocate()

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    upload_id,
                    queries.bucket_id(connection, info.bucket),
                    info.key.encode(),
                    blob,
                    now,
                    details_text(info),
                    algorithm,
                    checksum_type,
                ),
            )

        await self._index.write(work)
        return upload_id

    async def upload(self, bucket: str, key: str, upload_id: str) -> Upload:
        return (await self._index.read(lambda connection: _pending(connection, bucket, key, upload_id))).upload

    async def put_part(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        body: ByteStream,
        *,
        now: float,
        size: int | None = None,
        algorithms: Sequence[str] = (),
        expect: Mapping[str, str] = NOTHING,
    ) -> Part:
        async def fill(draft: Draft) -> None:
            await receive(body, draft, self._pool)
            verify(draft.digests, draft.size, expect)

        return await self._store_part(bucket, key, upload_id, number, fill, now=now, size=size, algorithms=algorithms)

    async def copy_part(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        source: ObjectInfo,
        *,
        start: int,
        length: int,
        now: float,
    ) -> Part:
        held = await self._index.read(lambda connection: queries.get(connection, source.bucket, source.key))
        path = self._blobs.path(held.blob)

        def copy(draft: Draft) -> None:
            for piece in read_range(path, start, length):
                draft.write([piece])
                draft.digest([piece])
            draft.finish()

        async def fill(draft: Draft) -> None:
            await self._run(lambda: copy(draft))

        return await self._store_part(bucket, key, upload_id, number, fill, now=now, size=length, algorithms=())

    async def parts(self, bucket: str, key: str, upload_id: str) -> list[Part]:
        def work(connection: sqlite3.Connection) -> list[Part]:
            _pending(connection, bucket, key, upload_id)
            return [located.part for located in _located(connection, upload_id).values()]

        return await self._index.read(work)

    async def uploads(self, bucket: str, *, prefix: str = "") -> list[Upload]:
        def work(connection: sqlite3.Connection) -> list[Upload]:
            rows = connection.execute(
                f"SELECT {UPLOAD} FROM uploads WHERE bucket = ? AND key >= ? AND key < ? "  # noqa: S608 - our columns
                "ORDER BY key, created_at, id",
                (queries.bucket_id(connection, bucket), prefix.encode(), after_all(prefix.encode())),
            )
            return [to_upload(bucket, row) for row in rows]

        return await self._index.read(work)

    async def complete_upload(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[tuple[int, Mapping[str, str]]],
        *,
        now: float,
        expect: Mapping[str, str] = NOTHING,
        if_match: str | None = None,
        if_none_match: bool = False,
    ) -> ObjectInfo:
        def view(connection: sqlite3.Connection) -> tuple[_Pending, dict[int, Located]] | ObjectInfo:
            held = queries.find(connection, bucket, queries.bucket_id(connection, bucket), key)
            if held is not None and held.upload == upload_id:
                return held.info  # completed before, and the answer was lost
            pending = _pending(connection, bucket, key, upload_id)
            queries.check(connection, bucket, key, if_match=if_match, if_none_match=if_none_match)
            return pending, _located(connection, upload_id)

        found = await self._index.read(view)
        if isinstance(found, ObjectInfo):
            return found
        pending, located = found
        chosen = assembly.chosen_parts(pending.upload, {n: one.part for n, one in located.items()}, parts)
        info = _whole(pending.upload, chosen, now=now)
        assembly.verify_whole(info.checksums, info.size, expect)
        with self._slots.sealed(upload_id):
            with self._tidy():
                blob = await self._run(lambda: self._assemble(pending, located, [part.number for part in chosen]))
            await self._commit(
                Held(info=info, blob=blob, upload=upload_id), pending, if_match=if_match, if_none_match=if_none_match
            )
        self._slots.forget(upload_id)
        return info

    async def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _pending(connection, bucket, key, upload_id)
            queries.drop_upload(connection, upload_id, since=0.0)

        await self._index.write(work)
        self._slots.forget(upload_id)

    async def _store_part(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        fill: Callable[[Draft], Awaitable[None]],
        *,
        now: float,
        size: int | None,
        algorithms: Sequence[str],
    ) -> Part:
        """Let `fill` write the part where it belongs, then make it one of the upload's parts."""

        def view(connection: sqlite3.Connection) -> tuple[_Pending, Located | None]:
            return _pending(connection, bucket, key, upload_id), _located(connection, upload_id, number).get(number)

        pending, before = await self._index.read(view)
        digests = Digests(assembly.part_algorithms(pending.upload, algorithms))
        with self._slots.lend(
            upload_id,
            number,
            digests,
            blob=pending.blob,
            size=size,
            stored_slot_bytes=pending.slot_bytes,
            is_taken=before is not None and before.blob == pending.blob,
        ) as slot:
            if slot is not None:
                try:
                    await fill(slot)
                except BaseException:
                    slot.vacate()
                    raise
                return await self._save_part(bucket, key, upload_id, _finished(slot, number, now), undo=_nothing)
        with self._open_draft(digests) as draft:
            await fill(draft)
        return await self._save_part(
            bucket, key, upload_id, _finished(draft, number, now), undo=lambda: self._blobs.remove(draft.blob)
        )

    async def _save_part(
        self, bucket: str, key: str, upload_id: str, located: Located, *, undo: Callable[[], None]
    ) -> Part:
        part, slot_bytes = located.part, self._slots.slot_bytes(upload_id)

        def work(connection: sqlite3.Connection) -> None:
            pending = _pending(connection, bucket, key, upload_id)
            before = _located(connection, upload_id, part.number).get(part.number)
            if before is not None and before.blob != pending.blob:
                queries.discard(connection, [before.blob], since=self._now())
            connection.execute(
                "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    upload_id,
                    part.number,
                    located.blob,
                    located.start,
                    part.size,
                    part.etag,
                    part.modified_at,
                    json.dumps(dict(part.checksums)),
                ),
            )
            if located.blob == pending.blob and pending.slot_bytes is None:
                connection.execute("UPDATE uploads SET part_size = ? WHERE id = ?", (slot_bytes, upload_id))

        await self._index.write(work, undo=undo)
        return part

    def _assemble(self, pending: _Pending, located: Mapping[int, Located], numbers: Sequence[int]) -> int:
        """Return the blob that holds the whole: the upload's own file if no part in it is out of place, else a new one.

        Parts of the upload that the client does not list make it a new one too, so that a completion that fails
        afterwards has harmed nothing.
        """
        chosen = [located[number] for number in numbers]
        places = offsets(chosen)
        own = [one for one in located.values() if one.blob == pending.blob]
        right = [
            one for one, place in zip(chosen, places, strict=True) if (one.blob, one.start) == (pending.blob, place)
        ]
        is_in_place = bool(own) and len(own) == len(right)
        blob = pending.blob if is_in_place else self._blobs.allocate()
        try:
            self._write_whole(blob, chosen, places)
        except BaseException as error:
            if not is_in_place:
                self._blobs.remove(blob)
            if isinstance(error, FileNotFoundError):  # aborted meanwhile
                raise conditions.no_such_upload(pending.upload.id) from error
            raise
        return blob

    def _write_whole(self, blob: int, chosen: Sequence[Located], places: Sequence[int]) -> None:
        with disk_errors(self._blobs.directory):
            target = self._blobs.create(blob)
            try:
                for one, place in zip(chosen, places, strict=True):
                    if (one.blob, one.start) != (blob, place):
                        self._copy(one, target, place)
                os.ftruncate(target, places[-1] + chosen[-1].part.size)
            finally:
                os.close(target)
            if self._blobs.is_power_safe:
                sync_file(self._blobs.path(blob))

    def _copy(self, one: Located, target: int, place: int) -> None:
        source = os.open(self._blobs.path(one.blob), os.O_RDONLY | os.O_CLOEXEC)
        try:
            copy_range(source, target, source_start=one.start, target_start=place, length=one.part.size)
        finally:
            os.close(source)

    async def _commit(self, held: Held, pending: _Pending, *, if_match: str | None, if_none_match: bool) -> None:
        """Make the whole an object and forget the upload, or leave the upload as it was."""
        info, upload_id = held.info, held.upload

        def work(connection: sqlite3.Connection) -> None:
            _pending(connection, info.bucket, info.key, upload_id)
            number = queries.check(connection, info.bucket, info.key, if_match=if_match, if_none_match=if_none_match)
            queries.drop_upload(connection, upload_id, since=0.0, keep=held.blob)
            queries.save(connection, number, held, since=self._now())

        def undo() -> None:
            if held.blob != pending.blob:
                self._blobs.remove(held.blob)

        await self._index.write(work, undo=undo)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _nothing() -> None:
    return


def _finished(draft: Draft, number: int, now: float) -> Located:
    part = Part(
        number=number,
        size=draft.size,
        etag=draft.digests.etag,
        modified_at=now,
        checksums=draft.digests.checksums(),
    )
    return Located(part=part, blob=draft.blob, start=draft.start)


def _whole(upload: Upload, parts: Sequence[Part], *, now: float) -> ObjectInfo:
    checksums = assembly.whole_checksums(upload, parts)
    return replace(
        upload.info,
        size=sum(part.size for part in parts),
        etag=multipart_etag([part.etag for part in parts]),
        modified_at=now,
        checksums=checksums,
        parts=[part.size for part in parts],
        part_checksums=assembly.kept_part_checksums(checksums, parts),
    )


def _pending(connection: sqlite3.Connection, bucket: str, key: str, upload_id: str) -> _Pending:
    row = connection.execute(
        f"SELECT blob, part_size, {UPLOAD} FROM uploads WHERE id = ? AND bucket = ? AND key = ?",  # noqa: S608 - ours
        (upload_id, queries.bucket_id(connection, bucket), key.encode()),
    ).fetchone()
    if row is None:
        raise conditions.no_such_upload(upload_id)
    return _Pending(upload=to_upload(bucket, row[2:]), blob=row[0], slot_bytes=row[1])


def _located(connection: sqlite3.Connection, upload_id: str, number: int | None = None) -> dict[int, Located]:
    rows = connection.execute(
        "SELECT blob, start, number, size, etag, modified_at, checksums FROM parts "
        "WHERE upload = ? AND (? IS NULL OR number = ?) ORDER BY number",
        (upload_id, number, number),
    )
    return {row[2]: Located(part=to_part(row[2:]), blob=row[0], start=row[1]) for row in rows}
