"""A job's output as a log stream: chunks of bytes in, timed and escaped lines out (format: ports/streams.py).

Whole chunks are treated at once by the C methods of bytes; nothing here loops over lines.
"""

from __future__ import annotations

import os
import time

MAX_LINE_BYTES = 256 * 1024
"""A longer line becomes several events. Source: PutLogEvents, maximum event size."""
TAIL_BYTES = 16 * 1024

_CONTROLS = bytes(byte for byte in range(32) if byte != 0x0A) + b"\x7f"
_ESCAPES = [(bytes([byte]), b"#%03o" % byte) for byte in _CONTROLS]


def escape(data: bytes) -> bytes:
    """Return text as it arrives in CloudWatch and is stored: TAB is "#011", CR "#015"; backslashes are doubled.

    Source: syslog's escaping of control characters (octal), which built-in metric definitions rely on.
    """
    if len(data.translate(None, _CONTROLS)) != len(data):
        for control, escaped in _ESCAPES:
            if control in data:
                data = data.replace(control, escaped)
    return data.replace(b"\\", b"\\\\")


class LogFile:
    """Appends to one stream file. Holds at most one unfinished line of `MAX_LINE_BYTES`."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.rest = b""
        self.tail = b""
        """The last output as the job wrote it, to look for why it failed."""

    def feed(self, chunk: bytes) -> None:
        """Append every complete line of what came so far; OSError if the file cannot take it."""
        self.tail = (self.tail + chunk)[-TAIL_BYTES:] if len(chunk) < TAIL_BYTES else chunk[-TAIL_BYTES:]
        end = chunk.rfind(b"\n") + 1
        if not end:
            self.rest += chunk
        else:
            first = chunk.find(b"\n")
            lines, self.rest = self.rest + chunk[:end], chunk[end:]
            self._write(self._split(lines, length=len(lines) - end + first))
        if len(self.rest) > MAX_LINE_BYTES:
            whole = self._split(self.rest, length=len(self.rest))
            cut = whole.rfind(b"\n") + 1
            self._write(whole[:cut])
            self.rest = whole[cut:]

    def close(self) -> None:
        """Append the last line even if the job did not end it."""
        rest, self.rest = self.rest, b""
        try:
            if rest:
                self._write(rest + b"\n")
        finally:
            os.close(self.descriptor)

    def _split(self, lines: bytes, *, length: int) -> bytes:
        """Break the first line, `length` bytes long, into pieces; the later ones came in one chunk and are shorter."""
        pieces = []
        while length > MAX_LINE_BYTES:
            cut = MAX_LINE_BYTES
            while cut > MAX_LINE_BYTES - 4 and lines[cut] & 0xC0 == 0x80:
                cut -= 1  # not inside a UTF-8 character
            pieces += [lines[:cut], b"\n"]
            lines, length = lines[cut:], length - cut
        return b"".join([*pieces, lines]) if pieces else lines

    def _write(self, lines: bytes) -> None:
        stamp = b"%d " % int(time.time() * 1000)
        view = memoryview(stamp + escape(lines)[:-1].replace(b"\n", b"\n" + stamp) + b"\n")
        while view:
            view = view[os.write(self.descriptor, view) :]
