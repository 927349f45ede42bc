"""rest-xml where the service model is silent."""

import pytest

from sagehouse.gateway.models import service_models
from sagehouse.kit.errors import Invalid
from sagehouse.wire.http import HttpRequest
from sagehouse.wire.rest_xml import parse, serialize

GET_OBJECT = service_models("s3").service("s3").operation("GetObject")
PUT_TAGGING = service_models("s3").service("s3").operation("PutBucketTagging")


def test_a_part_of_an_object_is_partial_content():
    """The model says 200; readers of ranges (pyarrow, browsers) take a 200 for the whole object."""
    part = {"Body": b"23", "ContentLength": 2, "ContentRange": "bytes 2-3/10"}
    assert serialize(GET_OBJECT, part, "r").status == 206
    assert serialize(GET_OBJECT, {"Body": b"0123456789", "ContentLength": 10}, "r").status == 200


def test_enumerations_of_checksums_are_read_in_any_case():
    """The AWS CRT, and pyarrow's C++ SDK upon it, send "enabled": every download of theirs was refused."""
    headers = {"x-amz-checksum-mode": "enabled"}
    document = parse(GET_OBJECT, HttpRequest(method="GET", raw_path="/bucket/key", query="", headers=headers))
    assert document == {"Bucket": "bucket", "Key": "key", "ChecksumMode": "ENABLED"}


@pytest.mark.parametrize(
    "body",
    [
        b"<Tagging>" + b"<TagSet>" * 200 + b"</TagSet>" * 200 + b"</Tagging>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><Tagging/>',
        '<!DOCTYPE a [<!ENTITY b "c">]><Tagging/>'.encode("utf-16"),
        "<Tagging/>".encode("utf-16"),
    ],
    ids=["deep", "document type", "document type in UTF-16", "UTF-16"],
)
def test_xml_that_costs_more_than_it_says_is_malformed(body):
    """Five million unclosed elements in 15 MB took 500 MB of memory and seconds, in which nobody was answered."""
    headers = {"host": "localhost"}
    request = HttpRequest(method="PUT", raw_path="/bucket", query="tagging", headers=headers, body=body)
    with pytest.raises(Invalid) as caught:
        parse(PUT_TAGGING, request)
    assert caught.value.code == "MalformedXML"
