"""The embedded object store: the adapter of `ports.objects.Objects`."""

import asyncio
import fcntl
import os
import sqlite3
import time
from builtins import list as List  # noqa: N812 - the port has a method of that name
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from sagehouse.kit.errors import Invalid, Unavailable
from sagehouse.ports.objects import Bucket, Listing, Materialized, ObjectInfo
from sagehouse.ports.stream import ByteStream
from sagehouse.storage.objects import queries
from sagehouse.storage.objects.assembly import copied_checksums
from sagehouse.storage.objects.blobs import Blobs, Draft, Durability, digest_file
from sagehouse.storage.objects.checksums import DEFAULT_ALGORITHM, Digests, verify
from sagehouse.storage.objects.cleaner import Cleaner, begin_session, end_session
from sagehouse.storage.objects.harvest import Found, Taken, release, scan, take
from sagehouse.storage.objects.index import Index
from sagehouse.storage.objects.intake import receive
from sagehouse.storage.objects.names import KEY_LIMIT_BYTES
from sagehouse.storage.objects.queries import Held
from sagehouse.storage.objects.tree import lay_out
from sagehouse.storage.objects.uploads import UploadStore

T = TypeVar("T")
NOTHING: Mapping[str, str] = MappingProxyType({})
GRACE_S = 90.0
"""A deleted object's file stays this long, for those who have its path: the port promises a minute."""
DEFAULT_CONTENT_TYPE = "binary/octet-stream"


class ObjectStore:
    """Buckets and objects below one directory, which one process at a time may open; `uploads` are its other half.

    Opening takes the directory (Unavailable if another process has it), makes what is missing and starts the threads;
    `close` waits for what was accepted.
    """

    def __init__(
        self,
        directory: Path,
        *,
        durability: Durability = "process",
        grace_s: float = GRACE_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(directory / "lock")
        self._now = now
        self._index = Index(directory / "index.sqlite", is_power_safe=durability == "power")
        self._session = self._index.submit(begin_session).result()
        self._blobs = Blobs(directory / "blobs", session=self._session, durability=durability)
        self._blobs.directory.mkdir(exist_ok=True)
        self._pool = ThreadPoolExecutor(max(4, os.cpu_count() or 1), thread_name_prefix="objects")
        self._drafts: set[Draft] = set()
        self._is_tidy = True
        self._cleaner = Cleaner(self._index, self._blobs, session=self._session, grace_s=grace_s, now=now)
        self.uploads = UploadStore(
            self._index, self._blobs, self._pool, open_draft=self._draft, tidy=self._tidy, now=now
        )
        self._cleaner.start()

    def close(self) -> None:
        """End the threads and give the directory free. Requests still running fail."""
        self._cleaner.close()
        self.uploads.forget()
        for draft in tuple(self._drafts):
            draft.revoke()
        self._pool.shutdown()
        if self._is_tidy and not self._drafts:
            self._index.submit(lambda connection: end_session(connection, self._session)).result()
        self._index.close()
        os.close(self._lock)

    # Buckets

    async def create_bucket(self, name: str, *, account: str, region: str, now: float) -> Bucket:
        bucket = Bucket(name=name, account=account, region=region, created_at=now)
        await self._index.write(lambda connection: queries.add_bucket(connection, bucket))
        return bucket

    async def bucket(self, name: str) -> Bucket:
        return await self._index.read(lambda connection: queries.get_bucket(connection, name))

    async def buckets(self, account: str) -> List[Bucket]:
        def work(connection: sqlite3.Connection) -> List[Bucket]:
            names = connection.execute(
                "SELECT name FROM buckets WHERE account = ? ORDER BY name", (account,)
            ).fetchall()
            return [queries.get_bucket(connection, name) for (name,) in names]

        return await self._index.read(work)

    async def configure_bucket(
        self, name: str, *, changes: Mapping[str, str | None] = NOTHING, tags: Mapping[str, str] | None = None
    ) -> None:
        def work(connection: sqlite3.Connection) -> None:
            bucket = queries.get_bucket(connection, name)
            merged = {**bucket.configuration, **changes}
            kept = {key: value for key, value in merged.items() if value is not None}
            queries.set_bucket(
                connection, replace(bucket, configuration=kept, tags=bucket.tags if tags is None else tags)
            )

        await self._index.write(work)

    async def delete_bucket(self, name: str) -> None:
        await self._index.write(lambda connection: queries.drop_bucket(connection, name, since=self._now()))

    # Objects

    async def put(
        self,
        bucket: str,
        key: str,
        body: ByteStream,
        *,
        info: ObjectInfo,
        now: float,
        algorithms: Sequence[str] = (),
        expect: Mapping[str, str] = NOTHING,
        if_match: str | None = None,
        if_none_match: bool = False,
    ) -> ObjectInfo:
        await self._may_write(bucket, key, if_match=if_match, if_none_match=if_none_match)
        with self._draft(Digests(algorithms)) as draft:
            await receive(body, draft, self._pool)
            verify(draft.digests, draft.size, expect)
        stored = _stored(info, bucket=bucket, key=key, now=now, size=draft.size, digests=draft.digests)
        return await self._save(
            Held(info=stored, blob=draft.blob, upload=""), if_match=if_match, if_none_match=if_none_match
        )

    async def head(self, bucket: str, key: str) -> ObjectInfo:
        return (await self._index.read(lambda connection: queries.get(connection, bucket, key))).info

    async def open(self, bucket: str, key: str) -> tuple[ObjectInfo, Path]:
        def work(connection: sqlite3.Connection) -> tuple[ObjectInfo, Path]:
            held = queries.get(connection, bucket, key)
            return held.info, self._sound_path(held)

        return await self._index.read(work)

    async def read(self, bucket: str, key: str, *, limit_bytes: int = 64 * 1024 * 1024) -> bytes:
        info, path = await self.open(bucket, key)
        if info.size > limit_bytes:
            raise Invalid(f"The object {key!r} has {info.size} bytes; at most {limit_bytes} are read here.")
        return await self._run(path.read_bytes)

    async def write(self, bucket: str, key: str, data: bytes, *, content_type: str, now: float) -> ObjectInfo:
        info = ObjectInfo(
            bucket=bucket, key=key, size=0, etag="", modified_at=now, headers={"content-type": content_type}
        )
        return await self.put(bucket, key, _Whole(data), info=info, now=now, algorithms=(DEFAULT_ALGORITHM,))

    async def annotate(self, info: ObjectInfo) -> ObjectInfo:
        return await self._index.write(lambda connection: queries.annotate(connection, info))

    async def copy(
        self,
        source: ObjectInfo,
        *,
        info: ObjectInfo,
        now: float,
        algorithms: Sequence[str] = (),
        if_match: str | None = None,
        if_none_match: bool = False,
    ) -> ObjectInfo:
        await self._may_write(info.bucket, info.key, if_match=if_match, if_none_match=if_none_match)
        held = await self._index.read(lambda connection: queries.get(connection, source.bucket, source.key))
        known, missing, needs_md5 = copied_checksums(held.info, algorithms)
        digests = Digests(missing)

        def link() -> int:
            blob = self._blobs.allocate()
            self._blobs.adopt(self._sound_path(held), blob, may_link=True)
            if missing or needs_md5:
                digest_file(self._blobs.path(blob), digests)
            return blob

        with self._tidy():
            blob = await self._run(link)
        stored = replace(
            info,
            size=held.info.size,
            etag=digests.etag if missing or needs_md5 else held.info.etag,
            modified_at=now,
            checksums={**known, **digests.checksums(), "TYPE": "FULL_OBJECT"},
            parts=(),
            part_checksums=(),
        )
        return await self._save(Held(info=stored, blob=blob, upload=""), if_match=if_match, if_none_match=if_none_match)

    async def delete(self, bucket: str, keys: Sequence[str], *, if_match: str | None = None) -> None:
        def work(connection: sqlite3.Connection) -> None:
            number = queries.bucket_id(connection, bucket)
            for key in keys if if_match is not None else ():
                queries.check(connection, bucket, key, if_match=if_match, if_none_match=False)
            queries.remove(connection, number, keys, since=self._now())

        await self._index.write(work)

    async def list(
        self, bucket: str, *, prefix: str = "", delimiter: str = "", after: str = "", limit: int = 1000
    ) -> Listing:
        return await self._index.read(
            lambda connection: queries.page(
                connection, bucket, prefix=prefix, delimiter=delimiter, after=after, limit=limit
            )
        )

    async def materialize(
        self, bucket: str, prefix: str, directory: Path, *, keys: Sequence[str] | None = None
    ) -> Materialized:
        def work(connection: sqlite3.Connection) -> List[queries.Leaf]:
            if keys is None:
                return queries.leaves(connection, bucket, prefix)
            return queries.chosen_leaves(connection, bucket, [prefix + key for key in keys])

        leaves = await self._index.read(work)
        return await self._run(lambda: lay_out(self._blobs, leaves, prefix, directory))

    async def ingest(self, directory: Path, bucket: str, prefix: str, *, now: float) -> int:
        await self.bucket(bucket)
        start = prefix if not prefix or prefix.endswith("/") else prefix + "/"
        found = await self._run(lambda: scan(directory))
        for one in found:
            if len((start + one.name).encode()) > KEY_LIMIT_BYTES:
                raise Invalid(f"The key {start + one.name!r} is longer than {KEY_LIMIT_BYTES} bytes.")
        with self._tidy():
            taken = await self._take_all(found)

        def work(connection: sqlite3.Connection) -> None:
            number = queries.bucket_id(connection, bucket)
            for one in taken:
                queries.save(connection, number, _ingested(bucket, start, one, now=now), since=self._now())

        await self._index.write(work, undo=lambda: self._drop_all(taken))
        await self._run(lambda: release(found))
        return len(found)

    async def clear(self) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for table in ("objects", "uploads", "parts"):
                connection.execute(f"INSERT OR IGNORE INTO garbage SELECT blob, 0 FROM {table}")  # noqa: S608 - ours
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own tables
            connection.execute("UPDATE garbage SET since = 0")
            connection.execute("DELETE FROM buckets")

        await self._index.write(work)
        self.uploads.forget()
        self._cleaner.wake()

    async def _take_all(self, found: Sequence[Found]) -> List[Taken]:
        """Return every file as a blob, or none of them."""
        loop = asyncio.get_running_loop()
        working = [loop.run_in_executor(self._pool, take, self._blobs, one) for one in found]
        outcomes = await asyncio.gather(*working, return_exceptions=True)
        taken = [outcome for outcome in outcomes if isinstance(outcome, Taken)]
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self._run(lambda: self._drop_all(taken))
                raise outcome
        return taken

    def _drop_all(self, taken: Sequence[Taken]) -> None:
        for one in taken:
            self._blobs.remove(one.blob)

    async def _may_write(self, bucket: str, key: str, *, if_match: str | None, if_none_match: bool) -> None:
        """Refuse early what would be refused after the whole body has come."""
        await self._index.read(
            lambda connection: queries.check(connection, bucket, key, if_match=if_match, if_none_match=if_none_match)
        )

    async def _save(self, held: Held, *, if_match: str | None, if_none_match: bool) -> ObjectInfo:
        """Make a finished blob an object; from here on the index answers for the file."""
        info = held.info

        def work(connection: sqlite3.Connection) -> None:
            number = queries.check(connection, info.bucket, info.key, if_match=if_match, if_none_match=if_none_match)
            queries.save(connection, number, held, since=self._now())

        await self._index.write(work, undo=lambda: self._blobs.remove(held.blob))
        return info

    def _sound_path(self, held: Held) -> Path:
        """Return the object's file; Unavailable if the disk lost its bytes."""
        path = self._blobs.path(held.blob)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            size = -1
        if size != held.info.size:
            raise Unavailable(
                f"The bytes of {held.info.key!r} in bucket {held.info.bucket!r} are damaged: {held.info.size} were "
                f"stored, {path} has {'none' if size < 0 else size}. Without durability 'power' a power failure can "
                "do this; put the object again."
            )
        return path

    @contextmanager
    def _draft(self, digests: Digests) -> Iterator[Draft]:
        """Lend a new file to one request; it is removed unless the block ends well."""
        draft = Draft(self._blobs, self._blobs.allocate(), digests)
        self._drafts.add(draft)
        try:
            yield draft
        except BaseException:
            draft.discard()
            raise
        finally:
            self._drafts.discard(draft)

    @contextmanager
    def _tidy(self) -> Iterator[None]:
        """Note that files may have been left over, for the next opening to sweep, if the block is broken off."""
        try:
            yield
        except BaseException:
            self._is_tidy = False
            raise

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


class _Whole:
    """Bytes at hand as a stream."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data


def _stored(info: ObjectInfo, *, bucket: str, key: str, now: float, size: int, digests: Digests) -> ObjectInfo:
    checksums = digests.checksums()
    return replace(
        info,
        bucket=bucket,
        key=key,
        size=size,
        etag=digests.etag,
        modified_at=now,
        checksums={**checksums, "TYPE": "FULL_OBJECT"} if checksums else {},
        parts=(),
        part_checksums=(),
    )


def _ingested(bucket: str, start: str, taken: Taken, *, now: float) -> Held:
    key = start + taken.found.name
    info = ObjectInfo(
        bucket=bucket, key=key, size=0, etag="", modified_at=now, headers={"content-type": DEFAULT_CONTENT_TYPE}
    )
    stored = _stored(info, bucket=bucket, key=key, now=now, size=taken.size, digests=taken.digests)
    return Held(info=stored, blob=taken.blob, upload="")


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise Unavailable(
            f"The object store {path.parent} is in use by another process. Stop it (`sagehouse down`), or choose "
            "another directory with SAGEHOUSE_HOME."
        ) from error
    return descriptor
