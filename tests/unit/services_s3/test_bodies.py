"""Bodies S3 does not take."""

import asyncio
from dataclasses import replace

import pytest
from tests.fakes.house import a_call, a_house

from sagehouse.kit.errors import NotBound
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
