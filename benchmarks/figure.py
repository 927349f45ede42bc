"""One measured figure, what it is measured against, and the target it has to reach."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    what: str
    value: float
    unit: str
    """"ms", "s", "MB", "x" (times), "%"."""
    target: float
    reach: Literal["below", "at least"] = "below"
    against: str = ""
    """The peer and its own figure, or how the value came about."""
    samples: list[float] = field(default_factory=list)
    """What the value is the median of, in the same unit; empty if it was taken once."""

    @property
    def is_reached(self) -> bool:
        return self.value < self.target if self.reach == "below" else self.value >= self.target

    @property
    def shown(self) -> str:
        return f"{_number(self.value)} {self.unit}"

    @property
    def shown_target(self) -> str:
        sign = "<" if self.reach == "below" else ">="
        return f"{sign} {_number(self.target)} {self.unit}"

    @property
    def spread(self) -> str:
        """The smallest and the largest sample."""
        if len(self.samples) < 2:
            return ""
        return f"{_number(min(self.samples))} to {_number(max(self.samples))} of {len(self.samples)}"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
