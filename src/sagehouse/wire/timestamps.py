"""Timestamps as the protocols spell them, and as documents hold them: UTC seconds (float)."""

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Literal, TypeAlias

Format: TypeAlias = Literal["unixTimestamp", "iso8601", "rfc822"]

_FIRST_S = datetime(1, 1, 2, tzinfo=UTC).timestamp()
_LAST_S = datetime(9999, 12, 30, tzinfo=UTC).timestamp()


def parse_timestamp(value: object) -> float:
    """Return UTC seconds for a number of seconds, an ISO 8601 text or an RFC 822 date; ValueError for anything else.

    A text without a zone is UTC. Only the years 1 to 9999 exist.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is not a timestamp")
    seconds = _parse_text(value.strip()) if isinstance(value, str) else float(value)
    if not _FIRST_S <= seconds <= _LAST_S:
        raise ValueError(f"{value!r} is outside the years 1 to 9999")
    return seconds


def _parse_text(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (TypeError, IndexError) as error:
            raise ValueError(f"{text!r} is not a timestamp") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def format_iso8601(seconds: float, *, fraction: str = "") -> str:
    """Return whole seconds as 2026-01-31T12:00:00Z; S3 writes the fraction ".000" before the Z."""
    moment = datetime.fromtimestamp(int(seconds // 1), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z".rjust(20 + len(fraction), "0")


def format_rfc822(seconds: float) -> str:
    """Return whole seconds as an HTTP date: Sat, 31 Jan 2026 12:00:00 GMT."""
    return format_datetime(datetime.fromtimestamp(int(seconds // 1), UTC), usegmt=True)
