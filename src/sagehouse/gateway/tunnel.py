"""CONNECT to a host that is not AWS's: the bytes pass through, to the host itself or to the user's own proxy."""

import asyncio
import base64
import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_CONNECT_LIMIT_S = 10.0
_READ_BYTES = 64 * 1024
_HEADER_LIMIT = 64 * 1024


class Unreachable(Exception):
    """The host behind a tunnel cannot be reached; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The proxy that the user's environment named before ours, if any."""

    proxy: str = ""
    """http://user:password@host:port"""
    no_proxy: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Upstream":
        proxy = environment.get("https_proxy") or environment.get("HTTPS_PROXY") or ""
        return cls(proxy=proxy, no_proxy=environment.get("no_proxy") or environment.get("NO_PROXY") or "")

    async def connect(self, host: str, port: int) -> socket.socket:
        """Return a connected socket that leads to the host; Unreachable if none can be had."""
        try:
            async with asyncio.timeout(_CONNECT_LIMIT_S):
                if self.proxy and not self._is_bypassed(host):
                    return await self._through_proxy(host, port)
                return await _dial(host, port)
        except TimeoutError as error:
            raise Unreachable(f"{host}:{port} did not answer within {_CONNECT_LIMIT_S:.0f} s") from error
        except (OSError, ValueError) as error:
            raise Unreachable(f"{host}:{port}: {error}") from error

    def _is_bypassed(self, host: str) -> bool:
        """Whether NO_PROXY names the host: "*", the host itself, or a domain it lies in."""
        for entry in self.no_proxy.lower().split(","):
            name = entry.strip().lstrip(".")
            if name and (name == "*" or host.lower() == name or host.lower().endswith(f".{name}")):
                return True
        return False

    async def _through_proxy(self, host: str, port: int) -> socket.socket:
        loop = asyncio.get_running_loop()
        parts = urlsplit(self.proxy if "://" in self.proxy else f"http://{self.proxy}")
        connection = await _dial(parts.hostname or "", parts.port or 80)
        try:
            lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
            if parts.username:
                secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
                lines.append(f"Proxy-Authorization: Basic {base64.b64encode(secret.encode()).decode()}")
            await loop.sock_sendall(connection, ("\r\n".join(lines) + "\r\n\r\n").encode())
            answer = await read_header(connection, already=b"")
            status = answer.split(b"\r\n", 1)[0].decode("latin-1")
            if status.split(" ")[1:2] != ["200"]:
                raise Unreachable(f"the proxy in front of {host}:{port} answered {status!r}")
        except BaseException:
            connection.close()
            raise
        return connection


async def _dial(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        connection.setblocking(False)
        try:
            await loop.sock_connect(connection, address)
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise failure or OSError("the name has no address")


async def read_header(connection: socket.socket, *, already: bytes) -> bytes:
    """Return what comes up to an empty line, taking no byte after it; ValueError if it is too long or ends early.

    A header is read byte-exactly by looking ahead: what follows it belongs to somebody else.
    """
    loop = asyncio.get_running_loop()
    header = bytearray(already)
    while len(header) <= _HEADER_LIMIT:
        seen = await peek(connection, _READ_BYTES)
        if not seen:
            raise ValueError("the connection ended inside a header")
        joined = header + seen
        end = joined.find(b"\r\n\r\n", max(0, len(header) - 3))
        wanted = len(seen) if end < 0 else end + 4 - len(header)
        header += await loop.sock_recv(connection, wanted)
        if end >= 0 and header.endswith(b"\r\n\r\n"):
            return bytes(header)
    raise ValueError("a header is too long")


async def peek(connection: socket.socket, size: int) -> bytes:
    """Return up to `size` bytes that have arrived, leaving them there; b"" at the end of the stream."""
    while True:
        try:
            return connection.recv(size, socket.MSG_PEEK)
        except BlockingIOError:
            await readable(connection)


async def readable(connection: socket.socket) -> None:
    """Return when bytes have arrived, as many as the socket waits for, or the stream has ended."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[None] = loop.create_future()
    descriptor = connection.fileno()

    def wake() -> None:
        if not arrived.done():
            arrived.set_result(None)

    loop.add_reader(descriptor, wake)
    try:
        await arrived
    finally:
        loop.remove_reader(descriptor)


async def pass_through(client: socket.socket, server: socket.socket) -> None:
    """Carry bytes both ways until both sides have ended. Closes both."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(client, server), name="tunnel out")
            group.create_task(_pump(server, client), name="tunnel in")
    finally:
        client.close()
        server.close()


async def _pump(source: socket.socket, sink: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while data := await loop.sock_recv(source, _READ_BYTES):
            await loop.sock_sendall(sink, data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
