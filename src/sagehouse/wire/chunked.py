"""The aws-chunked content encoding: bodies sent in chunks that may be signed, followed by trailers.

A push parser: feed it what arrives, take what it decodes. Chunk signatures are parsed, not verified.
Source: S3 API reference, "Transferring payload in multiple chunks", "trailing headers".
"""

from sagehouse.kit.errors import Invalid

_LINE_LIMIT = 16 * 1024  # bytes of one chunk or trailer line
_TRAILER_LIMIT = 64  # lines


class ChunkedDecoder:
    """Decodes one body. `trailers` (names in lower case) is complete once `is_complete`."""

    def __init__(self) -> None:
        self.trailers: dict[str, str] = {}
        self.is_complete = False
        self._buffer = bytearray()
        self._remaining = 0
        """Bytes of the current chunk still to come, its closing CRLF included."""
        self._in_trailers = False

    def feed(self, data: bytes) -> bytes:
        """Return the bytes of the body that `data` completes; Invalid if it is not aws-chunked."""
        if self._remaining > 2 and not self._buffer and len(data) <= self._remaining - 2:
            self._remaining -= len(data)
            return data
        self._buffer += data
        decoded: list[bytes] = []
        while not self.is_complete:
            if self._remaining:
                if not self._take_chunk(decoded):
                    break
            elif not self._take_line():
                break
        return decoded[0] if len(decoded) == 1 else b"".join(decoded)

    def close(self) -> None:
        """Say that nothing more comes; Invalid (IncompleteBody) unless the last chunk was seen."""
        if not self.is_complete and not (self._in_trailers and not self._buffer):
            raise Invalid("The request body ended before its last chunk.", code="IncompleteBody")
        self.is_complete = True

    def _take_chunk(self, decoded: list[bytes]) -> bool:
        """Move what is there of the current chunk; False if more has to arrive."""
        size = min(self._remaining - 2, len(self._buffer))
        if size > 0:
            decoded.append(bytes(memoryview(self._buffer)[:size]))
            del self._buffer[:size]
            self._remaining -= size
        if self._remaining > 2 or len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise Invalid("A chunk of the request body is longer than it says.", code="InvalidChunkSizeError")
        del self._buffer[:2]
        self._remaining = 0
        return True

    def _take_line(self) -> bool:
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > _LINE_LIMIT:
                raise Invalid("A chunk header of the request body is too long.", code="InvalidChunkSizeError")
            return False
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        if self._in_trailers:
            self._read_trailer(line)
        else:
            self._read_size(line)
        return True

    def _read_size(self, line: bytes) -> None:
        size, _, _extension = line.partition(b";")
        if not size or len(size) > 16 or size.strip(b"0123456789abcdefABCDEF"):
            raise Invalid("A chunk of the request body has no valid size.", code="InvalidChunkSizeError")
        count = int(size, 16)
        if count:
            self._remaining = count + 2
        else:
            self._in_trailers = True

    def _read_trailer(self, line: bytes) -> None:
        if not line:
            self.is_complete = True
            return
        name, separator, value = line.decode("latin-1").partition(":")
        if not separator or len(self.trailers) >= _TRAILER_LIMIT:
            raise Invalid("A trailer of the request body is malformed.", code="MalformedTrailerError")
        self.trailers[name.strip().lower()] = value.strip()
