"""The filter language of Search, as a pure predicate over documents.

Source: API reference, Search: SearchExpression, Filter, NestedFilters.
"""

import math
from collections.abc import Iterator
from typing import Any

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.wire.timestamps import parse_timestamp

MAX_DEPTH = 20
"""Of sub-expressions in each other: the service model bounds their number, not their depth."""


def matches(document: Document, expression: Document, *, depth: int = 0) -> bool:
    """Whether a document satisfies a SearchExpression; an empty one is satisfied by everything."""
    if depth > MAX_DEPTH:
        raise Invalid(f"Search: SubExpressions nest deeper than {MAX_DEPTH} levels.")
    verdicts = [_satisfies(document, one) for one in expression.get("Filters", ())]
    verdicts += [_has_element(document, one) for one in expression.get("NestedFilters", ())]
    verdicts += [matches(document, one, depth=depth + 1) for one in expression.get("SubExpressions", ())]
    if not verdicts:
        return True
    return any(verdicts) if expression.get("Operator") == "Or" else all(verdicts)


def value_of(document: Document, name: str) -> Any:
    """Return the first value at a property's path, None if there is none."""
    return next(_values(document, name), None)


def _values(document: Any, name: str) -> Iterator[Any]:
    """Yield the values at "HyperParameters.alpha", "Tags.team", "InputDataConfig.ChannelName": lists are looked into.

    Names of members are matched first, then, in a list of tags, their keys.
    """
    if isinstance(document, list):
        for element in document:
            yield from _values(element, name)
        if document and isinstance(document[0], dict) and document[0].keys() == {"Key", "Value"}:
            yield from (tag["Value"] for tag in document if tag["Key"] == name)
        return
    if not isinstance(document, dict):
        return
    if name in document:
        found = document[name]
        yield from found if isinstance(found, list) else (found,)
        return
    head, _, rest = name.partition(".")
    if rest and head in document:
        yield from _values(document[head], rest)


def _has_element(document: Document, nested: Document) -> bool:
    """Whether one element of the nested list satisfies all filters, whose names begin with the list's own."""
    prefix = nested["NestedPropertyName"] + "."
    return any(
        all(_satisfies(element, {**one, "Name": one["Name"].removeprefix(prefix)}) for one in nested["Filters"])
        for element in _values(document, nested["NestedPropertyName"])
        if isinstance(element, dict)
    )


def _satisfies(document: Document, one: Document) -> bool:
    operator = one.get("Operator", "Equals" if "Value" in one else "Exists")
    values = list(_values(document, one["Name"]))
    if operator == "Exists":
        return bool(values)
    if operator == "NotExists":
        return not values
    if "Value" not in one:
        raise Invalid(f"Search: the filter on {one['Name']} needs a Value for the operator {operator}.")
    wanted = one["Value"]
    if operator == "NotEquals":
        return not any(_equals(value, wanted) for value in values)
    return any(_holds(value, operator, wanted) for value in values)


def _holds(value: Any, operator: str, wanted: str) -> bool:
    if operator == "Equals":
        return _equals(value, wanted)
    if operator == "In":
        return any(_equals(value, choice.strip()) for choice in wanted.split(","))
    if operator == "Contains":
        return isinstance(value, str) and wanted.lower() in value.lower()
    left, right = _number(value), _number(wanted)
    if left is None or right is None:
        return False
    return {
        "GreaterThan": left > right,
        "GreaterThanOrEqualTo": left >= right,
        "LessThan": left < right,
        "LessThanOrEqualTo": left <= right,
    }[operator]


def _equals(value: Any, wanted: str) -> bool:
    """Names and ARNs compare without case, as everywhere in the house; numbers and times by value."""
    if isinstance(value, bool):
        return str(value).lower() == wanted.lower()
    if isinstance(value, int | float):
        return _number(wanted) == value
    return isinstance(value, str) and value.lower() == wanted.lower()


def _number(value: Any) -> float | None:
    """Return a number, or the seconds of a time; None for what is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    try:
        number = float(value)
    except ValueError:
        try:
            return parse_timestamp(value)
        except (ValueError, Invalid):
            return None
    return number if math.isfinite(number) else None
