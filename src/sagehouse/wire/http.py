"""An HTTP message as a value: what the gateway received, what it will send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote_plus

Headers: TypeAlias = Sequence[tuple[str, str]]
QueryParams: TypeAlias = dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request with everything its signature covers as the client sent it."""

    method: str
    raw_path: str
    """Percent-encoded, never normalised: "//", ".." and "%2F" are legal in S3 keys."""
    query: str
    """What follows "?", undecoded; "" if nothing."""
    headers: Mapping[str, str]
    """Names in lower case; values of repeated headers joined with ", "."""
    body: Any = b""
    """bytes, or a byte stream for an operation whose input streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """`body` is bytes, or whatever the document held in its streaming member (the gateway knows how to send it)."""

    status: int
    headers: Headers
    body: Any = b""


def parse_query(query: str) -> QueryParams:
    """Return every parameter with its values in order; one without "=" has the value "".

    Raises UnicodeDecodeError when a percent-escape is not UTF-8.
    """
    params: QueryParams = {}
    for part in query.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        params.setdefault(unquote_plus(name, errors="strict"), []).append(unquote_plus(value, errors="strict"))
    return params
