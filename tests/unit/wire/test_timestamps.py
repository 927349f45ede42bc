"""Timestamps in three spellings."""

import pytest

from sagehouse.wire.timestamps import format_iso8601, format_rfc822, parse_timestamp


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1_700_000_000, 1_700_000_000.0),
        (1_700_000_000.25, 1_700_000_000.25),
        ("1700000000", 1_700_000_000.0),
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T22:13:20.500Z", 1_700_000_000.5),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000.0),
        ("2023-11-14T22:13:20", 1_700_000_000.0),
        ("20231114T221320Z", 1_700_000_000.0),
        ("Tue, 14 Nov 2023 22:13:20 GMT", 1_700_000_000.0),
    ],
)
def test_a_timestamp_is_understood_in_every_spelling(value, seconds):
    assert parse_timestamp(value) == seconds


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", 1e300, True, None, [], "99999-01-01", "-1e12"])
def test_what_is_no_timestamp_is_refused(value):
    with pytest.raises(ValueError):
        parse_timestamp(value)


def test_timestamps_are_written_in_whole_seconds():
    assert format_iso8601(1_700_000_000.9) == "2023-11-14T22:13:20Z"
    assert format_iso8601(1_700_000_000.9, fraction=".000") == "2023-11-14T22:13:20.000Z"
    assert format_iso8601(-62_000_000_000) == "0005-04-19T09:46:40Z"
    assert format_rfc822(1_700_000_000.9) == "Tue, 14 Nov 2023 22:13:20 GMT"
