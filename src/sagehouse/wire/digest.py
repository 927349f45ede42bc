"""Whether a body is what its headers say it is: Content-MD5 and S3's checksum headers of requests that do not stream.

Source: S3 API, "Checking object integrity"; RFC 1864.
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping

from awscrt import checksums as crt

from sagehouse.kit.errors import Invalid

_DIGESTS: Mapping[str, Callable[[bytes], bytes]] = {
    "content-md5": lambda body: hashlib.md5(body, usedforsecurity=False).digest(),
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "x-amz-checksum-crc32c": lambda body: crt.crc32c(body).to_bytes(4, "big"),
    "x-amz-checksum-crc64nvme": lambda body: crt.crc64nvme(body).to_bytes(8, "big"),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
}


def check_digests(headers: Mapping[str, str], body: bytes) -> None:
    """Invalid with S3's codes (BadDigest, InvalidDigest) unless the body has every digest its headers name."""
    for name, digest in _DIGESTS.items():
        wanted = headers.get(name)
        if wanted is None:
            continue
        actual = digest(body)
        if _decoded(name, wanted, len(actual)) != actual:
            raise Invalid(f"The {name} you specified did not match the calculated checksum.", code="BadDigest")


def _decoded(name: str, wanted: str, length: int) -> bytes:
    try:
        decoded = base64.b64decode(wanted, validate=True)
    except ValueError:  # not base64, not even ASCII
        decoded = b""
    if len(decoded) != length:
        raise Invalid(f"The value {wanted!r} of {name} is not valid.", code="InvalidDigest")
    return decoded
