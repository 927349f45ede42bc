"""Looking for metrics in a log, by expressions that may need for ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class LastNumbers:
    found: Mapping[str, tuple[float, int]]
    """Name -> (number, time of its line)."""
    given_up: frozenset[str]
    """Names whose expressions took too long on these lines, and would on others."""


class MetricSearch(Protocol):
    async def last_numbers(self, sought: Mapping[str, str], lines: Sequence[tuple[int, str]]) -> LastNumbers:
        """Return what `domain.jobs.expressions.last_numbers` finds, in bounded time and without holding others up."""
        ...
