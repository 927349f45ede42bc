"""The body of a request as a stream, whatever it came as."""

from collections.abc import AsyncIterator

from sagehouse.kit.document import Document
from sagehouse.kit.errors import NotBound
from sagehouse.ports.call import Call
from sagehouse.ports.stream import ByteStream


class _Stream:
    """Bytes at hand; a caller inside the house may give them so."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._data:
            yield self._data


def body_of(request: Document) -> ByteStream:
    """Return the request's Body as a stream, whatever it is."""
    body = request.get("Body")
    if body is None or isinstance(body, bytes | bytearray | str):
        return _Stream(body.encode() if isinstance(body, str) else bytes(body or b""))
    stream: ByteStream = body
    return stream


def check_length_is_said(call: Call, request: Document) -> None:
    """Raise NotImplemented for a body sent in chunks of unknown total, as S3 does.

    aws-chunked bodies say their length beside the encoding. Source: observed S3 behaviour on `curl -T -`.
    """
    if request.get("ContentLength") is None and "transfer-encoding" in call.headers:
        raise NotBound(
            "A header you provided implies functionality that is not implemented",
            code="NotImplemented",
            details={"Header": "Transfer-Encoding"},
        )
