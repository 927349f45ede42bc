"""The thread that removes files nobody needs: deleted ones after a grace, and what a crash left behind."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial

from sagehouse.kit.errors import SagehouseError
from sagehouse.storage.objects.blobs import COUNTER_BITS, Blobs
from sagehouse.storage.objects.index import Index

INTERVAL_S = 15.0
BATCH = 1000

_log = logging.getLogger(__name__)


class Cleaner:
    """Owns its thread; `collect` and `sweep` are its two duties."""

    def __init__(self, index: Index, blobs: Blobs, *, session: int, grace_s: float, now: Callable[[], float]) -> None:
        self._index, self._blobs, self._session = index, blobs, session
        self._grace_s, self._now = grace_s, now
        self._wanted = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="objects-cleaner", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Ask for a pass soon."""
        self._wanted.set()

    def close(self) -> None:
        self._is_closing = True
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        duties: list[Callable[[], object]] = [self.sweep, self.collect, self._index.reserve.hold]
        while not self._is_closing:
            for duty in duties:
                try:
                    duty()
                except (SagehouseError, OSError, CancelledError):
                    _log.exception("objects.cleaning_failed")  # tried again at the next pass
            self._wanted.wait(INTERVAL_S)
            self._wanted.clear()

    def collect(self) -> int:
        """Remove the files whose grace is over; return how many."""
        removed = 0
        while not self._is_closing:
            blobs = self._index.submit(self._due).result()
            for blob in blobs:
                self._blobs.remove(blob)
            removed += len(blobs)
            if blobs:
                self._index.submit(partial(_forget, blobs=blobs)).result()
            if len(blobs) < BATCH:
                break
        return removed

    def _due(self, connection: sqlite3.Connection) -> list[int]:
        rows = connection.execute(
            "SELECT blob FROM garbage WHERE since <= ? LIMIT ?", (self._now() - self._grace_s, BATCH)
        )
        return [blob for (blob,) in rows]

    def sweep(self) -> int:
        """Remove the files of stores that were not closed in order and that the index does not name; return how many.

        Only those stores' own files are looked at, so the cost does not grow with the store.
        """
        removed = 0
        for session in self._index.submit(self._left_open).result():
            low, high = session << COUNTER_BITS, (session + 1) << COUNTER_BITS
            named = self._index.submit(partial(_named, low=low, high=high)).result()
            for blob, path in self._blobs.session_files(session):
                if self._is_closing:
                    return removed
                if blob not in named:
                    path.unlink(missing_ok=True)
                    removed += 1
            self._index.submit(partial(end_session, session=session)).result()
            if removed:
                _log.info("objects.swept session=%d files=%d", session, removed)
        return removed

    def _left_open(self, connection: sqlite3.Connection) -> list[int]:
        return [one for (one,) in connection.execute("SELECT id FROM sessions WHERE id < ?", (self._session,))]


def begin_session(connection: sqlite3.Connection) -> int:
    """Return the number of this opening of the store."""
    row = connection.execute("INSERT INTO sessions (is_open) VALUES (1) RETURNING id").fetchone()
    return int(row[0])


def end_session(connection: sqlite3.Connection, session: int) -> None:
    """Note that every file of this opening is one the index knows."""
    connection.execute("DELETE FROM sessions WHERE id = ?", (session,))


def _forget(connection: sqlite3.Connection, blobs: list[int]) -> None:
    connection.executemany("DELETE FROM garbage WHERE blob = ?", [(blob,) for blob in blobs])


def _named(connection: sqlite3.Connection, low: int, high: int) -> set[int]:
    return {
        blob
        for table in ("objects", "uploads", "parts", "garbage")
        for (blob,) in connection.execute(
            f"SELECT blob FROM {table} WHERE blob >= ? AND blob < ?",  # noqa: S608 - names of our own tables
            (low, high),
        )
    }
