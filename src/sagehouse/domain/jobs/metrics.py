"""Metrics of a training job, found in its log by the regular expressions of its MetricDefinitions.

Source: SageMaker developer guide, "Define metrics", MetricDefinition.
"""

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


def latest(hosts: Iterable[Mapping[str, FinalMetric]], definitions: Sequence[Document]) -> tuple[FinalMetric, ...]:
    """Return each metric's latest value among several hosts, in the order of the definitions."""
    known = list(hosts)
    final = []
    for name in dict.fromkeys(str(one["Name"]) for one in definitions):
        values = [found[name] for found in known if name in found]
        if values:
            final.append(max(values, key=lambda metric: metric.at))
    return tuple(final)
