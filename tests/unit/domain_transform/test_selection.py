"""JSONPath as DataProcessing understands it."""

import pytest

from sagehouse.domain.transform.selection import Nothing, Selection
from sagehouse.kit.errors import Invalid

RECORD = {"id": 7, "features": [1, 2, 3], "nested": {"a": {"b": "deep"}, "c": 0}, "odd key": True}


@pytest.mark.parametrize(
    ("expression", "record", "selected"),
    [
        ("$", RECORD, RECORD),
        ("", RECORD, RECORD),
        ("$.features", RECORD, [1, 2, 3]),
        ("$.nested.a.b", RECORD, "deep"),
        ("$['odd key']", RECORD, True),
        ('$["id"]', RECORD, 7),
        ("$['id','features']", RECORD, {"id": 7, "features": [1, 2, 3]}),
        ("$.nested.['a','c']", RECORD, {"a": {"b": "deep"}, "c": 0}),
        ("$.features[0]", RECORD, 1),
        ("$.features[-1]", RECORD, 3),
        ("$.features[0,2]", RECORD, [1, 3]),
        ("$.nested.*", RECORD, [{"b": "deep"}, 0]),
        ("$[*]", [1, 2], [1, 2]),
        ("$[1:]", ["a", "b", "c"], ["b", "c"]),
        ("$[:2]", ["a", "b", "c"], ["a", "b"]),
        ("$[-1:]", ["a", "b", "c"], ["c"]),
        ("$[0,5:]", list("abcdefg"), ["a", "f", "g"]),
        ("$[0, 2]", list("abc"), ["a", "c"]),
    ],
)
def test_what_an_expression_selects(expression, record, selected):
    assert Selection.parse(expression).of(record) == selected


@pytest.mark.parametrize("expression", ["$..a", "$[?(@.x>1)]", "features", "$[0:4:2]", "$.a.length()", "$['a'", "$[]"])
def test_what_is_not_supported_is_refused_with_the_expression(expression):
    with pytest.raises(Invalid) as caught:
        Selection.parse(expression).of({"a": [1]})
    assert repr(expression) in caught.value.message


@pytest.mark.parametrize("expression", ["$.gone", "$['id','gone']", "$.features[3]", "$.features[5:]", "$.id[0]"])
def test_a_part_the_record_does_not_have_is_nothing(expression):
    with pytest.raises(Nothing):
        Selection.parse(expression).of(RECORD)
