"""A replica as the router sees it: its socket, the requests under way there, its idle connections."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from sagehouse.ports.serving import Answer
from sagehouse.serving.connection import Connection, NotSent, connect, request_head

_IDLE_LIMIT_S = 1.5
"""Younger than the shortest keep-alive limit in use (gunicorn 2 s): no request meets a closing server."""


class Replica:
    """Invariant: `in_flight` counts the exchanges begun and not ended; idle connections carry none."""

    def __init__(self, socket: Path, *, limit_bytes: int) -> None:
        self.socket = socket
        self.in_flight = 0
        self.is_retired = False
        self._limit_bytes = limit_bytes
        self._idle: list[Connection] = []
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def ask(self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Answer:
        """Return the answer; NotSent, TooLarge, ConnectionError, TimeoutError."""
        head = request_head(method, path, headers, len(body))
        self.in_flight += 1
        self._quiet.clear()
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(head, body)
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._quiet.set()

    async def _exchange(self, head: bytes, body: bytes) -> Answer:
        while (connection := self._take_idle()) is not None:
            try:
                return await self._use(connection, head, body)
            except NotSent:
                continue
        return await self._use(await connect(self.socket, limit_bytes=self._limit_bytes), head, body)

    async def _use(self, connection: Connection, head: bytes, body: bytes) -> Answer:
        answer = await connection.exchange(head, body)
        if connection.is_open and not self.is_retired:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _take_idle(self) -> Connection | None:
        oldest = asyncio.get_running_loop().time() - _IDLE_LIMIT_S
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.idle_since > oldest:
                return connection
            connection.close()
        return None

    @property
    def is_cold(self) -> bool:
        """Whether nothing is under way and no idle connection is young enough to be used again."""
        oldest = asyncio.get_running_loop().time() - _IDLE_LIMIT_S
        return not self.in_flight and not any(connection.idle_since > oldest for connection in self._idle)

    async def quiet(self) -> None:
        """Return once no request is under way."""
        await self._quiet.wait()

    def retire(self) -> None:
        """Keep no more connections; exchanges under way end as they would."""
        self.is_retired = True
        for connection in self._idle:
            connection.close()
        self._idle.clear()
