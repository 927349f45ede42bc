"""Who may reach a bucket: it exists, it belongs to whom the caller expects, and a signed URL has not run out."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qs

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Denied, Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.ports.objects import Bucket
from sagehouse.services.s3.names import check_key
from sagehouse.wire.timestamps import format_iso8601, parse_timestamp

LONGEST_EXPIRY_S = 604_800
"""A week. Source: S3 user guide, "Sharing objects with presigned URLs"."""
QUERY_HEADER = "x-sagehouse-query"
"""Where the front door leaves the raw query string of a presigned URL."""
_ACCOUNT = re.compile("[0-9]{12}")


async def reach(house: House, call: Call, request: Document) -> Bucket:
    """Return the bucket the request names, after what S3 checks of every request to a bucket."""
    check_expiry(call)
    if "Key" in request:
        check_key(request["Key"])
    bucket = await house.objects.bucket(request["Bucket"])
    check_owner(bucket, request.get("ExpectedBucketOwner"))
    return bucket


def check_owner(bucket: Bucket, expected: str | None) -> None:
    """Raise AccessDenied if the bucket belongs to another account than expected."""
    if expected is None:
        return
    if not _ACCOUNT.fullmatch(expected):
        raise Invalid(
            "The value of the expected bucket owner parameter must be an AWS Account ID, which "
            f"{expected!r} is not: it has twelve digits.",
            code="InvalidBucketOwnerAWSAccountID",
        )
    if expected != bucket.account:
        raise Denied("Access Denied", code="AccessDenied")


def check_expiry(call: Call) -> None:
    """Raise AccessDenied if the request came by a presigned URL whose time is over.

    Source: S3 user guide, "Sharing objects with presigned URLs"; signature versions 2 (Expires) and 4.
    """
    query = {name: values[0] for name, values in parse_qs(call.headers.get(QUERY_HEADER, "")).items()}
    expires_at = _expiry(query)
    if expires_at is not None and call.now >= expires_at:
        raise Denied(
            "Request has expired",
            code="AccessDenied",
            details={"Expires": format_iso8601(expires_at), "ServerTime": format_iso8601(call.now)},
        )


def _expiry(query: Mapping[str, str]) -> float | None:
    if "X-Amz-Signature" in query and "X-Amz-Date" in query:
        lifetime = query.get("X-Amz-Expires", "")
        try:
            signed_at, lifetime_s = parse_timestamp(query["X-Amz-Date"]), _seconds(lifetime)
        except ValueError as error:
            raise Denied(
                f"X-Amz-Date {query['X-Amz-Date']!r} must be in the ISO8601 long format, and X-Amz-Expires "
                f"{lifetime!r} a number of seconds.",
                code="AccessDenied",
            ) from error
        if lifetime_s > LONGEST_EXPIRY_S:
            raise Invalid(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less "
                f"than {LONGEST_EXPIRY_S} seconds",
                code="AuthorizationQueryParametersError",
            )
        return signed_at + lifetime_s
    if "Signature" in query and "Expires" in query:
        try:
            return _seconds(query["Expires"])
        except ValueError as error:
            raise Denied(
                f"Invalid date (should be seconds since epoch): {query['Expires']}", code="AccessDenied"
            ) from error
    return None


def _seconds(text: str) -> float:
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise ValueError(f"{text!r} is no number of seconds")
    return float(text)
