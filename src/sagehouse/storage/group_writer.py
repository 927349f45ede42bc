"""One thread that writes to an SQLite file. Writes that wait together share a transaction, each in a savepoint."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

GROUP = 256
"""Writes per transaction at most: some 10 ms of work, so that nobody waits long behind a burst."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Write(Generic[T]):
    work: Work[T]
    undo: Callable[[], None]
    future: "Future[T]" = field(default_factory=Future)


def nothing() -> None:
    """Undo nothing."""


def _no_relief() -> bool:
    return False


class GroupWriter:
    """Owns the writing connection, which is in autocommit mode, and closes it."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        name: str,
        told: Callable[[Exception], Exception],
        relieve: Callable[[], bool] = _no_relief,
    ) -> None:
        """`told` turns what a write raised, or SQLite, into what its caller is to get.

        `relieve` is asked for space when the disk is full; it returns whether it has found some.
        """
        self._connection = connection
        self._told = told
        self._relieve = relieve
        self._queue: SimpleQueue[_Write[Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Work[T], *, undo: Callable[[], None] = nothing) -> "Future[T]":
        """Queue `work` from any thread; the future has what it returns once that is committed.

        `undo` is called, on the writing thread, if nothing was committed: also when the future was cancelled before its
        turn. One cancelled later leaves a write that stands.
        """
        write: _Write[T] = _Write(work=work, undo=undo)
        self._queue.put(write)
        return write.future

    def close(self) -> None:
        """Write what still waits, then end the thread and close the connection."""
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

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
            taken = [write for write in group if _take(write)]
            if taken:
                _answer(taken, self._commit(taken))

    def _commit(self, group: Sequence[_Write[Any]]) -> list[Any]:
        """Return each write's result, or the exception it raised. A full disk fails one write, not its neighbours."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = [self._attempt(write) for write in group]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if len(group) > 1:
                return [self._commit([write])[0] for write in group]
            if is_full(error) and self._relieve():
                return self._commit(group)
            return [self._told(error)]
        return results

    def _attempt(self, write: _Write[Any]) -> Any:
        self._connection.execute("SAVEPOINT one_write")
        try:
            result = write.work(self._connection)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - it belongs to who asked; the thread serves the others
            self._connection.execute("ROLLBACK TO one_write")
            result = self._told(error)
        self._connection.execute("RELEASE one_write")
        return result


def is_full(error: sqlite3.Error) -> bool:
    """Whether the disk that holds the file has no space left."""
    return getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"


def _take(write: _Write[Any]) -> bool:
    if write.future.set_running_or_notify_cancel():
        return True
    _undo(write)
    return False


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
        _log.exception("undo_failed")  # a file is an orphan now; the next sweep of its store takes it
