"""Where S3 objects rest. Buckets are global to the house, as S3's are; every call names the bucket.

Errors carry S3's own codes: NotFound(code="NoSuchBucket" | "NoSuchKey" | "NoSuchUpload"), and so on.
"""

from collections.abc import Mapping, Sequence
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
    """Sizes of the parts of a multipart object, in order; empty for others and in listings."""
    part_checksums: Sequence[Mapping[str, str]] = ()
    """The parts' own checksums, in the same order, where the object's checksum is COMPOSITE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of an unfinished multipart upload."""

    number: int
    size: int
    etag: str
    modified_at: float
    checksums: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An unfinished multipart upload."""

    id: str
    info: ObjectInfo
    """Bucket, key, headers, metadata and tags of the object to be; `modified_at` is when the upload began."""
    algorithm: str | None
    """The checksum the client asked for; None: CRC64NVME is kept for the whole object without being asked."""
    checksum_type: str | None


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
        self,
        name: str,
        *,
        changes: Mapping[str, str | None] = MappingProxyType({}),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Set sub-resources, None removing one, and replace the tags unless None; others are left as they are."""
        ...

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

        `algorithms` are computed and kept. `expect` maps a checksum algorithm (also "MD5") to the base64 value the
        bytes must have, Invalid("BadDigest") otherwise, and "SIZE" to their number, Invalid("IncompleteBody"). It is
        read after the last byte, so it may hold what the trailers say. `if_match` is an ETag or "*".
        Conflict("PreconditionFailed") if a condition does not hold, NotFound("NoSuchKey") for If-Match on nothing.
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
        """Replace headers, metadata and tags of an existing object, not its bytes nor its date.

        Conflict("OperationAborted") if the object was overwritten since `info` was read.
        """
        ...

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
        """Copy to info's bucket and key without moving bytes; they are read only for digests that are not known.

        The copy is a whole object (its ETag an MD5) whatever the source was; without `algorithms` it gets a checksum
        of the source's algorithm.
        """
        ...

    async def delete(self, bucket: str, keys: Sequence[str], *, if_match: str | None = None) -> None:
        """Delete; absent keys are no error, unless `if_match` asks for an ETag (conditions as for put)."""
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
        restricts and orders the choice; one that is absent is NotFound("NoSuchKey"). Invalid for a key that would
        leave the directory (".."), and for two keys that cannot both be files (`a` and `a/b`, `a/b` and `a//b`).
        Laying the same prefix out again over an unfinished attempt completes it.
        """
        ...

    async def ingest(self, directory: Path, bucket: str, prefix: str, *, now: float) -> int:
        """Move every regular file below `directory` into the store as prefix + relative name; return how many.

        A prefix that does not end in "/" is given one. All become visible at once, and durable, before the files leave
        the directory: after a crash the same call again completes the move. Links within the directory are followed;
        Invalid for links that lead out of it, devices, sockets and pipes. Afterwards the files belong to the store.
        """
        ...

    async def clear(self) -> None: ...


class Uploads(Protocol):
    """Multipart uploads, for the S3 service alone. NotFound("NoSuchUpload") for an upload that is not there."""

    async def create_upload(
        self, info: ObjectInfo, *, now: float, algorithm: str | None, checksum_type: str | None
    ) -> str: ...
    async def upload(self, bucket: str, key: str, upload_id: str) -> Upload: ...
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
        expect: Mapping[str, str] = MappingProxyType({}),
    ) -> Part:
        """Store one part, replacing an earlier one of the number. `size`, where known, lets completion copy nothing."""
        ...

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
        """Store bytes of an object as a part."""
        ...

    async def parts(self, bucket: str, key: str, upload_id: str) -> list[Part]:
        """Return the parts by number."""
        ...

    async def uploads(self, bucket: str, *, prefix: str = "") -> list[Upload]:
        """Return the unfinished uploads by key, those of one key by age."""
        ...

    async def complete_upload(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[tuple[int, Mapping[str, str]]],
        *,
        now: float,
        expect: Mapping[str, str] = MappingProxyType({}),
        if_match: str | None = None,
        if_none_match: bool = False,
    ) -> ObjectInfo:
        """Make one object of the parts given: number -> {"ETAG": ..., "CRC32": ...}, ascending.

        Invalid with S3's codes (InvalidPart, InvalidPartOrder, EntityTooSmall, BadDigest, MalformedXML); `expect` as
        for put, over the whole object. Completing again what has been completed returns the object.
        """
        ...

    async def abort_upload(self, bucket: str, key: str, upload_id: str) -> None: ...
