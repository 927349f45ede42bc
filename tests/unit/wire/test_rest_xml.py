"""rest-xml where the service model is silent."""

from sagehouse.gateway.models import service_models
from sagehouse.wire.http import HttpRequest
from sagehouse.wire.rest_xml import parse, serialize

GET_OBJECT = service_models("s3").service("s3").operation("GetObject")


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
