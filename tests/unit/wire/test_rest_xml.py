"""rest-xml where the service model is silent."""

from sagehouse.gateway.models import service_models
from sagehouse.wire.rest_xml import serialize

GET_OBJECT = service_models("s3").service("s3").operation("GetObject")


def test_a_part_of_an_object_is_partial_content():
    """The model says 200; readers of ranges (pyarrow, browsers) take a 200 for the whole object."""
    part = {"Body": b"23", "ContentLength": 2, "ContentRange": "bytes 2-3/10"}
    assert serialize(GET_OBJECT, part, "r").status == 206
    assert serialize(GET_OBJECT, {"Body": b"0123456789", "ContentLength": 10}, "r").status == 200
