"""Time and randomness, which pure rooms get as arguments and others through these ports."""

from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Return UTC seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class Ids(Protocol):
    def uuid(self) -> str:
        """Return a new random UUID in canonical lower-case form."""
        ...

    def suffix(self, length: int) -> str:
        """Return `length` random characters of [a-z0-9]."""
        ...
