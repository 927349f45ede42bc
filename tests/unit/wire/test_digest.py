"""Bodies that are not what their headers say are refused."""

import base64
import hashlib
import zlib

import pytest

from sagehouse.kit.errors import Invalid
from sagehouse.wire.digest import check_digests

BODY = b"<Delete/>"
MD5 = base64.b64encode(hashlib.md5(BODY).digest()).decode()


def test_a_body_with_the_digests_its_headers_name_passes() -> None:
    check_digests({"content-md5": MD5, "x-amz-checksum-crc32": crc32(BODY), "host": "h"}, BODY)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("content-md5", MD5, "BadDigest"),
        ("x-amz-checksum-sha256", base64.b64encode(bytes(32)).decode(), "BadDigest"),
        ("x-amz-checksum-crc64nvme", base64.b64encode(bytes(8)).decode(), "BadDigest"),
        ("content-md5", "not base64", "InvalidDigest"),
        ("content-md5", "é", "InvalidDigest"),
        ("x-amz-checksum-crc32", base64.b64encode(bytes(8)).decode(), "InvalidDigest"),
    ],
)
def test_another_body_is_refused_in_s3s_words(name: str, value: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_digests({name: value}, b"something else")
    assert refused.value.code == code


def crc32(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
