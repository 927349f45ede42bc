"""ISO 8601 durations as step caching spells them."""

import re

from sagehouse.kit.errors import Invalid

_DURATION = re.compile(
    r"P?(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?",
    re.IGNORECASE,
)
_SECONDS = {
    "years": 365 * 86_400,
    "months": 30 * 86_400,
    "weeks": 7 * 86_400,
    "days": 86_400,
    "hours": 3_600,
    "minutes": 60,
    "seconds": 1,
}


def duration_s(text: str) -> float:
    """Return the seconds of "P30d", "30dT5h", "T16m"; Invalid if it is no duration.

    Letters may have either case and the leading P may be missing; a year has 365 days and a month 30.
    Source: SageMaker developer guide, "Turn on step caching".
    """
    match = _DURATION.fullmatch(text.strip())
    parts = {unit: int(count) for unit, count in match.groupdict().items() if count} if match else {}
    if not parts:
        raise Invalid(f"{text!r} is not an ISO 8601 duration such as P30d, T16m or P30dT5h.")
    return float(sum(_SECONDS[unit] * count for unit, count in parts.items()))
