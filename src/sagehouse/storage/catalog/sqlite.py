"""The catalog in one SQLite file in WAL mode: one writer thread, short reads beside it.

What survives: every write that returned survives the end of this process at any instruction (`kill -9`), because it is
in the operating system's hands. With `synchronous="FULL"` it also survives the machine losing power, for one fsync per
group of writes; with the default, "NORMAL", a power cut may lose the last moments but never the database's integrity.
Source: https://www.sqlite.org/pragma.html#pragma_synchronous
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

from sagehouse.kit.errors import Invalid, Unavailable
from sagehouse.kit.page import Page
from sagehouse.ports.catalog import Change, Insert, Key, Query, Replace, Stored, StoryLine
from sagehouse.storage.catalog.apply import Applied, apply_all, forget_everything, read
from sagehouse.storage.catalog.rows import COLUMNS, to_list, to_stored, to_text
from sagehouse.storage.catalog.schema import migrate
from sagehouse.storage.catalog.select import count_sql, page_sql, to_page
from sagehouse.storage.group_writer import GroupWriter, Work, is_full

T = TypeVar("T")

BUSY_S = 10.0
"""How long a write waits for another process (a backup, a curious `sqlite3` shell) before it is Unavailable."""


class SqliteCatalog:
    """Adapter of `ports.catalog.Catalog`. Close it when done; it may be used by one event loop at a time.

    `on_commit` functions hear the keys of each write on the event loop, before its writer does; they must not wait or
    raise. `limit_bytes` bounds the database file: beyond it writes fail as on a full disk.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_commit: Iterable[Callable[[Sequence[Key]], None]] = (),
        synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
        limit_bytes: int | None = None,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        writing = _open_for_writing(path, synchronous=synchronous, limit_bytes=limit_bytes)
        self._near = _connect(path)  # single rows, microseconds: read on the event loop itself
        self._far = _connect(path)  # lists: read on a thread of their own
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="catalog-reader")
        self._on_commit = tuple(on_commit)
        self._writer = GroupWriter(writing, name="catalog-writer", told=_told)

    def close(self) -> None:
        """Finish the writes that wait and close the files."""
        self._writer.close()
        self._reader.shutdown()
        self._near.close()
        self._far.close()

    async def get(self, key: Key) -> Stored | None:
        row = _guarded(lambda: read(self._near, key))
        return None if row is None else to_stored(row)

    async def find(self, arn: str) -> Stored | None:
        statement = f"SELECT {COLUMNS} FROM resources WHERE arn_key = ?"  # noqa: S608 - a constant
        rows = _rows(self._near, statement, (arn.lower(),))
        return to_stored(rows[0]) if rows else None

    async def write(self, *changes: Change) -> list[Stored]:
        if not changes:
            return []
        prepared = [(change, _text(change)) for change in changes]
        rows, _ = await self._commit(lambda connection: apply_all(connection, prepared))
        return [to_stored(row) for row in rows]

    async def page(self, query: Query) -> Page[Stored]:
        statement, parameters = page_sql(query)
        rows = await self._on_reader(lambda: _rows(self._far, statement, parameters))
        return to_page(query, rows)  # on the loop's own thread: on another processor, its reader would wait for memory

    async def count(self, query: Query) -> int:
        statement, parameters = count_sql(query)
        rows = await self._on_reader(lambda: _rows(self._far, statement, parameters))
        count: int = rows[0][0]
        return count

    async def with_status(self, kind: str, statuses: Sequence[str]) -> list[Stored]:
        marks = ", ".join("?" * len(statuses))
        statement = (
            f"SELECT {COLUMNS} FROM resources WHERE kind = ? AND status IN ({marks}) ORDER BY created_at, name_key"  # noqa: S608 - marks are "?"
        )
        return await self._stored(statement, [kind, *statuses])

    async def tags(self, arn: str) -> dict[str, str]:
        statement = "SELECT tag_key, tag_value FROM tags WHERE arn_key = ? ORDER BY position"
        return dict(_rows(self._near, statement, (arn.lower(),)))

    async def census(self) -> dict[str, dict[str, int]]:
        counted: dict[str, dict[str, int]] = {}
        statement = "SELECT kind, status, COUNT(*) FROM resources GROUP BY kind, status"
        for kind, status, count in await self._on_reader(lambda: _rows(self._far, statement, ())):
            counted.setdefault(kind, {})[status] = count
        return counted

    async def story(self, arn: str) -> list[StoryLine]:
        statement = (
            "SELECT told_at, who, arn, from_status, to_status, why FROM story WHERE arn_key = ? ORDER BY position"
        )
        return [
            StoryLine(at=at, who=who, arn=spelled, from_status=from_status, to_status=to_status, why=why)
            for at, who, spelled, from_status, to_status, why in _rows(self._near, statement, (arn.lower(),))
        ]

    async def clear(self) -> None:
        await self._commit(forget_everything)

    async def _commit(self, work: Work[Applied]) -> Applied:
        """Return what is committed; whoever listens hears of it first, even if the caller does not wait for it."""
        loop = asyncio.get_running_loop()

        def committed(done: Future[Applied]) -> None:  # on the writing thread
            keys = [] if done.cancelled() or done.exception() else done.result()[1]
            if keys and not loop.is_closed():
                loop.call_soon_threadsafe(self._tell, keys)

        future = self._writer.submit(work)
        future.add_done_callback(committed)
        return await asyncio.wrap_future(future)

    def _tell(self, keys: Sequence[Key]) -> None:
        for hear in self._on_commit:
            hear(keys)

    async def _stored(self, statement: str, parameters: Sequence[Any]) -> list[Stored]:
        return await self._on_reader(lambda: to_list(_rows(self._far, statement, parameters)))

    async def _on_reader(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, work)


def _open_for_writing(path: Path, *, synchronous: str, limit_bytes: int | None) -> sqlite3.Connection:
    """Return the writing connection to a database of the newest schema; Unavailable if it cannot be had."""
    connection = _connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA secure_delete = OFF")  # some builds zero freed pages: clear() would rewrite the file
        migrate(connection)
        if limit_bytes is not None:
            page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {max(1, limit_bytes // page_bytes)}")
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise Unavailable(
                f"The catalog {path} cannot be opened: {error}. Put a copy of the data directory in its place, or "
                "begin with an empty house: sagehouse reset"
            ) from error
        raise
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    """Open a connection in autocommit mode; transactions are written out where they are wanted."""
    return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


def _text(change: Change) -> str:
    return to_text(change.key.name, change.document) if isinstance(change, Insert | Replace) else ""


def _rows(connection: sqlite3.Connection, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    return _guarded(lambda: connection.execute(statement, parameters).fetchall())


def _guarded(work: Callable[[], T]) -> T:
    try:
        return work()
    except sqlite3.Error as error:
        raise _unavailable(error) from error
    except (UnicodeEncodeError, OverflowError) as error:
        raise Invalid(f"This cannot be looked up: {error}.") from None


def _told(error: Exception) -> Exception:
    if isinstance(error, sqlite3.Error):
        return _unavailable(error)
    if isinstance(error, UnicodeEncodeError | OverflowError):
        return Invalid(f"This cannot be stored: {error}.")
    return error


def _unavailable(error: sqlite3.Error) -> Unavailable:
    """Return what to tell the caller when SQLite itself could not."""
    if is_full(error):
        return Unavailable(
            "The disk that holds the catalog is full. Nothing was changed; free some space and try again."
        )
    return Unavailable(f"The catalog could not be read or written ({error.sqlite_errorname}: {error}). Try again.")
