"""Timing that is fair on a busy machine: medians, and contenders in turns."""

import statistics
import time
from collections.abc import Callable, Mapping


def seconds(act: Callable[[], object]) -> float:
    """Return how long a call took."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def in_turns(times: int, contenders: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Return what each contender measured in each round; the order turns round by round."""
    names = list(contenders)
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(times):
        for name in names if number % 2 == 0 else reversed(names):
            found[name].append(contenders[name]())
    return found


def median_ms(samples: list[float]) -> float:
    return statistics.median(samples) * 1000


def in_ms(samples: list[float]) -> list[float]:
    return [sample * 1000 for sample in samples]
