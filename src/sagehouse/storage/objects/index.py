"""The SQLite index: one thread writes, with group commit, and two read. What is not in it does not exist."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from sagehouse.kit.errors import Invalid, Unavailable
from sagehouse.storage.objects.schema import TABLES, connect
from sagehouse.storage.objects.space import Reserve

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

GROUP = 256
"""Writes per transaction at most: some 10 ms of work, so that nobody waits long behind a burst."""
READERS = 2
"""One long listing does not hold up the others."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Write(Generic[T]):
    work: Work[T]
    undo: Callable[[], None]
    future: "Future[T]" = field(default_factory=Future)


def _nothing() -> None:
    return


class Index:
    """Owns every connection to the index file."""

    def __init__(self, path: Path, *, is_power_safe: bool) -> None:
        self._path = str(path)
        self._is_power_safe = is_power_safe
        self._writing = self._connect()
        self._writing.executescript(TABLES)
        self.reserve = Reserve(path.with_name("reserve"))
        self.reserve.hold()
        self._queue: SimpleQueue[_Write[Any] | None] = SimpleQueue()
        self._local = threading.local()
        self._reading: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="objects-reader")
        self._writer = threading.Thread(target=self._run, name="objects-writer", daemon=True)
        self._writer.start()

    async def write(self, work: Work[T], *, undo: Callable[[], None] = _nothing) -> T:
        """Return what `work` returns once it is committed.

        `undo` is called, on the writing thread, if nothing was committed: also when the caller was cancelled before
        its turn. A caller cancelled later leaves a write that stands.
        """
        return await asyncio.wrap_future(self.submit(work, undo=undo))

    def submit(self, work: Work[T], *, undo: Callable[[], None] = _nothing) -> "Future[T]":
        """Queue `work` from any thread."""
        write: _Write[T] = _Write(work=work, undo=undo)
        self._queue.put(write)
        return write.future

    async def read(self, work: Work[T]) -> T:
        """Return what `work` finds in one consistent view."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._view, work)

    def close(self) -> None:
        """Write what waits, then close. The index is one file afterwards, without a log beside it."""
        self._queue.put(None)
        self._writer.join()
        self._readers.shutdown()
        for connection in self._reading:
            connection.close()
        self._writing.close()

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

    def _run(self) -> None:
        is_open = True
        while is_open:
            group: list[_Write[Any]] = []
            waiting = self._queue.get()
            while waiting is not None:
                group.append(waiting)
                if len(group) == GROUP:
                    break
                try:
                    waiting = self._queue.get_nowait()
                except Empty:
                    break
            is_open = waiting is not None
            taken = [write for write in group if self._take(write)]
            if taken:
                self._answer(taken, self._commit(taken))

    @staticmethod
    def _take(write: _Write[Any]) -> bool:
        if write.future.set_running_or_notify_cancel():
            return True
        _undo(write)
        return False

    def _commit(self, group: Sequence[_Write[Any]]) -> list[Any]:
        """Return each write's result, or the exception it raised. A full disk fails one write, not its neighbours."""
        try:
            self._writing.execute("BEGIN IMMEDIATE")
            results = [self._attempt(write) for write in group]
            self._writing.execute("COMMIT")
        except sqlite3.Error as error:
            if self._writing.in_transaction:
                self._writing.execute("ROLLBACK")
            if len(group) > 1:
                return [self._commit([write])[0] for write in group]
            if error.sqlite_errorname == "SQLITE_FULL" and self.reserve.release():
                return self._commit(group)
            return [unavailable(error)]
        return results

    def _attempt(self, write: _Write[Any]) -> Any:
        self._writing.execute("SAVEPOINT one_write")
        try:
            result = write.work(self._writing)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - it belongs to who asked; the thread serves the others
            self._writing.execute("ROLLBACK TO one_write")
            result = _not_utf8(error) if isinstance(error, UnicodeEncodeError) else error
        self._writing.execute("RELEASE one_write")
        return result

    @staticmethod
    def _answer(group: Sequence[_Write[Any]], results: Sequence[Any]) -> None:
        for write, result in zip(group, results, strict=True):
            if isinstance(result, Exception):
                _undo(write)
                write.future.set_exception(result)
            else:
                write.future.set_result(result)


def _undo(write: _Write[Any]) -> None:
    try:
        write.undo()
    except OSError:
        _log.exception("objects.undo_failed")  # the file is an orphan now; the next sweep takes it


def _not_utf8(error: UnicodeEncodeError) -> Invalid:
    return Invalid(f"{error.object!r} is not UTF-8: no bucket and no key has such a name.", code="InvalidURI")


def unavailable(error: sqlite3.Error) -> Unavailable:
    """Return what to tell the caller when SQLite itself could not."""
    name = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    if name == "SQLITE_FULL":
        return Unavailable(
            "No space left on device: the disk that holds the object index is full. Nothing was changed; free some "
            "space and try again."
        )
    return Unavailable(f"The object index could not be read or written ({name}: {error}). Try again.")
