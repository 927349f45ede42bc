"""Names S3 prescribes: buckets, keys, owners, regions. Pure."""

import hashlib
import re

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid

KEY_LIMIT_BYTES = 1024
HOME_REGION = "us-east-1"
"""The region whose endpoint needs no LocationConstraint, and whose buckets have none."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_bucket_name(name: str) -> None:
    """Raise InvalidBucketName unless S3 would make a bucket of this name.

    Source: S3 user guide, "General purpose bucket naming rules".
    """
    is_valid = (
        _BUCKET.fullmatch(name)
        and ".." not in name
        and not _ADDRESS.fullmatch(name)
        and not name.startswith(_RESERVED_STARTS)
        and not name.endswith(_RESERVED_ENDS)
    )
    if not is_valid:
        raise Invalid("The specified bucket is not valid.", code="InvalidBucketName", details={"BucketName": name})


def check_key(key: str) -> None:
    """Raise unless S3 would store an object under this key."""
    try:
        length = len(key.encode())
    except UnicodeEncodeError as error:
        raise Invalid("Couldn't parse the specified URI: the key is not UTF-8.", code="InvalidURI") from error
    if length > KEY_LIMIT_BYTES:
        raise Invalid(
            "Your key is too long",
            code="KeyTooLongError",
            details={"Size": str(length), "MaxSizeAllowed": str(KEY_LIMIT_BYTES)},
        )


def owner(account: str) -> Document:
    """Return an account as S3 names owners: by a canonical id of 64 hex digits, which says nothing but is stable."""
    return {"ID": hashlib.sha256(f"canonical:{account}".encode()).hexdigest(), "DisplayName": account}


def bucket_arn(name: str) -> str:
    return f"arn:aws:s3:::{name}"
