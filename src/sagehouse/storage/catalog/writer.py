"""One thread that writes. Writes that wait together share a transaction, each in a savepoint of its own."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from sagehouse.kit.errors import Invalid, Unavailable
from sagehouse.ports.catalog import Change, Key
from sagehouse.storage.catalog.apply import Row, apply

GROUP = 256
"""Writes per transaction at most: about 10 ms of work, so that nobody waits long behind a burst."""

Heard = Callable[[Sequence[Key]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Changes that happen together, and who waits for them. No changes: forget everything."""

    changes: Sequence[tuple[Change, str]]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[list[Row]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    write: Write
    rows: list[Row]
    keys: list[Key]
    error: Exception | None


class Writer:
    """Owns the writing connection; answers through the event loop of whoever asked."""

    def __init__(self, connection: sqlite3.Connection, on_commit: Sequence[Heard]) -> None:
        self._connection = connection
        self._on_commit = on_commit
        self._queue: SimpleQueue[Write | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="catalog-writer", daemon=True)
        self._thread.start()

    async def write(self, changes: Sequence[tuple[Change, str]]) -> list[Row]:
        """Return the rows once they are committed; an empty list of changes forgets everything."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Row]] = loop.create_future()
        self._queue.put(Write(changes=changes, loop=loop, future=future))
        return await future

    def close(self) -> None:
        """Write what still waits, then end the thread and close the connection."""
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        is_open = True
        while is_open:
            group: list[Write] = []
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
            if group:
                self._answer(self._commit(group))

    def _commit(self, group: Sequence[Write]) -> list[_Outcome]:
        """Commit the group. If the disk is full nothing of it is kept, and each writer learns so."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._attempt(write) for write in group]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if len(group) > 1:  # one write too big for the disk does not take the others with it
                return [outcome for write in group for outcome in self._commit([write])]
            return [_Outcome(write=group[0], rows=[], keys=[], error=unavailable(error))]
        return outcomes

    def _attempt(self, write: Write) -> _Outcome:
        rows: list[Row] = []
        keys: list[Key] = []
        if not write.changes:
            for table in ("resources", "tags", "story"):
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own tables
            return _Outcome(write=write, rows=rows, keys=keys, error=None)
        self._connection.execute("SAVEPOINT one_write")
        try:
            for change, text in write.changes:
                key, row = apply(self._connection, change, text)
                if key is not None:
                    keys.append(key)
                if row is not None:
                    rows.append(row)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a write holds, the thread lives on for the others
            self._connection.execute("ROLLBACK TO one_write")
            self._connection.execute("RELEASE one_write")
            is_bad_text = isinstance(error, UnicodeEncodeError | OverflowError)
            told = Invalid(f"This cannot be stored: {error}.") if is_bad_text else error
            return _Outcome(write=write, rows=[], keys=[], error=told)
        self._connection.execute("RELEASE one_write")
        return _Outcome(write=write, rows=rows, keys=keys, error=None)

    def _answer(self, outcomes: Sequence[_Outcome]) -> None:
        for loop in {outcome.write.loop for outcome in outcomes}:
            mine = [outcome for outcome in outcomes if outcome.write.loop is loop]
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._deliver, mine)

    def _deliver(self, outcomes: Sequence[_Outcome]) -> None:
        for outcome in outcomes:
            if outcome.keys:
                for hear in self._on_commit:
                    hear(outcome.keys)
            if outcome.write.future.done():  # its task was cancelled: the write stands, nobody asks
                continue
            if outcome.error is not None:
                outcome.write.future.set_exception(outcome.error)
            else:
                outcome.write.future.set_result(outcome.rows)


def unavailable(error: sqlite3.Error) -> Unavailable:
    """Return what to tell the caller when SQLite itself could not."""
    if error.sqlite_errorname == "SQLITE_FULL":
        return Unavailable(
            "The disk that holds the catalog is full. Nothing was changed; free some space and try again."
        )
    return Unavailable(f"The catalog could not be read or written ({error.sqlite_errorname}: {error}). Try again.")
