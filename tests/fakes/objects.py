"""The object store in memory: everything the port promises but durability. Files appear only where a path is asked."""

import hashlib
import itertools
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from sagehouse.kit.errors import Invalid
from sagehouse.ports.objects import Bucket, Listing, Materialized, ObjectInfo, Part, Upload
from sagehouse.ports.stream import ByteStream
from sagehouse.storage.objects import assembly, conditions
from sagehouse.storage.objects.checksums import DEFAULT_ALGORITHM, Digests, multipart_etag, verify
from sagehouse.storage.objects.names import refuse_collisions, relative_name

NOTHING: Mapping[str, str] = MappingProxyType({})


class Chunks:
    """A request body of the given chunks, with the trailers that came after it."""

    def __init__(self, *chunks: bytes, trailers: Mapping[str, str] = NOTHING) -> None:
        self._chunks = chunks
        self.trailers = dict(trailers)

    async def __aiter__(self):
        for chunk in self._chunks:
            yield chunk


@dataclass
class _Pending:
    upload: Upload
    parts: dict[int, tuple[Part, bytes]] = field(default_factory=dict)


class FakeObjects:
    """Both `Objects` and `Uploads`."""

    def __init__(self, scratch: Path | None = None) -> None:
        self._scratch = scratch
        self._serial = itertools.count(1)
        self._buckets: dict[str, Bucket] = {}
        self._objects: dict[str, dict[str, tuple[ObjectInfo, bytes]]] = {}
        self._uploads: dict[str, _Pending] = {}
        self._completed: dict[str, ObjectInfo] = {}

    async def create_bucket(self, name: str, *, account: str, region: str, now: float) -> Bucket:
        if name in self._buckets:
            raise conditions.bucket_exists(name, is_own=self._buckets[name].account == account)
        self._buckets[name] = Bucket(name=name, account=account, region=region, created_at=now)
        self._objects[name] = {}
        return self._buckets[name]

    async def bucket(self, name: str) -> Bucket:
        if name not in self._buckets:
            raise conditions.no_such_bucket(name)
        return self._buckets[name]

    async def buckets(self, account: str) -> list[Bucket]:
        return sorted((b for b in self._buckets.values() if b.account == account), key=lambda b: b.name)

    async def configure_bucket(
        self, name: str, *, changes: Mapping[str, str | None] = NOTHING, tags: Mapping[str, str] | None = None
    ) -> None:
        bucket = await self.bucket(name)
        merged = {**bucket.configuration, **changes}
        self._buckets[name] = replace(
            bucket,
            configuration={key: value for key, value in merged.items() if value is not None},
            tags=bucket.tags if tags is None else dict(tags),
        )

    async def delete_bucket(self, name: str) -> None:
        await self.bucket(name)
        if self._objects[name]:
            raise conditions.bucket_not_empty(name)
        del self._buckets[name], self._objects[name]
        self._uploads = {i: p for i, p in self._uploads.items() if p.upload.info.bucket != name}

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
        await self.bucket(bucket)
        data = b"".join([chunk async for chunk in body])
        digests = Digests(algorithms)
        digests.update([data])
        verify(digests, len(data), expect)
        checksums = digests.checksums()
        stored = replace(
            info,
            bucket=bucket,
            key=key,
            size=len(data),
            etag=digests.etag,
            modified_at=now,
            checksums={**checksums, "TYPE": "FULL_OBJECT"} if checksums else {},
            parts=(),
            part_checksums=(),
        )
        self._check(bucket, key, if_match, if_none_match)
        self._objects[bucket][key] = (stored, data)
        return stored

    def _check(self, bucket: str, key: str, if_match: str | None, if_none_match: bool) -> None:
        current = self._objects[bucket].get(key)
        conditions.check_write(current[0] if current else None, key, if_match=if_match, if_none_match=if_none_match)

    async def _get(self, bucket: str, key: str) -> tuple[ObjectInfo, bytes]:
        await self.bucket(bucket)
        if key not in self._objects[bucket]:
            raise conditions.no_such_key(key)
        return self._objects[bucket][key]

    async def head(self, bucket: str, key: str) -> ObjectInfo:
        return (await self._get(bucket, key))[0]

    async def open(self, bucket: str, key: str) -> tuple[ObjectInfo, Path]:
        info, data = await self._get(bucket, key)
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="fake-objects-"))
        path = self._scratch / f"blob-{next(self._serial)}"
        path.write_bytes(data)
        return info, path

    async def read(self, bucket: str, key: str, *, limit_bytes: int = 64 * 1024 * 1024) -> bytes:
        info, data = await self._get(bucket, key)
        if info.size > limit_bytes:
            raise Invalid(f"The object {key!r} has {info.size} bytes; at most {limit_bytes} are read here.")
        return data

    async def write(self, bucket: str, key: str, data: bytes, *, content_type: str, now: float) -> ObjectInfo:
        info = ObjectInfo(
            bucket=bucket, key=key, size=0, etag="", modified_at=now, headers={"content-type": content_type}
        )
        return await self.put(bucket, key, Chunks(data), info=info, now=now, algorithms=(DEFAULT_ALGORITHM,))

    async def annotate(self, info: ObjectInfo) -> ObjectInfo:
        current, data = await self._get(info.bucket, info.key)
        if (current.etag, current.modified_at) != (info.etag, info.modified_at):
            raise conditions.was_overwritten(info.key)
        changed = replace(current, headers=info.headers, metadata=info.metadata, tags=info.tags)
        self._objects[info.bucket][info.key] = (changed, data)
        return changed

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
        _, data = await self._get(source.bucket, source.key)
        known, missing, _ = assembly.copied_checksums(source, algorithms)
        return await self.put(
            info.bucket,
            info.key,
            Chunks(data),
            info=info,
            now=now,
            algorithms=(*known, *missing),
            if_match=if_match,
            if_none_match=if_none_match,
        )

    async def delete(self, bucket: str, keys: Sequence[str], *, if_match: str | None = None) -> None:
        await self.bucket(bucket)
        for key in keys:
            self._check(bucket, key, if_match, if_none_match=False)
        for key in keys:
            self._objects[bucket].pop(key, None)

    async def list(
        self, bucket: str, *, prefix: str = "", delimiter: str = "", after: str = "", limit: int = 1000
    ) -> Listing:
        await self.bucket(bucket)
        rolled: dict[str, ObjectInfo | None] = {}
        for key in sorted(self._objects[bucket], key=str.encode):
            if not key.startswith(prefix):
                continue
            end = key.find(delimiter, len(prefix)) if delimiter else -1
            name = key if end < 0 else key[: end + len(delimiter)]
            if name.encode() > after.encode():
                info = self._objects[bucket][key][0]
                rolled[name] = replace(info, parts=(), part_checksums=()) if end < 0 else None
        names = list(rolled)[:limit]
        return Listing(
            objects=[info for name in names if (info := rolled[name]) is not None],
            prefixes=[name for name in names if rolled[name] is None],
            is_truncated=len(rolled) > limit > 0,
            last=names[-1] if names else None,
        )

    async def materialize(
        self, bucket: str, prefix: str, directory: Path, *, keys: Sequence[str] | None = None
    ) -> Materialized:
        await self.bucket(bucket)
        held = self._objects[bucket]
        full = sorted(k for k in held if k.startswith(prefix)) if keys is None else [prefix + key for key in keys]
        for key in full:
            if key not in held:
                raise conditions.no_such_key(key)
        named = [(relative_name(key, prefix, size=held[key][0].size), key) for key in full]
        refuse_collisions(named)
        digest = hashlib.sha256()
        for name, key in sorted(named):
            target = directory / name
            if name.endswith("/") or not name:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(held[key][1])
            digest.update(f"{name}\0{held[key][0].etag}\0".encode())
        files = [held[key][0] for name, key in named if name and not name.endswith("/")]
        return Materialized(
            files=len(files),
            size_bytes=sum(info.size for info in files),
            is_linked=False,
            digest=digest.hexdigest(),
        )

    async def ingest(self, directory: Path, bucket: str, prefix: str, *, now: float) -> int:
        await self.bucket(bucket)
        root = directory.resolve()
        found = [path for path in sorted(directory.rglob("*")) if not path.is_dir()]
        for path in found:
            if not path.resolve().is_relative_to(root):
                raise Invalid(f"{path.name!r} is a link that leads out of the directory.")
            if not path.is_file():
                raise Invalid(f"{path.name!r} is no regular file.")
        start = prefix if not prefix or prefix.endswith("/") else prefix + "/"
        for path in found:
            key = start + path.relative_to(directory).as_posix()
            await self.write(bucket, key, path.read_bytes(), content_type="binary/octet-stream", now=now)
        for path in found:
            path.unlink()
        return len(found)

    async def clear(self) -> None:
        self._buckets.clear()
        self._objects.clear()
        self._uploads.clear()
        self._completed.clear()
        if self._scratch is not None and self._scratch.name.startswith("fake-objects-"):
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    # --- uploads -------------------------------------------------------------------------------------------------

    async def create_upload(
        self, info: ObjectInfo, *, now: float, algorithm: str | None, checksum_type: str | None
    ) -> str:
        await self.bucket(info.bucket)
        upload_id = f"upload-{next(self._serial):08d}"
        self._uploads[upload_id] = _Pending(
            Upload(
                id=upload_id,
                info=replace(info, modified_at=now),
                algorithm=algorithm,
                checksum_type=checksum_type,
            )
        )
        return upload_id

    async def _pending(self, bucket: str, key: str, upload_id: str) -> _Pending:
        await self.bucket(bucket)
        pending = self._uploads.get(upload_id)
        if pending is None or (pending.upload.info.bucket, pending.upload.info.key) != (bucket, key):
            raise conditions.no_such_upload(upload_id)
        return pending

    async def upload(self, bucket: str, key: str, upload_id: str) -> Upload:
        return (await self._pending(bucket, key, upload_id)).upload

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
        pending = await self._pending(bucket, key, upload_id)
        data = b"".join([chunk async for chunk in body])
        digests = Digests(assembly.part_algorithms(pending.upload, algorithms))
        digests.update([data])
        verify(digests, len(data), expect)
        pending = await self._pending(bucket, key, upload_id)
        part = Part(number=number, size=len(data), etag=digests.etag, modified_at=now, checksums=digests.checksums())
        pending.parts[number] = (part, data)
        return part

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
        _, data = await self._get(source.bucket, source.key)
        piece = Chunks(data[start : start + length])
        return await self.put_part(bucket, key, upload_id, number, piece, now=now)

    async def parts(self, bucket: str, key: str, upload_id: str) -> "list[Part]":
        pending = await self._pending(bucket, key, upload_id)
        return [pending.parts[number][0] for number in sorted(pending.parts)]

    async def uploads(self, bucket: str, *, prefix: str = "") -> "list[Upload]":
        await self.bucket(bucket)
        found = [p.upload for p in self._uploads.values()]
        chosen = [u for u in found if u.info.bucket == bucket and u.info.key.startswith(prefix)]
        return sorted(chosen, key=lambda u: (u.info.key.encode(), u.info.modified_at, u.id))

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
        if (done := self._completed.get(upload_id)) and self._objects.get(bucket, {}).get(key, (None,))[0] == done:
            return done
        pending = await self._pending(bucket, key, upload_id)
        stored = {number: part for number, (part, _) in pending.parts.items()}
        chosen = assembly.chosen_parts(pending.upload, stored, parts)
        checksums = assembly.whole_checksums(pending.upload, chosen)
        size = sum(part.size for part in chosen)
        assembly.verify_whole(checksums, size, expect)
        self._check(bucket, key, if_match, if_none_match)
        info = replace(
            pending.upload.info,
            size=size,
            etag=multipart_etag([part.etag for part in chosen]),
            modified_at=now,
            checksums=checksums,
            parts=[part.size for part in chosen],
            part_checksums=assembly.kept_part_checksums(checksums, chosen),
        )
        self._objects[bucket][key] = (info, b"".join(pending.parts[part.number][1] for part in chosen))
        self._completed[upload_id] = info
        del self._uploads[upload_id]
        return info

    async def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
        await self._pending(bucket, key, upload_id)
        del self._uploads[upload_id]
