"""Metrics of a training job, found in its log by the regular expressions of its MetricDefinitions."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
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
    """Reads a log backwards until it has each metric's last value.

    The first group of a definition's regular expression is the value; a match that is no finite number is passed over,
    and so is a definition whose expression Python cannot compile.
    Source: SageMaker developer guide, "Define metrics", MetricDefinition.
    """

    def __init__(self, definitions: Sequence[Document]) -> None:
        self._sought = {str(one["Name"]): pattern for one in definitions if (pattern := _compiled(one["Regex"]))}
        self._found: dict[str, FinalMetric] = {}

    @property
    def is_done(self) -> bool:
        """Whether nothing earlier can matter."""
        return not self._sought

    def look_back(self, lines: Iterable[tuple[int, str]]) -> None:
        """Take (epoch ms, text), the latest first."""
        for at_ms, text in lines:
            for name, pattern in list(self._sought.items()):
                value = _number(pattern.search(text))
                if value is not None:
                    self._found[name] = FinalMetric(name=name, value=value, at=at_ms / 1000)
                    del self._sought[name]

    def found(self) -> dict[str, FinalMetric]:
        return self._found


def latest(hosts: Iterable[Mapping[str, FinalMetric]], definitions: Sequence[Document]) -> tuple[FinalMetric, ...]:
    """Return each metric's latest value among several hosts, in the order of the definitions."""
    known = list(hosts)
    final = []
    for name in dict.fromkeys(str(one["Name"]) for one in definitions):
        values = [found[name] for found in known if name in found]
        if values:
            final.append(max(values, key=lambda metric: metric.at))
    return tuple(final)


def _compiled(expression: str) -> re.Pattern[str] | None:
    try:
        return re.compile(expression)
    except re.error:
        return None


def _number(match: re.Match[str] | None) -> float | None:
    if match is None or not match.re.groups or match.group(1) is None:
        return None
    try:
        value = float(match.group(1))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
