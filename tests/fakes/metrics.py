"""Metrics looked for in the test's own process: the expressions of tests come to an end."""

from collections.abc import Mapping, Sequence

from sagehouse.domain.jobs.expressions import last_numbers
from sagehouse.ports.metrics import LastNumbers


class FakeMetricSearch:
    async def last_numbers(self, sought: Mapping[str, str], lines: Sequence[tuple[int, str]]) -> LastNumbers:
        seen = last_numbers(sought, lines)
        return LastNumbers(
            found={name: (number, at) for name, number, at in seen if number is not None}, given_up=frozenset()
        )
