"""Searching logs for metrics in a process of its own."""

import asyncio

from sagehouse.ports.metrics import LastNumbers
from sagehouse.runtimes.metrics import ProcessMetricSearch

LINES = [(2000, "a" * 60), (1000, "loss=0.5 ü")]


def test_an_expression_without_end_is_given_up_and_the_others_are_found_meanwhile() -> None:
    """`(a+)+b` on sixty letters held the house's own interpreter: no request was answered any more."""

    async def scenario() -> LastNumbers:
        search = ProcessMetricSearch(limit_s=1.0)
        sought = {"first": "loss=([0-9.]+)", "endless": "(a+)+b", "last": "ss=([0-9.]+)", "none": "x=(.*)"}
        return await search.last_numbers(sought, LINES)

    assert asyncio.run(scenario()) == LastNumbers(
        found={"first": (0.5, 1000), "last": (0.5, 1000)}, given_up=frozenset({"endless"})
    )
