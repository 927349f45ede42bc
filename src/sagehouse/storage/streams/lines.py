"""One log event as one line (format: ports/streams.py)."""

import re

_ESCAPED = re.compile(r"\\(.)")
_UNESCAPES = {"n": "\n", "r": "\r", "\\": "\\"}
_OVERHEAD_BYTES = 26
"""What an event counts beside its text. Source: API reference, PutLogEvents, maximum batch size."""


def encode(timestamp_ms: int, text: str) -> bytes:
    """Return the line of an event, its LF included."""
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{timestamp_ms} {escaped}\n".encode(errors="replace")


def timestamp(line: bytes) -> int | None:
    """Return the time of a line or of its beginning; None if it is no event."""
    digits = line[:24].partition(b" ")[0]
    return int(digits) if digits.isdigit() else None


def text(line: bytes) -> str:
    """Return the text of a line without its LF."""
    escaped = line.partition(b" ")[2].decode(errors="replace")
    if "\\" not in escaped:
        return escaped
    return _ESCAPED.sub(lambda match: _UNESCAPES.get(match[1], match[0]), escaped)


def weight(line: bytes) -> int:
    """Return what the event counts against the size of a page."""
    return len(line) + _OVERHEAD_BYTES
