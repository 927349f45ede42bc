"""A request's body, as a stream or whole, decoded from aws-chunked."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from sagehouse.kit.errors import Invalid
from sagehouse.wire.chunked import ChunkedDecoder

Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]


class Disconnected(Exception):
    """The client went away before its request was complete: nothing of it may be kept, nobody hears an answer."""


class RequestBody:
    """The body of one request, read once. Fulfils `ports.stream.ByteStream`.

    `trailers` (names in lower case) is complete once the iteration has ended.
    """

    def __init__(self, receive: Receive, *, is_chunked: bool = False, length: int | None = None) -> None:
        self._receive = receive
        self._decoder = ChunkedDecoder() if is_chunked else None
        self._length = length
        """Decoded bytes the client announced."""
        self.is_started = False
        """Whether the client was asked for its body, if it waits to be asked (Expect: 100-continue)."""

    @property
    def trailers(self) -> Mapping[str, str]:
        return self._decoder.trailers if self._decoder else {}

    def decode(self, *, length: int | None) -> None:
        """From now on take the body for aws-chunked, holding `length` bytes once decoded."""
        self._decoder, self._length = ChunkedDecoder(), length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the chunks; Disconnected if the client goes away, Invalid (IncompleteBody) if bytes are missing."""
        self.is_started = True
        total = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk: bytes = message.get("body", b"")
            if chunk and self._decoder:
                chunk = self._decoder.feed(chunk)
            if chunk:
                total += len(chunk)
                yield chunk
            if not message.get("more_body", False):
                break
        if self._decoder:
            self._decoder.close()
        if self._length is not None and total != self._length:
            raise Invalid(
                f"You did not provide the number of bytes specified by the Content-Length HTTP header: {total} of "
                f"{self._length}.",
                code="IncompleteBody",
            )

    async def read(self, *, limit_bytes: int) -> bytes:
        """Return the whole body; Invalid (RequestEntityTooLarge) as soon as it is longer than the limit."""
        chunks: list[bytes] = []
        total = 0
        async for chunk in self:
            total += len(chunk)
            if total > limit_bytes:
                raise Invalid(f"The request body is larger than {limit_bytes} bytes.", code="RequestEntityTooLarge")
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
