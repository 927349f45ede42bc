"""Filter patterns: which messages they choose, and which patterns are refused."""

import pytest

from sagehouse.kit.errors import Invalid
from sagehouse.services.logs.filter_pattern import compile_pattern

JSON = '{"a": "xyz", "n": 5, "t": true, "nothing": null, "list": [{"b": 1}, {"b": 2}], "deep": {"key one": "v"}}'


@pytest.mark.parametrize(
    ("pattern", "message", "is_chosen"),
    [
        ("", "anything", True),
        ("  ", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR disk", "disk: ERROR", True),
        ("ERROR disk", "ERROR", False),
        ('"disk full"', "the disk full now", True),
        ('"disk full"', "full disk", False),
        (r'"say \"no\""', 'they say "no"', True),
        ("ERROR -debug", "ERROR in debug", False),
        ("ERROR -debug", "ERROR", True),
        ("-debug", "fine", True),
        ("?ERROR ?WARN", "WARN", True),
        ("?ERROR ?WARN", "INFO", False),
        ("?ERROR WARN", "WARN", True),
        ("?ERROR WARN", "ERROR", False),
        ("100% sure", "100% sure", True),
        ('{ $.a = "xyz" }', JSON, True),
        ("{ $.a = xy* }", JSON, True),
        ("{ $.a = yz }", JSON, False),
        ("{ $.a != abc }", JSON, True),
        ("{ $.a = x?z }", JSON, False),
        ("{$.n>4}", JSON, True),
        ("{ $.n >= 5 && $.n < 6 }", JSON, True),
        ("{ $.n = 6 || $.a = xyz }", JSON, True),
        ("{ ($.n = 6 || $.a = xyz) && $.n = 5 }", JSON, True),
        ("{ ($.n = 6 || $.a = xyz) && $.n = 4 }", JSON, False),
        ("{ $.n = -5 }", JSON, False),
        ("{ $.t IS TRUE }", JSON, True),
        ("{ $.t IS FALSE }", JSON, False),
        ("{ $.nothing IS NULL }", JSON, True),
        ("{ $.absent NOT EXISTS }", JSON, True),
        ("{ $.a NOT EXISTS }", JSON, False),
        ("{ $.list[1].b = 2 }", JSON, True),
        ("{ $.list[*].b = 2 }", JSON, False),
        ("{ $.list[7].b = 2 }", JSON, False),
        ("{ $.deep['key'] = v }", JSON, False),
        ("{ $.a = xyz }", "no JSON", False),
        ("{ $.t > 0 }", JSON, False),
    ],
)
def test_a_pattern_chooses(pattern, message, is_chosen):
    if "[*]" in pattern:
        with pytest.raises(Invalid):
            compile_pattern(pattern)
        return
    assert compile_pattern(pattern)(message) is is_chosen


@pytest.mark.parametrize(
    "pattern",
    [
        "[ip, user]",
        "%regex%",
        '"open',
        "{ $.a = 1",
        "{ }",
        "{ a = 1 }",
        "{ $ = 1 }",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a ~ 1 }",
        "{ $.a > xyz }",
        "{ $.a IS MAYBE }",
        "{ ($.a = 1 }",
        "{ $.a = 1 ) }",
        '{ $.a = "x }',
        '{ $.a = "\\u12" }',
        "{ " + "(" * 300 + "$.a = 1" + ")" * 300 + " }",
    ],
)
def test_a_pattern_that_cannot_be_read_is_named(pattern):
    with pytest.raises(Invalid) as refused:
        compile_pattern(pattern)
    assert repr(pattern) in refused.value.message
    assert refused.value.code == "InvalidParameterException"


def test_a_message_too_deep_to_be_read_is_no_match():
    """A script that prints brackets must not make its log unreadable."""
    assert not compile_pattern("{ $.a = 1 }")("[" * 100_000)
