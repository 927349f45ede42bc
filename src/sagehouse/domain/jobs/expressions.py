"""Regular expressions of users, searched in lines of a log. Pure, and run where a search without end can be ended.

Imports as little as it can: `runtimes.metrics` starts an interpreter for it.
"""

from __future__ import annotations

import math
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def last_numbers(
    sought: Mapping[str, str], lines: Sequence[tuple[int, str]]
) -> Iterator[tuple[str, float | None, int]]:
    """Yield (name, number, time) for each name of an expression; `lines` are (time, text), the latest first.

    The number is what the first group matched in the first line where that is a finite number; None where there is
    none, or where Python cannot compile the expression.
    """
    for name, expression in sought.items():
        yield name, *_last_number(expression, lines)


def _last_number(expression: str, lines: Sequence[tuple[int, str]]) -> tuple[float | None, int]:
    try:
        pattern = re.compile(expression)
    except re.error:
        return None, 0
    for at, text in lines:
        number = _number(pattern.search(text))
        if number is not None:
            return number, at
    return None, 0


def _number(match: re.Match[str] | None) -> float | None:
    if match is None or not match.re.groups or match.group(1) is None:
        return None
    try:
        value = float(match.group(1))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
