"""One kept-alive HTTP/1.1 connection to a replica, one exchange at a time.

Written on asyncio and httptools because this is the hot path: it costs a third of aiohttp's client (25 against 70 us a
request on uvloop), and it knows whether the replica can have read a request whole, which decides whether another one
may be asked instead.
Speaks no TLS, follows no redirects, decodes no content.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import httptools

from sagehouse.kit.errors import Unavailable
from sagehouse.ports.serving import Answer

SUN_PATH_BYTES = 107
"""Longest unix socket path the kernel takes. Source: unix(7), sun_path[108] with its NUL."""


class NotSent(Exception):
    """The replica never read the request whole: another one may be asked."""


class TooLarge(Exception):
    """The replica's answer is longer than the limit."""


class Connection(asyncio.Protocol):
    """Invariant: `_waiter` is set exactly while an exchange is under way."""

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []
        self._size = 0
        self._has_begun = False
        self._has_headers = False
        self._may_keep = True
        self.idle_since = 0.0

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing() and self._may_keep

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def exchange(self, head: bytes, body: bytes) -> Answer:
        """Send a request and return the whole answer, variant unset.

        NotSent if it was not read whole, TooLarge, ConnectionError if the replica went away in the middle. A cancelled
        exchange leaves the connection closed.
        """
        if self._transport is None or not self.is_open:
            raise NotSent
        self._waiter = asyncio.get_running_loop().create_future()
        self._headers, self._chunks, self._size = {}, [], 0
        self._has_begun = self._has_headers = False
        self._transport.writelines((head, body) if body else (head,))
        try:
            return await self._waiter
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self._waiter = None

    def _fail(self, error: Exception) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class

    def data_received(self, data: bytes) -> None:
        self._has_begun = True
        try:
            self._parser.feed_data(data)
        except TooLarge as error:
            self._fail(error)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._fail(cause if isinstance(cause, TooLarge) else ConnectionError(f"no HTTP answer: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._may_keep = False
        if self._waiter is None or self._waiter.done():
            return
        if self._has_headers and exc is None and not self._headers.keys() & {"content-length", "transfer-encoding"}:
            self._settle()  # such an answer ends with its connection (RFC 9112, section 6.3)
        elif isinstance(exc, BrokenPipeError | ConnectionResetError) and not self._has_begun:
            # EPIPE: closed before the request was whole. ECONNRESET on a unix socket: closed with some of it unread
            # (unix_release_sock in Linux). Either way no model has run on it; one that read it all ends in a plain EOF.
            self._waiter.set_exception(NotSent())
        else:
            self._waiter.set_exception(ConnectionError("the model server closed the connection before it answered"))

    # httptools callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._has_headers = True

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > self._limit_bytes:
            raise TooLarge
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:  # 100 Continue and its kin announce the answer, they are not it.
            self._headers, self._has_headers = {}, False
            return
        self._may_keep = self._parser.should_keep_alive() and not self._unsent_bytes()
        self._settle()

    def _unsent_bytes(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def _settle(self) -> None:
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        answer = Answer(status=self._parser.get_status_code(), headers=self._headers, body=body, variant="")
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(answer)


async def connect(replica: Path, *, limit_bytes: int) -> Connection:
    """Return a connection to a unix socket, however long its path; NotSent if nobody listens there."""
    loop = asyncio.get_running_loop()
    path = os.fspath(replica)
    try:
        if len(os.fsencode(path)) <= SUN_PATH_BYTES:
            _, connection = await loop.create_unix_connection(lambda: Connection(limit_bytes=limit_bytes), path)
            return connection
        directory = os.open(replica.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            short = f"/proc/self/fd/{directory}/{replica.name}"
            _, connection = await loop.create_unix_connection(lambda: Connection(limit_bytes=limit_bytes), short)
            return connection
        finally:
            os.close(directory)
    except OSError as error:
        raise NotSent from error


def request_head(method: str, path: str, headers: Mapping[str, str], length: int) -> bytes:
    """Return the request line and headers; a header that could end its line early is refused as Unavailable."""
    lines = [f"{method} {path} HTTP/1.1", "host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if length or method == "POST":
        lines.append(f"content-length: {length}")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise Unavailable("A header of the request holds a line break; the model server was not asked.")
    return (text + "\r\n\r\n").encode("utf-8")
