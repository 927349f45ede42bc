"""What the store asks the index and writes to it: functions of a connection, run on the index's own threads."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sagehouse.ports.objects import Bucket, Listing, ObjectInfo
from sagehouse.storage.objects import conditions
from sagehouse.storage.objects.names import after_all
from sagehouse.storage.objects.schema import OBJECT, details_text, parts_text, to_bucket, to_info


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An object and the file that holds it."""

    info: ObjectInfo
    blob: int
    upload: str
    """The multipart upload it came from, "" for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """What is needed of an object to lay it out as a file."""

    key: str
    blob: int
    size: int
    etag: str


def bucket_id(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("SELECT id FROM buckets WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise conditions.no_such_bucket(name)
    return int(row[0])


def get_bucket(connection: sqlite3.Connection, name: str) -> Bucket:
    row = connection.execute(
        "SELECT name, account, region, created_at, tags, configuration FROM buckets WHERE name = ?", (name,)
    ).fetchone()
    if row is None:
        raise conditions.no_such_bucket(name)
    return to_bucket(row)


def add_bucket(connection: sqlite3.Connection, bucket: Bucket) -> None:
    row = connection.execute("SELECT account FROM buckets WHERE name = ?", (bucket.name,)).fetchone()
    if row is not None:
        raise conditions.bucket_exists(bucket.name, is_own=row[0] == bucket.account)
    connection.execute(
        "INSERT INTO buckets (name, account, region, created_at) VALUES (?, ?, ?, ?)",
        (bucket.name, bucket.account, bucket.region, bucket.created_at),
    )


def set_bucket(connection: sqlite3.Connection, bucket: Bucket) -> None:
    connection.execute(
        "UPDATE buckets SET tags = ?, configuration = ? WHERE name = ?",
        (json.dumps(dict(bucket.tags)), json.dumps(dict(bucket.configuration)), bucket.name),
    )


def drop_bucket(connection: sqlite3.Connection, name: str, *, since: float) -> None:
    """Remove an empty bucket with its unfinished uploads."""
    number = bucket_id(connection, name)
    if connection.execute("SELECT 1 FROM objects WHERE bucket = ? LIMIT 1", (number,)).fetchone():
        raise conditions.bucket_not_empty(name)
    for (upload,) in connection.execute("SELECT id FROM uploads WHERE bucket = ?", (number,)).fetchall():
        drop_upload(connection, upload, since=since)
    connection.execute("DELETE FROM buckets WHERE id = ?", (number,))


def drop_upload(connection: sqlite3.Connection, upload: str, *, since: float, keep: int | None = None) -> None:
    """Forget an upload; its files become garbage, but for the one that became the object."""
    discard(
        connection,
        [
            blob
            for (blob,) in connection.execute(
                "SELECT blob FROM uploads WHERE id = ? UNION SELECT blob FROM parts WHERE upload = ?", (upload, upload)
            )
            if blob != keep
        ],
        since=since,
    )
    connection.execute("DELETE FROM parts WHERE upload = ?", (upload,))
    connection.execute("DELETE FROM uploads WHERE id = ?", (upload,))


def discard(connection: sqlite3.Connection, blobs: Iterable[int], *, since: float) -> None:
    """Note files nobody names any more."""
    connection.executemany("INSERT OR IGNORE INTO garbage VALUES (?, ?)", [(blob, since) for blob in blobs])


def find(connection: sqlite3.Connection, bucket: str, number: int, key: str) -> Held | None:
    row = connection.execute(
        f"SELECT blob, upload, {OBJECT} FROM objects WHERE bucket = ? AND key = ?",  # noqa: S608 - our own columns
        (number, key.encode()),
    ).fetchone()
    return None if row is None else Held(info=to_info(bucket, row[2:]), blob=row[0], upload=row[1])


def get(connection: sqlite3.Connection, bucket: str, key: str) -> Held:
    held = find(connection, bucket, bucket_id(connection, bucket), key)
    if held is None:
        raise conditions.no_such_key(key)
    return held


def check(connection: sqlite3.Connection, bucket: str, key: str, *, if_match: str | None, if_none_match: bool) -> int:
    """Return the bucket's number if the key may be written on these conditions."""
    number = bucket_id(connection, bucket)
    if if_match is not None or if_none_match:
        held = find(connection, bucket, number, key)
        conditions.check_write(held.info if held else None, key, if_match=if_match, if_none_match=if_none_match)
    return number


def save(connection: sqlite3.Connection, number: int, held: Held, *, since: float) -> None:
    """Make `held` the object at its key; the file of the one before becomes garbage."""
    info, key = held.info, held.info.key.encode()
    before = connection.execute("SELECT blob FROM objects WHERE bucket = ? AND key = ?", (number, key)).fetchone()
    if before is not None:
        discard(connection, before, since=since)
    connection.execute(
        "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            key,
            held.blob,
            info.size,
            info.etag,
            info.modified_at,
            details_text(info),
            parts_text(info.parts, info.part_checksums),
            held.upload,
        ),
    )


def annotate(connection: sqlite3.Connection, info: ObjectInfo) -> ObjectInfo:
    held = get(connection, info.bucket, info.key)
    if (held.info.etag, held.info.modified_at) != (info.etag, info.modified_at):
        raise conditions.was_overwritten(info.key)
    changed = replace(held.info, headers=info.headers, metadata=info.metadata, tags=info.tags)
    connection.execute(
        "UPDATE objects SET details = ? WHERE bucket = ? AND key = ?",
        (details_text(changed), bucket_id(connection, info.bucket), info.key.encode()),
    )
    return changed


def remove(connection: sqlite3.Connection, number: int, keys: Sequence[str], *, since: float) -> None:
    for key in keys:
        row = connection.execute(
            "DELETE FROM objects WHERE bucket = ? AND key = ? RETURNING blob", (number, key.encode())
        ).fetchone()
        if row is not None:
            discard(connection, row, since=since)


def leaves(connection: sqlite3.Connection, bucket: str, prefix: str) -> list[Leaf]:
    """Return every object under a string prefix, in the order of keys."""
    start = prefix.encode()
    rows = connection.execute(
        "SELECT key, blob, size, etag FROM objects WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key",
        (bucket_id(connection, bucket), start, after_all(start)),
    )
    return [Leaf(key=bytes(key).decode(), blob=blob, size=size, etag=etag) for key, blob, size, etag in rows]


def chosen_leaves(connection: sqlite3.Connection, bucket: str, keys: Sequence[str]) -> list[Leaf]:
    """Return these objects; NotFound names the first that is absent."""
    held = [get(connection, bucket, key) for key in keys]
    return [Leaf(key=one.info.key, blob=one.blob, size=one.info.size, etag=one.info.etag) for one in held]


def page(
    connection: sqlite3.Connection, bucket: str, *, prefix: str, delimiter: str, after: str, limit: int
) -> Listing:
    """Return the first `limit` names after `after` of the rolled-up list: keys, and common prefixes as one name each.

    A common prefix is skipped over by one seek, so the cost is per name on the page, not per key below it.
    """
    number = bucket_id(connection, bucket)
    if limit <= 0:
        return Listing(objects=[], prefixes=[], is_truncated=False, last=None)
    start, last, cut = prefix.encode(), after_all(prefix.encode()), delimiter.encode()
    seek = max(start, _resume(after.encode(), start, cut)) if after else start
    objects: list[ObjectInfo] = []
    prefixes: list[str] = []
    names: list[str] = []
    while len(names) <= limit:
        folded = None
        for row in connection.execute(
            f"SELECT {OBJECT} FROM objects WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",  # noqa: S608 - our own columns
            (number, seek, last, limit + 1 - len(names)),
        ):
            folded = _common_prefix(bytes(row[0]), start, cut)
            if folded is not None:
                break
            objects.append(to_info(bucket, (*row[:5], "")))
            names.append(objects[-1].key)
        if folded is None:
            break
        prefixes.append(folded.decode())
        names.append(prefixes[-1])
        seek = after_all(folded)
    is_truncated = len(names) > limit
    if is_truncated:
        surplus = names.pop()
        if prefixes and prefixes[-1] == surplus:
            prefixes.pop()
        else:
            objects.pop()
    return Listing(objects=objects, prefixes=prefixes, is_truncated=is_truncated, last=names[-1] if names else None)


def _common_prefix(key: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    end = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if end < 0 else key[: end + len(delimiter)]


def _resume(after: bytes, prefix: bytes, delimiter: bytes) -> bytes:
    """Return the smallest key whose name on the rolled-up list is greater than `after`."""
    folded = _common_prefix(after, prefix, delimiter) if after.startswith(prefix) else None
    return after + b"\0" if folded is None else after_all(folded)
