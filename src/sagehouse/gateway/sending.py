"""Responses onto the wire: bytes, slices of files, streams; never a file held in memory."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from sagehouse.gateway.body import Receive
from sagehouse.ports.stream import FileSlice
from sagehouse.wire.http import HttpResponse

Send: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[None]]
_READ_BYTES = 1024 * 1024
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BODILESS = frozenset({204, 304})


async def send_response(send: Send, receive: Receive, response: HttpResponse, *, is_head: bool, closes: bool) -> None:
    """Send a response. `closes` ends the connection after it: its request's body was never read."""
    body = response.body
    headers = [(name, value) for name, value in response.headers if name != "content-length" or is_head]
    if closes:
        headers.append(("connection", "close"))
    if response.status not in _BODILESS and not is_head:
        length = body.length if isinstance(body, FileSlice) else len(body) if isinstance(body, bytes) else None
        if length is not None:
            headers.append(("content-length", str(length)))
        else:
            headers += [pair for pair in response.headers if pair[0] == "content-length"]
    await send({"type": "http.response.start", "status": response.status, "headers": _encode(headers)})
    if is_head or response.status in _BODILESS:
        await send({"type": "http.response.body"})
    elif isinstance(body, bytes):
        await send({"type": "http.response.body", "body": body})
    elif isinstance(body, FileSlice) and body.length <= _READ_BYTES:
        await send({"type": "http.response.body", "body": await asyncio.to_thread(_read_slice, body)})
    else:
        chunks = read_file(body) if isinstance(body, FileSlice) else body
        await _send_stream(send, receive, chunks)


def _encode(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Return headers as bytes; a control character, which would end the header, becomes a space."""
    encoded = []
    for name, value in headers:
        text = _CONTROL.sub(" ", value)
        try:
            raw = text.encode("latin-1")
        except UnicodeEncodeError:
            raw = text.encode("utf-8", errors="replace")
        encoded.append((name.encode("ascii"), raw))
    return encoded


async def _send_stream(send: Send, receive: Receive, chunks: AsyncIterator[bytes]) -> None:
    """Send chunks until they end or the client has gone; then nothing more is read."""
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(_until_gone(receive), name="watch for a disconnect")
        try:
            async for chunk in chunks:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            gone.cancel()
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def read_file(part: FileSlice) -> AsyncIterator[bytes]:
    """Yield a slice of a file in reads of 1 MB off the event loop, each started while the one before is being sent."""
    loop = asyncio.get_running_loop()
    descriptor = await loop.run_in_executor(None, _open, part.path)
    position, end = part.start, part.start + part.length
    ahead = loop.run_in_executor(None, os.pread, descriptor, min(_READ_BYTES, end - position), position)
    try:
        while position < end:
            chunk = await ahead
            if not chunk:
                raise EOFError(f"{part.path} ended at {position}, {end - position} bytes early")
            position += len(chunk)
            if position < end:
                ahead = loop.run_in_executor(None, os.pread, descriptor, min(_READ_BYTES, end - position), position)
            yield chunk
    finally:
        await asyncio.wait([ahead])
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _read_slice(part: FileSlice) -> bytes:
    descriptor = _open(part.path)
    try:
        data = b""
        while len(data) < part.length:
            more = os.pread(descriptor, part.length - len(data), part.start + len(data))
            if not more:
                raise EOFError(f"{part.path} is shorter than {part.start + part.length} bytes")
            data = data + more if data else more
        return data
    finally:
        os.close(descriptor)
