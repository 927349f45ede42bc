"""The SQLite index: one thread writes, with group commit, and two read. What is not in it does not exist."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sagehouse.kit.errors import Invalid, Unavailable
from sagehouse.storage.group_writer import GroupWriter, Work, is_full, nothing
from sagehouse.storage.objects.schema import TABLES, connect
from sagehouse.storage.objects.space import Reserve

T = TypeVar("T")

READERS = 2
"""One long listing does not hold up the others."""


class Index:
    """Owns every connection to the index file."""

    def __init__(self, path: Path, *, is_power_safe: bool) -> None:
        self._path = str(path)
        self._is_power_safe = is_power_safe
        try:
            writing = self._connect()
            writing.executescript(TABLES)
        except sqlite3.Error as error:
            raise Unavailable(
                f"The index of the object store {path} cannot be opened: {error}. Put a copy of the data directory in "
                "its place, or begin with an empty house: sagehouse reset"
            ) from error
        self.reserve = Reserve(path.with_name("reserve"))
        self.reserve.hold()
        self._writer = GroupWriter(writing, name="objects-writer", told=_told, relieve=self.reserve.release)
        self._local = threading.local()
        self._reading: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="objects-reader")

    async def write(self, work: Work[T], *, undo: Callable[[], None] = nothing) -> T:
        """Return what `work` returns once it is committed; `undo` is called, on the writing thread, if it never is."""
        return await asyncio.wrap_future(self.submit(work, undo=undo))

    def submit(self, work: Work[T], *, undo: Callable[[], None] = nothing) -> "Future[T]":
        """Queue `work` from any thread."""
        return self._writer.submit(work, undo=undo)

    async def read(self, work: Work[T]) -> T:
        """Return what `work` finds in one consistent view."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._view, work)

    def close(self) -> None:
        """Write what waits, then close. The index is one file afterwards, without a log beside it."""
        self._readers.shutdown()
        for connection in self._reading:
            connection.close()
        self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        return connect(self._path, is_power_safe=self._is_power_safe)

    def _view(self, work: Work[T]) -> T:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            self._reading.append(connection)
        try:
            connection.execute("BEGIN")
            try:
                return work(connection)
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise unavailable(error) from error
        except UnicodeEncodeError as error:
            raise _not_utf8(error) from error


def _told(error: Exception) -> Exception:
    if isinstance(error, sqlite3.Error):
        return unavailable(error)
    return _not_utf8(error) if isinstance(error, UnicodeEncodeError) else error


def _not_utf8(error: UnicodeEncodeError) -> Invalid:
    return Invalid(f"{error.object!r} is not UTF-8: no bucket and no key has such a name.", code="InvalidURI")


def unavailable(error: sqlite3.Error) -> Unavailable:
    """Return what to tell the caller when SQLite itself could not."""
    if is_full(error):
        return Unavailable(
            "No space left on device: the disk that holds the object index is full. Nothing was changed; free some "
            "space and try again."
        )
    name = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    return Unavailable(f"The object index could not be read or written ({name}: {error}). Try again.")
