"""What every search for metrics promises. The adapter and the fake inherit `MetricSearchContract`."""

import asyncio
from collections.abc import Mapping

from sagehouse.ports.metrics import LastNumbers, MetricSearch

LINES = [(3000, ""), (2000, "loss=0.25 ü\ud800"), (1000, "loss=0.5 other=7")]


class MetricSearchContract:
    def search(self) -> MetricSearch:
        raise NotImplementedError

    def found(self, sought: Mapping[str, str], lines: list[tuple[int, str]]) -> LastNumbers:
        async def scenario() -> LastNumbers:
            return await self.search().last_numbers(sought, lines)

        return asyncio.run(scenario())

    def test_each_name_has_its_latest_number(self) -> None:
        sought = {"loss": "loss=([0-9.]+)", "other": "other=(.*)", "absent": "x=(.*)", "broken": "("}
        found = {"loss": (0.25, 2000), "other": (7.0, 1000)}
        assert self.found(sought, LINES) == LastNumbers(found=found, given_up=frozenset())

    def test_a_whole_page_of_a_log_is_searched(self) -> None:
        lines = [(at, f"step {at} " + "x" * 90) for at in range(10_000, 0, -1)]
        assert self.found({"step": "step (1) "}, lines).found == {"step": (1.0, 1)}
