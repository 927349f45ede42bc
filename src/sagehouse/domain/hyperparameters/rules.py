"""How a hyperparameter is described and judged. Values arrive as text, as CreateTrainingJob carries them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from sagehouse.kit.json_text import read_json

Value: TypeAlias = int | float | str | list[str] | list[list[int]] | tuple[int, ...]
Dependency: TypeAlias = Callable[[Value, Mapping[str, Value]], str]
"""The value and all parsed values -> what is wrong, or ""."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A range of numbers; an end that is not given does not bound."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        return not (
            (self.at_least is not None and not value >= self.at_least)
            or (self.above is not None and not value > self.above)
            or (self.at_most is not None and not value <= self.at_most)
            or (self.below is not None and not value < self.below)
        )

    def __str__(self) -> str:
        return f"{self._low()}, {self._high()}"

    def _low(self) -> str:
        if self.at_least is not None:
            return f"[{self.at_least:g}"
        return "(-inf" if self.above is None else f"({self.above:g}"

    def _high(self) -> str:
        if self.at_most is not None:
            return f"{self.at_most:g}]"
        return "+inf)" if self.below is None else f"{self.below:g})"


def _nothing(_: Value, __: Mapping[str, Value]) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameter:
    """One hyperparameter. `parse` raises ValueError on what is no value; `fault` says what is wrong with a value."""

    name: str
    parse: Callable[[str], Value]
    fault: Callable[[Value], str]
    depends: Dependency = _nothing
    is_required: bool = False
    is_tunable: bool = False
    range_text: str = ""
    """The range as people read it: "[0, 1]", "gbtree, gblinear, dart"."""


def integer(name: str, interval: Interval, *, is_required: bool = False, is_tunable: bool = False) -> Hyperparameter:
    return Hyperparameter(
        name=name,
        parse=int,
        fault=_outside(interval),
        is_required=is_required,
        is_tunable=is_tunable,
        range_text=str(interval),
    )


def number(name: str, interval: Interval, *, is_tunable: bool = False) -> Hyperparameter:
    return Hyperparameter(
        name=name, parse=float, fault=_outside(interval), is_tunable=is_tunable, range_text=str(interval)
    )


def choice(name: str, choices: Sequence[str], *, depends: Dependency = _nothing) -> Hyperparameter:
    return Hyperparameter(
        name=name,
        parse=_text,
        fault=lambda value: "" if value in choices else f"{value} is not in {list(choices)}",
        depends=depends,
        range_text=", ".join(choices),
    )


def choices_of(
    name: str, fault_of_one: Callable[[str], str], *, depends: Dependency = _nothing, range_text: str = ""
) -> Hyperparameter:
    """A comma-separated list; `fault_of_one` judges each element."""

    def fault(value: Value) -> str:
        assert isinstance(value, list)
        return next(filter(None, (fault_of_one(str(one)) for one in value)), "")

    return Hyperparameter(
        name=name,
        parse=lambda text: [part.strip() for part in text.split(",")],
        fault=fault,
        depends=depends,
        range_text=range_text,
    )


def signs(name: str, *, depends: Dependency = _nothing) -> Hyperparameter:
    """A tuple of -1, 0 and 1: "(1, 0, -1)"."""

    def parse(text: str) -> Value:
        inner = text.strip().removeprefix("(").removesuffix(")").strip().removesuffix(",")
        return tuple(int(part) for part in inner.split(",")) if inner else ()

    def fault(value: Value) -> str:
        assert isinstance(value, tuple)
        return "" if all(one in (-1, 0, 1) for one in value) else f"value {value} not in range [-1, 0, 1]"

    return Hyperparameter(name=name, parse=parse, fault=fault, depends=depends, range_text="(-1 | 0 | 1, ...)")


def groups(name: str, *, depends: Dependency = _nothing) -> Hyperparameter:
    """Lists of feature numbers: "[[1, 2], [3, 4]]"."""

    def parse(text: str) -> Value:
        value = read_json(text)
        if not isinstance(value, list) or not all(isinstance(group, list) for group in value):
            raise ValueError(text)
        return [[int(one) for one in group] for group in value]

    def fault(value: Value) -> str:
        numbers = [one for group in value for one in group] if isinstance(value, list) else []
        return (
            "" if all(isinstance(one, int) and one >= 1 for one in numbers) else f"value {value} not in range [1, +inf)"
        )

    return Hyperparameter(name=name, parse=parse, fault=fault, depends=depends, range_text="[[1, 2], [3, 4]]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """All hyperparameters of one algorithm."""

    table: Mapping[str, Hyperparameter]
    aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def problem(self, hyperparameters: Mapping[str, str]) -> str:
        """Return what the algorithm would refuse first: missing, unknown, unreadable, out of range; "" if none.

        Source: sagemaker-xgboost-container, sagemaker_algorithm_toolkit/hyperparameter_validation.py.
        """
        given = {self.aliases.get(name, name): value for name, value in hyperparameters.items()}
        for name, rule in self.table.items():
            if rule.is_required and name not in given:
                return f"Missing required hyperparameter: {name}"
        parsed: dict[str, Value] = {}
        for name, text in given.items():
            if name not in self.table:
                return f"Extraneous hyperparameter found: {name}. Known are {', '.join(self.table)}."
            try:
                parsed[name] = self.table[name].parse(_unquoted(text))
            except ValueError:
                return f"Hyperparameter {name}: could not parse value {text!r}; it takes {self.table[name].range_text}."
        return self._unfit(parsed)

    def _unfit(self, parsed: Mapping[str, Value]) -> str:
        for name, value in parsed.items():
            fault = self.table[name].fault(value)
            if fault:
                return f"Hyperparameter {name}: {fault}"
        for name, value in parsed.items():
            fault = self.table[name].depends(value, parsed)
            if fault:
                return fault
        return ""


def _outside(interval: Interval) -> Callable[[Value], str]:
    def fault(value: Value) -> str:
        assert isinstance(value, (int, float))
        return "" if value in interval else f"{value} is not in {interval}"

    return fault


def _text(text: str) -> Value:
    return text


def _unquoted(text: str) -> str:
    """Return abc of "abc": SDK 2.x's frameworks send values as JSON."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        value = read_json(text)
        return value if isinstance(value, str) else text
    return text
