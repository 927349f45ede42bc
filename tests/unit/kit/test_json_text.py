"""JSON that somebody else wrote."""

import pytest

from sagehouse.kit.json_text import read_json, read_strict_json

DEEP = "[" * 100_000


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 100_000, "{", "", b"\xff", "9" * 5000])
def test_what_cannot_be_read_is_a_value_error_and_nothing_else(text: str | bytes) -> None:
    """One log event of `[[[[...` made every FilterLogEvents of its group an internal error."""
    with pytest.raises(ValueError, match=r".+"):
        read_json(text)
    with pytest.raises(ValueError, match=r".+"):
        read_strict_json(text, max_depth=100)


def test_pythons_own_numbers_are_read_unless_they_must_be_stored() -> None:
    assert read_json("[Infinity, 1]") == [float("inf"), 1]
    with pytest.raises(ValueError, match="NaN is not JSON"):
        read_strict_json('{"a": NaN}', max_depth=100)


@pytest.mark.parametrize("text", ['["\\ud800"]', b'["\\uD800"]'])
def test_half_a_surrogate_could_not_be_stored(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        read_strict_json(text, max_depth=100)
    assert read_strict_json('["\\ud83c\\udf89"]', max_depth=100) == ["🎉"]


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":1,"b":', "}")])
def test_depth_is_counted_in_lists_and_objects(opened: str, closed: str) -> None:
    read_strict_json(opened * 100 + "1" + closed * 100, max_depth=100)
    with pytest.raises(ValueError, match="it nests deeper than 100 levels"):
        read_strict_json(opened * 101 + "1" + closed * 101, max_depth=100)
