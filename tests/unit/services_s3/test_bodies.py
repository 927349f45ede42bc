"""Bodies S3 does not take."""

import asyncio
import hashlib
from dataclasses import replace

import pytest
from tests.fakes.house import a_call, a_house

from sagehouse.kit.errors import Invalid, NotBound
from sagehouse.services.s3 import OPERATIONS


def test_a_body_in_chunks_of_unknown_total_is_refused_by_the_name_of_its_header():
    house = a_house()
    call = a_call("CreateBucket", service="s3")
    asyncio.run(OPERATIONS["CreateBucket"](house, call, {"Bucket": "data"}))
    chunked = replace(call, headers={"transfer-encoding": "chunked"})
    request = {"Bucket": "data", "Key": "k", "Body": b"1"}
    with pytest.raises(NotBound) as caught:
        asyncio.run(OPERATIONS["PutObject"](house, chunked, request))
    assert caught.value.details == {"Header": "Transfer-Encoding"}
    asyncio.run(OPERATIONS["PutObject"](house, chunked, {**request, "ContentLength": 1}))


def test_a_body_without_another_checksum_must_have_the_hash_that_was_signed():
    """curl --aws-sigv4 and older SDKs send no other checksum: damaged bytes were stored."""
    house = a_house()
    call = a_call("CreateBucket", service="s3")
    asyncio.run(OPERATIONS["CreateBucket"](house, call, {"Bucket": "data"}))
    signed = replace(call, headers={"x-amz-content-sha256": hashlib.sha256(b"1").hexdigest()})
    request = {"Bucket": "data", "Key": "k", "ContentLength": 1}
    with pytest.raises(Invalid) as caught:
        asyncio.run(OPERATIONS["PutObject"](house, signed, {**request, "Body": b"2"}))
    assert caught.value.code == "XAmzContentSHA256Mismatch"
    asyncio.run(OPERATIONS["PutObject"](house, signed, {**request, "Body": b"1"}))
    unsigned = replace(call, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    asyncio.run(OPERATIONS["PutObject"](house, unsigned, {**request, "Body": b"2"}))
