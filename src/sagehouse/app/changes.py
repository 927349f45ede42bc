"""Who hears of a committed write: controllers that asked to be woken, and programs that wait.

Everything here happens on the event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from sagehouse.ports.catalog import Key


class ChangeFeed:
    """`seen` counts committed writes since the house opened; `watch` yields their keys."""

    def __init__(self) -> None:
        self.seen = 0
        self._watchers: set[asyncio.Queue[Key]] = set()

    def committed(self, keys: Sequence[Key]) -> None:
        """Take note of a commit, on the event loop."""
        self.seen += len(keys)
        for queue in self._watchers:
            for key in keys:
                queue.put_nowait(key)

    @asynccontextmanager
    async def subscription(self) -> AsyncIterator[asyncio.Queue[Key]]:
        """Give a queue of the keys written from now on."""
        queue: asyncio.Queue[Key] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)

    async def watch(self) -> AsyncIterator[Key]:
        async with self.subscription() as queue:
            while True:
                yield await queue.get()


class Wakes:
    """The Wake port: a kind's wake function, once its controller is there."""

    def __init__(self) -> None:
        self._by_kind: dict[str, Callable[[Key], None]] = {}

    def join(self, wakes: Mapping[str, Callable[[Key], None]]) -> None:
        self._by_kind.update(wakes)

    def __call__(self, key: Key) -> None:
        wake = self._by_kind.get(key.kind)
        if wake is not None:
            wake(key)
