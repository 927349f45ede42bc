"""The tables of the object index, and how their rows become values of the port.

Keys are BLOBs: SQLite compares them byte by byte, which is S3's order, and no character of them is special.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sagehouse.ports.objects import Bucket, ObjectInfo, Part, Upload

TABLES = """
CREATE TABLE IF NOT EXISTS buckets (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, account TEXT NOT NULL, region TEXT NOT NULL,
    created_at REAL NOT NULL, tags TEXT NOT NULL DEFAULT '{}', configuration TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE TABLE IF NOT EXISTS objects (
    bucket INTEGER NOT NULL, key BLOB NOT NULL, blob INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    modified_at REAL NOT NULL, details TEXT NOT NULL, parts TEXT NOT NULL, upload TEXT NOT NULL,
    PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, bucket INTEGER NOT NULL, key BLOB NOT NULL, blob INTEGER NOT NULL, created_at REAL NOT NULL,
    details TEXT NOT NULL, algorithm TEXT, checksum_type TEXT, part_size INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uploads_by_key ON uploads (bucket, key);
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, blob INTEGER NOT NULL, start INTEGER NOT NULL,
    size INTEGER NOT NULL, etag TEXT NOT NULL, modified_at REAL NOT NULL, checksums TEXT NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS garbage (blob INTEGER PRIMARY KEY, since REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sessions (id INTEGER PRIMARY KEY AUTOINCREMENT, is_open INTEGER NOT NULL) STRICT;
"""
"""`garbage` holds files nobody names any more, until readers have had time to let go of them. `sessions` holds the
opened stores that were not closed in an orderly way: only their files can be ones the index does not know."""

OBJECT = "key, size, etag, modified_at, details, parts"


def details_text(info: ObjectInfo) -> str:
    """Return what the index keeps of an object beside its columns."""
    return json.dumps(
        {
            name: dict(mapping)
            for name, mapping in (("h", info.headers), ("m", info.metadata), ("c", info.checksums), ("t", info.tags))
            if mapping
        },
        separators=(",", ":"),
    )


def parts_text(sizes: Sequence[int], checksums: Sequence[Mapping[str, str]]) -> str:
    return json.dumps([list(sizes), [dict(one) for one in checksums]], separators=(",", ":")) if sizes else ""


def to_info(bucket: str, row: Sequence[Any]) -> ObjectInfo:
    """Return the object of a row of the columns OBJECT; a listing leaves `parts` empty."""
    key, size, etag, modified_at, details, parts = row
    found: dict[str, dict[str, str]] = json.loads(details)
    sizes, checksums = json.loads(parts) if parts else ((), ())
    return ObjectInfo(
        bucket=bucket,
        key=bytes(key).decode(),
        size=size,
        etag=etag,
        modified_at=modified_at,
        headers=found.get("h", {}),
        metadata=found.get("m", {}),
        checksums=found.get("c", {}),
        tags=found.get("t", {}),
        parts=sizes,
        part_checksums=checksums,
    )


def to_bucket(row: Sequence[Any]) -> Bucket:
    """Return the bucket of a row (name, account, region, created_at, tags, configuration)."""
    name, account, region, created_at, tags, configuration = row
    return Bucket(
        name=name,
        account=account,
        region=region,
        created_at=created_at,
        tags=json.loads(tags),
        configuration=json.loads(configuration),
    )


def to_upload(bucket: str, row: Sequence[Any]) -> Upload:
    """Return the upload of a row (id, key, created_at, details, algorithm, checksum_type)."""
    upload_id, key, created_at, details, algorithm, checksum_type = row
    info = to_info(bucket, (key, 0, "", created_at, details, ""))
    return Upload(id=upload_id, info=info, algorithm=algorithm, checksum_type=checksum_type)


def to_part(row: Sequence[Any]) -> Part:
    """Return the part of a row (number, size, etag, modified_at, checksums)."""
    number, size, etag, modified_at, checksums = row
    return Part(number=number, size=size, etag=etag, modified_at=modified_at, checksums=json.loads(checksums))


def connect(path: str, *, is_power_safe: bool) -> sqlite3.Connection:
    """Return a connection any one thread at a time may use, with its transactions in our hands."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if is_power_safe else 'NORMAL'}")
    connection.execute("PRAGMA cache_size = -16000")
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection
