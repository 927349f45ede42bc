"""The JSONPath expressions of DataProcessing: which part of a record is taken.

Supported are the operators AWS documents: $ .name * ['a','b'] [0] [0,2] [-1] [1:] [0,5:]. Recursive descent, filters
and functions are refused.
Source: developer guide, "Associate Prediction Results with Input Records", supported JSONPath operators.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sagehouse.kit.errors import Invalid


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Names:
    """Several members of an object: an object of them."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Index:
    index: int


@dataclass(frozen=True, slots=True)
class Indexes:
    """Several elements of an array, single ones and slices, in the order asked for."""

    parts: tuple[int | slice, ...]


@dataclass(frozen=True, slots=True)
class Wildcard:
    pass


Step: TypeAlias = Name | Names | Index | Indexes | Wildcard

_STEP = re.compile(
    r"""\.(?P<star>\*) | \[(?P<bracket_star>\*)\] | \.(?P<name>[^.()\[\]*'"\s]+)
    | \.?\[(?P<names>\s*(?:'[^']*'|"[^"]*")(?:\s*,\s*(?:'[^']*'|"[^"]*"))*\s*)\]
    | \.?\[(?P<indexes>[-\d:,\s]+)\]""",
    re.VERBOSE,
)
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_ELEMENT = re.compile(r"(?P<index>-?\d+)|(?P<start>-?\d+)?:(?P<end>-?\d+)?")


class Nothing(Exception):
    """The record has no such part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A parsed expression."""

    expression: str
    steps: Sequence[Step]

    @property
    def is_everything(self) -> bool:
        return not self.steps

    @classmethod
    def parse(cls, expression: str) -> "Selection":
        """Return the selection; Invalid, quoting it, for what is not supported. "" means "$"."""
        text = expression.strip() or "$"
        if not text.startswith("$"):
            raise _unsupported(expression, "it must begin with $")
        return cls(expression=expression, steps=tuple(_steps(expression, text)))

    def of(self, record: Any) -> Any:
        """Return the selected part of a record; Nothing if it does not have it.

        One member or element gives its value, several members an object, several elements an array.
        """
        found, is_one = [record], True
        for step in self.steps:
            taken = [_take(step, value) for value in found]
            if isinstance(step, Wildcard | Indexes):
                found, is_one = [value for values in taken for value in values], False
            else:
                found = taken
        return found[0] if is_one else found


def _steps(expression: str, text: str) -> Iterator[Step]:
    at = 1
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise _unsupported(expression, f"{text[at:]!r} is not understood")
        at = match.end()
        if match["star"] or match["bracket_star"]:
            yield Wildcard()
        elif match["name"]:
            yield Name(match["name"])
        elif match["names"]:
            names = tuple(single or double for single, double in _QUOTED.findall(match["names"]))
            yield Name(names[0]) if len(names) == 1 else Names(names)
        else:
            yield _indexes(expression, match["indexes"])


def _indexes(expression: str, text: str) -> Step:
    parts: list[int | slice] = []
    for element in text.split(","):
        match = _ELEMENT.fullmatch(element.strip())
        if match is None:
            raise _unsupported(expression, f"[{text}] is no list of indexes and slices")
        if match["index"] is not None:
            parts.append(int(match["index"]))
        else:
            start, end = match["start"], match["end"]
            parts.append(slice(int(start) if start else None, int(end) if end else None))
    return Index(parts[0]) if len(parts) == 1 and isinstance(parts[0], int) else Indexes(tuple(parts))


def _take(step: Step, value: Any) -> Any:
    match step:
        case Name(name) if isinstance(value, dict) and name in value:
            return value[name]
        case Names(names) if isinstance(value, dict) and all(name in value for name in names):
            return {name: value[name] for name in names}
        case Index(index) if isinstance(value, list) and -len(value) <= index < len(value):
            return value[index]
        case Indexes(parts) if isinstance(value, list):
            return [element for part in parts for element in _elements(part, value)]
        case Wildcard() if isinstance(value, dict | list):
            return list(value.values()) if isinstance(value, dict) else value
    raise Nothing


def _elements(part: int | slice, array: list[Any]) -> list[Any]:
    if isinstance(part, int):
        return [_take(Index(part), array)]
    chosen = array[part]
    if not chosen:
        raise Nothing
    return chosen


def _unsupported(expression: str, why: str) -> Invalid:
    return Invalid(
        f"The JSONPath expression {expression!r} cannot be used: {why}. Supported are $, .name, *, ['a','b'], "
        "[0], [0,2] and [1:]."
    )
