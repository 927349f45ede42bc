"""The real clock and real randomness."""

import asyncio
import secrets
import string
import time
import uuid

_LETTERS = string.ascii_lowercase + string.digits


class SystemClock:
    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class RandomIds:
    def uuid(self) -> str:
        return str(uuid.uuid4())

    def suffix(self, length: int) -> str:
        return "".join(secrets.choice(_LETTERS) for _ in range(length))
