"""Where S3 objects rest. Buckets are global to the house, as S3's are; every call names the bucket.

Errors carry S3's own codes: NotFound(code="NoSuchBucket" | "NoSuchKey" | "NoSuchUpload"), and so on.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from sagehouse.ports.stream import ByteStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    name: str
    account: str
    region: str
    created_at: float
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    configuration: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Sub-resources kept as given (e.g. "policy", "cors", "lifecycle"), by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """An object without its bytes."""

    bucket: str
    key: str
    size: int
    etag: str
    """Without quotes: MD5 in hex, or MD5-of-MD5s "-" number of parts."""
    modified_at: float
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """System metadata as response headers, lower case: content-type, cache-control, content-encoding, ..."""
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """User metadata, without the x-amz-meta- prefix."""
    checksums: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Algorithm in upper case ("CRC32", "SHA256", "CRC64NVME") -> base64; plus "TYPE" -> FULL_OBJECT | COMPOSITE."""
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    parts: Sequence[int] = ()
    """Sizes of the parts of a multipart object, in order; empty for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page in UTF-8 byte order of the key. `is_truncated` says that more follow `last`."""

    objects: Sequence[ObjectInfo]
    prefixes: Sequence[str]
    is_truncated: bool
    last: str | None
    """The key or common prefix after which the next page starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialized:
    """What a prefix became on disk."""

    files: int
    size_bytes: int
    is_linked: bool
    """False when hard links were not possible and bytes were copied."""
    digest: str
    """SHA-256 over (relative name, etag) of every file: equal digests mean equal inputs."""


class Objects(Protocol):
    """A write is durable and visible when it returns, and absent after a crash before that."""

    async def create_bucket(self, name: str, *, account: str, region: str, now: float) -> Bucket: ...
    async def bucket(self, name: str) -> Bucket:
        """Return the bucket; NotFound("NoSuchBucket") if it is absent."""
        ...

    async def buckets(self, account: str) -> list[Bucket]: ...
    async def configure_bucket(
        self, name: str, *, configuration: Mapping[str, str], tags: Mapping[str, str]
    ) -> None: ...
    async def delete_bucket(self, name: str) -> None:
        """Conflict("BucketNotEmpty") unless it is empty."""
        ...

    async def put(
        self,
        bucket: str,
        key: str,
        body: ByteStream,
        *,
        info: ObjectInfo,
        now: float,
        algorithms: Sequence[str] = (),
        expect: Mapping[str, str] = MappingProxyType({}),
        if_match: str | None = None,
        if_none_match: bool = False,
    ) -> ObjectInfo:
        """Store the stream; size, etag and checksums of `info` are replaced by those computed.

        `expect` maps checksum algorithm (also "MD5", base64) to the value the bytes must have: Invalid("BadDigest")
        otherwise. `body` may provide late trailers through the same mapping: it is read after the last byte.
        """
        ...

    async def head(self, bucket: str, key: str) -> ObjectInfo: ...
    async def open(self, bucket: str, key: str) -> tuple[ObjectInfo, Path]:
        """Return the object and its immutable file; the file outlives a concurrent delete for a minute at least."""
        ...

    async def read(self, bucket: str, key: str, *, limit_bytes: int = 64 * 1024 * 1024) -> bytes:
        """Return a small object whole; Invalid if it is larger than the limit."""
        ...

    async def write(self, bucket: str, key: str, data: bytes, *, content_type: str, now: float) -> ObjectInfo: ...
    async def annotate(self, info: ObjectInfo) -> ObjectInfo:
        """Replace headers, metadata and tags of an existing object, not its bytes."""
        ...

    async def copy(
        self, source: ObjectInfo, *, info: ObjectInfo, now: float, algorithms: Sequence[str] = ()
    ) -> ObjectInfo:
        """Copy without moving bytes."""
        ...

    async def delete(self, bucket: str, keys: Sequence[str]) -> None:
        """Delete; absent keys are no error."""
        ...

    async def list(
        self, bucket: str, *, prefix: str = "", delimiter: str = "", after: str = "", limit: int = 1000
    ) -> Listing: ...

    async def materialize(
        self, bucket: str, prefix: str, directory: Path, *, keys: Sequence[str] | None = None
    ) -> Materialized:
        """Lay the objects under a string prefix out as files in `directory`, by hard link, never copying if it can.

        The relative name is the key minus the prefix without its leading "/"; the object whose key equals the prefix
        takes its last segment as name; keys that end in "/" become directories. `keys` (relative to the prefix)
        restricts and orders the choice. A key that would leave the directory ("..") is refused: Invalid.
        """
        ...

    async def ingest(self, directory: Path, bucket: str, prefix: str, *, now: float) -> int:
        """Move every regular file below `directory` into the store as prefix + relative name; return how many.

        Links that lead out of the directory are refused. After it returns the files belong to the store.
        """
        ...

    async def clear(self) -> None: ...


class Uploads(Protocol):
    """Multipart uploads, for the S3 service alone."""

    async def create_upload(
        self, info: ObjectInfo, *, now: float, algorithm: str | None, checksum_type: str | None
    ) -> str: ...
    async def put_part(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        body: ByteStream,
        *,
        now: float,
        expect: Mapping[str, str] = MappingProxyType({}),
    ) -> ObjectInfo: ...
    async def parts(self, bucket: str, key: str, upload_id: str) -> list[tuple[int, ObjectInfo]]: ...
    async def uploads(self, bucket: str) -> AsyncIterator[tuple[str, ObjectInfo]]: ...
    async def complete_upload(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[tuple[int, Mapping[str, str]]],
        *,
        now: float,
        if_match: str | None = None,
        if_none_match: bool = False,
    ) -> ObjectInfo: ...
    async def abort_upload(self, bucket: str, key: str, upload_id: str) -> None: ...
