"""The body of a request as a stream, whatever it came as."""

import hashlib
import re
from collections.abc import AsyncIterator

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid, NotBound
from sagehouse.ports.call import Call
from sagehouse.ports.stream import ByteStream

_SHA256 = re.compile("[0-9a-f]{64}")


class _Stream:
    """Bytes at hand; a caller inside the house may give them so."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._data:
            yield self._data


class _Signed:
    """A stream that fails at its end unless it has the hash that was signed."""

    def __init__(self, stream: ByteStream, sha256: str) -> None:
        self._stream, self._sha256 = stream, sha256

    async def __aiter__(self) -> AsyncIterator[bytes]:
        running = hashlib.sha256()
        async for chunk in self._stream:
            running.update(chunk)
            yield chunk
        if running.hexdigest() != self._sha256:
            raise Invalid(
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
                code="XAmzContentSHA256Mismatch",
                details={
                    "ClientComputedContentSHA256": self._sha256,
                    "S3ComputedContentSHA256": running.hexdigest(),
                },
            )


def body_of(call: Call, request: Document, *, is_checked: bool) -> ByteStream:
    """Return the request's Body as a stream, whatever it is.

    Unless another checksum of the client's checks it (`is_checked`), the hash it signed does: hashing a second time
    would find nothing more and halve the speed of large uploads.
    """
    body = request.get("Body")
    if body is None or isinstance(body, bytes | bytearray | str):
        stream: ByteStream = _Stream(body.encode() if isinstance(body, str) else bytes(body or b""))
    else:
        stream = body
    sha256 = call.headers.get("x-amz-content-sha256", "")
    return _Signed(stream, sha256) if _SHA256.fullmatch(sha256) and not is_checked else stream


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
