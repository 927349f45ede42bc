"""Asking a controller for a pass, and hearing what has changed."""

from collections.abc import AsyncIterator
from typing import Protocol

from sagehouse.ports.catalog import Key


class Wake(Protocol):
    def __call__(self, key: Key) -> None:
        """Ask the controller of `key.kind` to reconcile it soon. Never waits, never fails; repeats collapse."""
        ...


class Changes(Protocol):
    """Committed catalog writes, as they happen. Lossy after a crash: controllers list unfinished work at start."""

    def watch(self) -> AsyncIterator[Key]:
        """Yield the key of every resource written from now on."""
        ...
