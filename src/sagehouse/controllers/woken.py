"""The keys a controller is to look at: woken many times, looked at once."""

import asyncio
from collections.abc import AsyncIterator, Collection

from sagehouse.ports.catalog import Key


class Woken:
    """Iterates over the keys as they come, without end."""

    def __init__(self, kinds: Collection[str]) -> None:
        """Keys of other kinds are ignored."""
        self._kinds = kinds
        self._keys: dict[Key, Key] = {}
        self._bell = asyncio.Event()

    def add(self, key: Key) -> None:
        """Ask for a look soon."""
        if key.kind in self._kinds:
            self._keys[key.plain] = key
            self._bell.set()

    async def __aiter__(self) -> AsyncIterator[Key]:
        while True:
            await self._bell.wait()
            self._bell.clear()
            keys, self._keys = self._keys, {}
            for key in keys.values():
                yield key


def innermost(problem: BaseException) -> BaseException:
    """Return what went wrong first inside the groups that task groups raise."""
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem
