"""How many jobs run at once on this machine, and who is next.

First come, first served, up to a number of places. The first in line also goes when the machine is idle: jobs that wait
for jobs they have started themselves would otherwise fill every place for ever.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from sagehouse.ports.clock import Clock

_LOOK_S = 10.0
"""Between looks at the machine's load while somebody waits."""


class Admission:
    """`load` is the number of processes that want a processor; below `idle_below` the first in line goes anyway.

    Invariant: every place taken is given back once (`leave`), however it was come by.
    """

    def __init__(self, *, places: int, clock: Clock, load: Callable[[], float], idle_below: float) -> None:
        self.places = places
        self.taken = 0
        self._clock = clock
        self._load = load
        self._idle_below = idle_below
        self._line: deque[asyncio.Event] = deque()
        self._stirred = asyncio.Event()

    @property
    def is_full(self) -> bool:
        return self.taken >= self.places or bool(self._line)

    @property
    def message(self) -> str:
        """What a job that must wait is told."""
        return (
            f"Waiting for a place: {self.taken} jobs run on this machine, which takes {self.places} at once; "
            f"{len(self._line)} wait before this one."
        )

    def enter(self) -> None:
        """Take a place without asking, for a job that already runs."""
        self.taken += 1

    def leave(self) -> None:
        self.taken -= 1
        while self._line and self.taken < self.places:
            self._call()

    async def wait(self) -> None:
        """Return with a place taken; cancelled, with none."""
        if not self.is_full:
            self.taken += 1
            return
        turn = asyncio.Event()
        self._line.append(turn)
        self._stirred.set()
        try:
            await turn.wait()
        except asyncio.CancelledError:
            if turn.is_set():
                self.leave()
            else:
                self._line.remove(turn)
            raise

    async def watch(self) -> None:
        """Let the first in line go whenever the machine has nothing to do; until cancelled."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            while self._line:
                await self._clock.sleep(_LOOK_S)
                if self._line and self._load() < self._idle_below:
                    self._call()

    def _call(self) -> None:
        self.taken += 1
        self._line.popleft().set()
