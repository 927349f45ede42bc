"""Metrics of a training job, found in its log by the regular expressions of its MetricDefinitions."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from sagehouse.kit.document import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalMetric:
    """The last value a metric had."""

    name: str
    value: float
    at: float

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(name=document["MetricName"], value=document["Value"], at=document["Timestamp"])

    def to_document(self) -> Document:
        return {"MetricName": self.name, "Value": self.value, "Timestamp": self.at}


class Scanner:
    """Reads a log line by line and remembers each metric's last value.

    The first group of a definition's regular expression is the value; a match that is no number is passed over, and so
    is a definition whose expression Python cannot compile.
    Source: SageMaker developer guide, "Define metrics", MetricDefinition.
    """

    def __init__(self, definitions: Sequence[Document]) -> None:
        self._patterns = [(str(one["Name"]), pattern) for one in definitions if (pattern := _compiled(one["Regex"]))]
        self._last: dict[str, FinalMetric] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no line can ever match."""
        return not self._patterns

    def read(self, lines: Iterable[tuple[int, str]]) -> None:
        """Take (epoch ms, text) in the order they were written."""
        for at_ms, text in lines:
            for name, pattern in self._patterns:
                value = _number(pattern.search(text))
                if value is not None:
                    self._last[name] = FinalMetric(name=name, value=value, at=at_ms / 1000)

    def final(self) -> tuple[FinalMetric, ...]:
        """Return the last value of every metric seen, in the order of the definitions."""
        return tuple(self._last[name] for name, _ in self._patterns if name in self._last)


def _compiled(expression: str) -> re.Pattern[str] | None:
    try:
        return re.compile(expression)
    except re.error:
        return None


def _number(match: re.Match[str] | None) -> float | None:
    if match is None or not match.re.groups or match.group(1) is None:
        return None
    try:
        return float(match.group(1))
    except ValueError:
        return None
