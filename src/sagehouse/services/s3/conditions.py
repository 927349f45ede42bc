"""Conditional reads and copies, and byte ranges. Pure. Source: RFC 9110 sections 13 and 14; S3 API reference."""

import re

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, Invalid, NotBound
from sagehouse.ports.objects import ObjectInfo
from sagehouse.services.s3.metadata import etag, modified
from sagehouse.wire.timestamps import format_rfc822

_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})\s*", re.IGNORECASE)


def check_read(info: ObjectInfo, request: Document) -> None:
    """Raise PreconditionFailed (412) or NotModified (304) unless the object is to be answered."""
    failed = _failed(info, request, prefix="")
    if failed in ("If-Match", "If-Unmodified-Since"):
        raise _precondition_failed(failed)
    if failed is not None:
        raise Conflict(
            "Not Modified",
            code="NotModified",
            details={"etag": etag(info), "last-modified": format_rfc822(modified(info))},
        )


def check_copy(info: ObjectInfo, request: Document) -> None:
    """Raise PreconditionFailed unless the source of a copy is as the client expects it."""
    failed = _failed(info, request, prefix="CopySource")
    if failed is not None:
        raise _precondition_failed(f"x-amz-copy-source-{failed}")


def _failed(info: ObjectInfo, request: Document, *, prefix: str) -> str | None:
    """Return the first condition that does not hold. An ETag's verdict overrules that of the date beside it."""
    match, none_match = request.get(f"{prefix}IfMatch"), request.get(f"{prefix}IfNoneMatch")
    since, unmodified = request.get(f"{prefix}IfModifiedSince"), request.get(f"{prefix}IfUnmodifiedSince")
    if match is not None:
        if not names(match, info):
            return "If-Match"
    elif unmodified is not None and modified(info) > int(unmodified):
        return "If-Unmodified-Since"
    if none_match is not None:
        if names(none_match, info):
            return "If-None-Match"
    elif since is not None and modified(info) <= int(since):
        return "If-Modified-Since"
    return None


def names(condition: str, info: ObjectInfo) -> bool:
    """Whether a list of ETags, or "*", names the object."""
    listed = [one.strip().removeprefix("W/").strip('"') for one in condition.split(",")]
    return "*" in listed or info.etag in listed


def _precondition_failed(condition: str) -> Conflict:
    return Conflict(
        "At least one of the pre-conditions you specified did not hold",
        code="PreconditionFailed",
        details={"Condition": condition},
    )


def write_conditions(request: Document) -> tuple[str | None, bool]:
    """Return (If-Match, whether If-None-Match asks for absence) of a write."""
    none_match = request.get("IfNoneMatch")
    if none_match not in (None, "*"):
        raise NotBound(
            "A header you provided implies functionality that is not implemented: If-None-Match of a write takes "
            "only '*'.",
            code="NotImplemented",
            details={"Header": "If-None-Match"},
        )
    return request.get("IfMatch"), none_match is not None


def byte_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Return (first byte, number of bytes) of a Range header; None where S3 ignores it and answers everything.

    InvalidRange if it asks only for bytes that are not there. Several ranges are ignored, as S3 does.
    """
    found = _RANGE.fullmatch(text or "")
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first == "":
        length = min(int(last), size)
        start = size - length
    else:
        start = int(first)
        if last != "" and int(last) < start:
            return None
        length = min(int(last) + 1 if last != "" else size, size) - start
    if length <= 0:
        raise Invalid(
            "The requested range is not satisfiable",
            code="InvalidRange",
            details={"RangeRequested": text or "", "ActualObjectSize": str(size)},
        )
    return start, length


def content_range(start: int, length: int, size: int) -> str:
    return f"bytes {start}-{start + length - 1}/{size}"
