"""One change as SQL, inside the writer's transaction."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sagehouse.kit.errors import Conflict, NotFound
from sagehouse.ports.catalog import Change, Delete, DropTags, Insert, Key, PutTags, Replace
from sagehouse.storage.catalog.rows import COLUMNS

Row = tuple[Any, ...]
Applied = tuple[list[Row], list[Key]]
"""New rows, and the keys of every resource written."""

_SELECT = f"SELECT {COLUMNS} FROM resources WHERE account = ? AND region = ? AND kind = ? AND name_key = ?"  # noqa: S608 - a constant


def place(key: Key) -> tuple[str, str, str, str]:
    """Return the primary key: names compare without case."""
    return key.account, key.region, key.kind, key.name.lower()


def read(connection: sqlite3.Connection, key: Key) -> Row | None:
    """Return the row of a key."""
    row: Row | None = connection.execute(_SELECT, place(key)).fetchone()
    return row


def apply_all(connection: sqlite3.Connection, changes: Sequence[tuple[Change, str]]) -> Applied:
    """Apply changes that happen together, each with its document as text."""
    rows, keys = [], []
    for change, text in changes:
        key, row = apply(connection, change, text)
        if key is not None:
            keys.append(key)
        if row is not None:
            rows.append(row)
    return rows, keys


def forget_everything(connection: sqlite3.Connection) -> Applied:
    """Empty the catalog."""
    for table in ("resources", "tags", "story"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own tables
    return [], []


def apply(connection: sqlite3.Connection, change: Change, text: str) -> tuple[Key | None, Row | None]:
    """Apply one change; return the key it wrote (None for tags) and its new row (Insert and Replace).

    `text` is the document of an Insert or Replace. Conflict and NotFound as the port says; the caller undoes what the
    changes before it did.
    """
    match change:
        case Insert():
            return change.key, _insert(connection, change, text)
        case Replace():
            row = _replace(connection, change, text)
            return change.key, row
        case Delete():
            _delete(connection, change)
            return change.key, None
        case PutTags():
            _put_tags(connection, change.arn.lower(), change.tags)
        case DropTags():
            connection.executemany(
                "DELETE FROM tags WHERE arn_key = ? AND tag_key = ?",
                [(change.arn.lower(), tag_key) for tag_key in change.tag_keys],
            )
    return None, None


def _insert(connection: sqlite3.Connection, change: Insert, text: str) -> Row:
    account, region, kind, name_key = place(change.key)
    parent = change.parent.lower()
    values = (account, region, kind, name_key, change.key.name, change.arn, change.arn.lower(), parent)
    try:
        connection.execute(
            "INSERT INTO resources (account, region, kind, name_key, name, arn, arn_key, parent, status, version,"
            " created_at, modified_at, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)",
            (*values, change.status, change.now, change.now, text),
        )
    except sqlite3.IntegrityError:
        message = f"{kind} {change.key.name!r} ({change.arn}) already exists."
        raise Conflict(message, code="AlreadyExists") from None
    if change.tags:
        _put_tags(connection, change.arn.lower(), change.tags)
    _tell(connection, change, arn=change.arn, from_status="", to_status=change.status)
    now = change.now
    return account, region, kind, change.key.name, change.arn, text, change.status, parent, 1, now, now


def _replace(connection: sqlite3.Connection, change: Replace, text: str) -> Row:
    before = read(connection, change.key)
    if before is None or before[8] != change.expect_version:
        raise _version_changed(change.key, change.expect_version, before)
    connection.execute(
        "UPDATE resources SET document = ?, status = ?, version = ?, modified_at = ?"
        " WHERE account = ? AND region = ? AND kind = ? AND name_key = ?",
        (text, change.status, change.expect_version + 1, change.now, *place(change.key)),
    )
    if change.status != before[6] or change.why:
        _tell(connection, change, arn=before[4], from_status=before[6], to_status=change.status)
    return (*before[:5], text, change.status, before[7], change.expect_version + 1, before[9], change.now)


def _delete(connection: sqlite3.Connection, change: Delete) -> None:
    before = read(connection, change.key)
    if before is None:
        raise NotFound(f"There is no {change.key.kind} {change.key.name!r} in {change.key.region}.")
    if change.expect_version is not None and before[8] != change.expect_version:
        raise _version_changed(change.key, change.expect_version, before)
    connection.execute(
        "DELETE FROM resources WHERE account = ? AND region = ? AND kind = ? AND name_key = ?", place(change.key)
    )
    connection.execute("DELETE FROM tags WHERE arn_key = ?", (before[4].lower(),))
    _tell(connection, change, arn=before[4], from_status=before[6], to_status="")


def _put_tags(connection: sqlite3.Connection, arn_key: str, tags: Mapping[str, str]) -> None:
    last = connection.execute("SELECT COALESCE(MAX(position), 0) FROM tags WHERE arn_key = ?", (arn_key,)).fetchone()[0]
    connection.executemany(
        "INSERT INTO tags (arn_key, tag_key, tag_value, position) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (arn_key, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
        [(arn_key, tag_key, value, last + n) for n, (tag_key, value) in enumerate(tags.items(), start=1)],
    )


def _tell(
    connection: sqlite3.Connection, change: Insert | Replace | Delete, *, arn: str, from_status: str, to_status: str
) -> None:
    connection.execute(
        "INSERT INTO story (arn_key, arn, told_at, who, from_status, to_status, why) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (arn.lower(), arn, change.now, change.who, from_status, to_status, change.why),
    )


def _version_changed(key: Key, expected: int, before: Row | None) -> Conflict:
    found = "it is gone" if before is None else f"it has version {before[8]}"
    message = f"{key.kind} {key.name!r} was expected at version {expected} but {found}: load it again."
    return Conflict(message, code="VersionChanged")
