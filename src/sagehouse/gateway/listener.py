"""One port for plain HTTP, TLS and CONNECT: the first bytes of a connection say which, and stay unread.

uvicorn's HTTP protocol serves what is ours; the accept loop is our own because uvicorn's cannot look at a connection
before choosing TLS. AWS's hosts, reached through CONNECT, are answered here; other hosts are tunnelled.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any, TypeAlias

import uvicorn
from uvicorn.server import ServerState

from sagehouse.gateway.authority import Authority
from sagehouse.gateway.protocol import BoundedProtocol
from sagehouse.gateway.tunnel import Unreachable, Upstream, pass_through, peek, read_header, readable
from sagehouse.wire.addressing import is_aws_host

App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
_TLS_HANDSHAKE = 0x16  # first byte of a TLS record that opens a connection
_METHOD = b"CONNECT "
_IDLE_S = 75.0  # before the first request and between requests; pooled clients reconnect after 60 s or so
_HANDSHAKE_LIMIT_S = 20.0
_BACKLOG = 1024
_ACCEPT_PAUSE_S = 0.1  # when the process is out of file descriptors

_log = logging.getLogger("sagehouse.gateway")


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one. OSError if the address is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


class Listener:
    """Serves an ASGI application on a listening socket until cancelled."""

    def __init__(
        self,
        app: App,
        listening: socket.socket,
        *,
        authority: Authority | None = None,
        upstream: Upstream | None = None,
        grace_s: float = 5.0,
    ) -> None:
        """Without an authority there is no TLS. `grace_s` is how long requests under way may take at the end."""
        self._socket = listening
        self._upstream = upstream or Upstream()
        self._grace_s = grace_s
        self._tls = authority.server_context() if authority else None
        self._state = ServerState()
        self._config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            loop="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=int(_IDLE_S),
        )
        self._config.load()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    async def run(self) -> None:
        """Accept connections until cancelled; then finish the requests under way and close everything."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_date(), name="date header")
                while True:
                    connection = await self._accept()
                    group.create_task(self._welcome(connection), name="welcome a connection")
        finally:
            self._socket.close()
            await asyncio.shield(self._finish())

    async def _accept(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._socket)
            except OSError as error:
                if self._socket.fileno() < 0:
                    raise
                _log.warning("event=accept_failed error=%s", error)
                await asyncio.sleep(_ACCEPT_PAUSE_S)
                continue
            connection.setblocking(False)
            return connection

    async def _welcome(self, connection: socket.socket) -> None:
        """Find out what a connection speaks and hand it on; it is closed here if nobody takes it."""
        try:
            is_taken = await self._hand_over(connection)
        except (OSError, ssl.SSLError, ValueError, TimeoutError) as error:
            _log.debug("event=connection_refused error=%r", error)
            is_taken = False
        except asyncio.CancelledError:
            connection.close()
            raise
        if not is_taken:
            connection.close()

    async def _hand_over(self, connection: socket.socket) -> bool:
        async with asyncio.timeout(_IDLE_S):
            first = await first_bytes(connection)
        if first == _METHOD:
            return await self._connect(connection)
        if not first:
            return False
        return await self._serve(connection, is_tls=first[0] == _TLS_HANDSHAKE)

    async def _serve(self, connection: socket.socket, *, is_tls: bool) -> bool:
        if is_tls and self._tls is None:
            return False
        loop = asyncio.get_running_loop()

        def protocol() -> BoundedProtocol:
            return BoundedProtocol(config=self._config, server_state=self._state, app_state={}, _loop=loop)

        if is_tls:
            await loop.connect_accepted_socket(
                protocol, connection, ssl=self._tls, ssl_handshake_timeout=_HANDSHAKE_LIMIT_S
            )
        else:
            await loop.connect_accepted_socket(protocol, connection)
        return True

    async def _connect(self, connection: socket.socket) -> bool:
        """Answer CONNECT: AWS's hosts ourselves, others by a tunnel."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_HANDSHAKE_LIMIT_S):
            header = await read_header(connection, already=b"")
        authority = header.split(b" ", 2)[1].decode("latin-1")
        host, _, port = authority.rpartition(":")
        host = host.strip("[]")
        if not host or not port.isdigit():
            await loop.sock_sendall(connection, b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            return False
        if is_aws_host(host):
            await loop.sock_sendall(connection, b"HTTP/1.1 200 Connection established\r\n\r\n")
            async with asyncio.timeout(_IDLE_S):
                first = await peek(connection, 1)
            return bool(first) and await self._serve(connection, is_tls=first[0] == _TLS_HANDSHAKE)
        try:
            server = await self._upstream.connect(host, int(port))
        except Unreachable as error:
            text = f"sagehouse could not open a tunnel: {error}\n".encode()
            head = f"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/plain\r\ncontent-length: {len(text)}\r\n\r\n"
            await loop.sock_sendall(connection, head.encode() + text)
            return False
        await loop.sock_sendall(connection, b"HTTP/1.1 200 Connection established\r\n\r\n")
        await pass_through(connection, server)
        return True

    async def _keep_date(self) -> None:
        while True:
            self._state.default_headers = [
                (b"date", formatdate(usegmt=True).encode()),
                (b"server", b"sagehouse"),
            ]
            await asyncio.sleep(1)

    async def _finish(self) -> None:
        for connection in list(self._state.connections):
            connection.shutdown()
        tasks = list(self._state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=self._grace_s)
        for task in tasks:
            task.cancel()
        for connection in list(self._state.connections):
            with contextlib.suppress(OSError):
                connection.transport.abort()


async def first_bytes(connection: socket.socket) -> bytes:
    """Return enough to tell CONNECT from other methods: 8 bytes, or fewer that cannot become it."""
    seen = await peek(connection, len(_METHOD))
    if seen and len(seen) < len(_METHOD) and _METHOD.startswith(seen):
        # What has arrived stays readable: without this, waiting for the rest would spin.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(_METHOD))
        try:
            await readable(connection)
        finally:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        seen = await peek(connection, len(_METHOD))
    return seen
