"""The conditions of a condition step: checked when a pipeline is created, decided when an execution gets there."""

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt
from typing import Any

from sagehouse.kit.errors import Invalid

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": eq,
    "GreaterThan": gt,
    "GreaterThanOrEqualTo": ge,
    "LessThan": lt,
    "LessThanOrEqualTo": le,
}
_MEMBERS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_COMPARISONS, frozenset({"LeftValue", "RightValue"})),
    "In": frozenset({"QueryValue", "Values"}),
    "Not": frozenset({"Condition"}),
    "Or": frozenset({"Conditions"}),
}


def check_conditions(conditions: Any, member: str) -> None:
    """Raise Invalid naming the member unless these are conditions that can be decided."""
    if not isinstance(conditions, list) or not conditions:
        raise Invalid(f"{member} must be a list of at least one condition.")
    for index, condition in enumerate(conditions):
        _check(condition, f"{member}[{index}]")


def _check(condition: Any, member: str) -> None:
    kind = str(condition.get("Type")) if isinstance(condition, Mapping) else "none"
    if kind not in _MEMBERS:
        raise Invalid(f"{member}: not implemented: condition type {kind!r}; known are {', '.join(_MEMBERS)}.")
    if set(condition) != _MEMBERS[kind] | {"Type"}:
        raise Invalid(f"{member}: a condition of type {kind} has the members {', '.join(sorted(_MEMBERS[kind]))}.")
    if kind == "Not":
        _check(condition["Condition"], f"{member}.Condition")
    elif kind == "Or":
        check_conditions(condition["Conditions"], f"{member}.Conditions")
    elif kind == "In" and not isinstance(condition["Values"], list):
        raise Invalid(f"{member}.Values must be a list.")


def all_hold(conditions: list[Any]) -> bool:
    """Whether every condition holds, its functions already resolved; Invalid if values cannot be compared."""
    return all(_holds(condition) for condition in conditions)


def _holds(condition: Mapping[str, Any]) -> bool:
    kind = condition["Type"]
    if kind == "Not":
        return not _holds(condition["Condition"])
    if kind == "Or":
        return any(_holds(inner) for inner in condition["Conditions"])
    if kind == "In":
        return any(_equal(condition["QueryValue"], value) for value in condition["Values"])
    left, right = _comparable(condition["LeftValue"], condition["RightValue"], kind)
    return _COMPARISONS[kind](left, right)


def _equal(left: Any, right: Any) -> bool:
    try:
        left, right = _comparable(left, right, "In")
    except Invalid:
        return False
    return bool(left == right)


def _comparable(left: Any, right: Any, kind: str) -> tuple[Any, Any]:
    """Return both as numbers, strings or booleans; a string that spells a number meets a number as a number."""
    numbers = _as_number(left), _as_number(right)
    is_text = isinstance(left, str) and isinstance(right, str)
    if not is_text and numbers[0] is not None and numbers[1] is not None:
        return numbers
    if is_text or (isinstance(left, bool) and isinstance(right, bool)):
        return left, right
    raise Invalid(f"{kind} cannot compare {left!r} ({type(left).__name__}) with {right!r} ({type(right).__name__}).")


def _as_number(value: Any) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return None
