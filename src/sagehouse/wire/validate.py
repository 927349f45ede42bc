"""Whether a request document obeys its service model, told in AWS's own words.

One closure per shape, compiled on first use, silent and fast on a good document. botocore's own validator is no
substitute: it lets max, pattern and enum pass. Source: the texts SageMaker, IAM and Logs answer with.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.wire.constraints import enum_text, every_constraint, length_texts, pattern_text, range_texts, shown
from sagehouse.wire.model import Operation, Service
from sagehouse.wire.patterns import compile_pattern
from sagehouse.wire.shapes import Shape
from sagehouse.wire.timestamps import parse_timestamp

_PATTERN_LIMIT = 65_536  # characters; a longer text already fails its maximum length, or has no pattern worth the time
_S3_CODES = {"storageClass": "InvalidStorageClass", "locationConstraint": "InvalidLocationConstraint"}
_LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong at one path. `kind` is type, unknown or constraint."""

    path: str
    value: str | None
    text: str
    kind: str = "constraint"

    def below(self, prefix: str) -> "Violation":
        path = f"{prefix}.{self.path}" if self.path else prefix
        return Violation(path, self.value, self.text, self.kind)


_MOST = 100
"""Violations that an error names: enough to mend a request by hand."""
Check: TypeAlias = Callable[[Any], list[Violation] | None]
Scalar: TypeAlias = Callable[[Any], list[str] | None]


def validate(operation: Operation, document: Document) -> None:
    """Raise Invalid, naming every member that breaks a constraint; None members count as absent."""
    check: Check | None = operation.compiled("validate", _compile_operation)
    found = check(document) if check else [_unknown(name) for name in document]
    if found:
        raise _to_error(operation, found)


def _compile_operation(operation: Operation) -> Check | None:
    return _check(operation.service, operation.input) if operation.input else None


def _to_error(operation: Operation, found: list[Violation]) -> Invalid:
    types = [violation for violation in found if violation.kind == "type"][:_MOST]
    if types:
        text = "; ".join(f"{violation.text} at '{violation.path}'" for violation in types)
        return Invalid(text, code="SerializationException")
    unknown = [violation.path for violation in found if violation.kind == "unknown"][:_MOST]
    if unknown:
        names = ", ".join(f"'{path}'" for path in unknown)
        return Invalid(
            f"Unknown member {names} in {operation.name}: the service model of {operation.service.name} has none of "
            "this name, and no member is ignored in silence."
        )
    lines = [
        f"Value {violation.value} at '{violation.path}' failed to satisfy constraint: {violation.text}"
        for violation in found[:_MOST]
    ]
    noun = "error" if len(found) == 1 else "errors"
    code = _s3_code(operation, found[0]) if operation.service.name == "s3" else None
    return Invalid(f"{len(found)} validation {noun} detected: {'; '.join(lines)}", code=code)


def _s3_code(operation: Operation, first: Violation) -> str:
    """Return S3's own word, which differs by what is wrong. Source: S3 API reference, list of error codes."""
    top, _, _ = first.path.partition(".")
    member = first.path.rpartition(".")[2]
    if member in _S3_CODES:
        return _S3_CODES[member]
    payload = operation.input.payload if operation.input else None
    return "MalformedXML" if payload and top == _camel(payload) else "InvalidArgument"


def _check(service: Service, shape: Shape) -> Check:
    """Return the check of a shape, compiled once per service; a recursive shape finds itself."""
    memo: dict[Any, Check] = service.memo
    key = ("check", shape.name)
    if key not in memo:
        cell: list[Check] = []

        def itself(value: Any) -> list[Violation] | None:
            return cell[0](value)

        memo[key] = itself
        cell.append(_compile(service, shape))
        memo[key] = cell[0]
    return memo[key]


def _compile(service: Service, shape: Shape) -> Check:
    if shape.is_open:
        return lambda _value: None
    if shape.type == "structure":
        return _structure(service, shape)
    if shape.type == "list":
        return _list(service, shape)
    if shape.type == "map":
        return _map(service, shape)
    return _lift(shape, _scalar(shape))


def _structure(service: Service, shape: Shape) -> Check:
    checks: Mapping[str, Check] = {name: _check(service, member) for name, member in shape.members.items()}
    paths = {name: _camel(name) for name in checks}
    required = shape.required
    is_union = bool(shape.traits.get("union"))

    def check(value: Any) -> list[Violation] | None:
        if type(value) is not dict:
            return [_wrong_type(value, "structure")]
        found: list[Violation] = []
        for name, item in value.items():
            if item is None:
                continue
            member = checks.get(name)
            if member is None:
                found.append(_unknown(name))
            elif (below := member(item)) is not None:
                found.extend(violation.below(paths[name]) for violation in below)
        found.extend(
            Violation(paths[name], "null", "Member must not be null") for name in required if value.get(name) is None
        )
        if is_union and sum(item is not None for item in value.values()) != 1:
            found.append(Violation("", shown(value, shape), "Exactly one member of the union must be set"))
        return found or None

    return check


def _list(service: Service, shape: Shape) -> Check:
    length = _size_check(shape)
    element = shape.member
    if _is_scalar(element):
        return _list_of_scalars(shape, length, _scalar(element))
    member = _check(service, element)

    def check(value: Any) -> list[Violation] | None:
        if type(value) is not list:
            return [_wrong_type(value, "list")]
        found = [Violation("", shown(value, shape), text) for text in length(len(value))]
        for index, item in enumerate(value, 1):
            if item is None:
                found.append(Violation(f"{index}.member", "null", "Member must not be null"))
            elif (below := member(item)) is not None:
                found.extend(violation.below(f"{index}.member") for violation in below)
        return found or None

    return check


def _list_of_scalars(shape: Shape, length: Callable[[int], Iterable[str]], scalar: Scalar) -> Check:
    every = f"Member must satisfy constraint: [{', '.join(every_constraint(shape.member))}]"

    def check(value: Any) -> list[Violation] | None:
        if type(value) is not list:
            return [_wrong_type(value, "list")]
        found = [Violation("", shown(value, shape), text) for text in length(len(value))]
        for index, item in enumerate(value, 1):
            broken = scalar(item)
            if broken is None:
                continue
            if item is None:
                found.append(Violation(f"{index}.member", "null", "Member must not be null"))
            elif not broken:
                found.append(_wrong_type(item, shape.member.type).below(f"{index}.member"))
            else:
                found.append(Violation("", shown(value, shape), every))
                break
        return found or None

    return check


def _map(service: Service, shape: Shape) -> Check:
    length = _size_check(shape)
    key = _scalar(shape.key)
    keys = f"Map keys must satisfy constraint: [{', '.join(every_constraint(shape.key))}]"
    scalar = _scalar(shape.value) if _is_scalar(shape.value) else None
    values = f"Map value must satisfy constraint: [{', '.join(every_constraint(shape.value))}]"
    member = _check(service, shape.value)

    def check(value: Any) -> list[Violation] | None:
        if type(value) is not dict:
            return [_wrong_type(value, "map")]
        found = [Violation("", shown(value, shape), text) for text in length(len(value))]
        texts: set[str] = set()
        for name, item in value.items():
            if key(name):
                texts.add(keys)
            if item is None:
                found.append(Violation(f"{name}.member", "null", "Member must not be null"))
            elif scalar is None:
                found.extend(violation.below(f"{name}.member") for violation in member(item) or ())
            elif (broken := scalar(item)) is not None:
                if broken:
                    texts.add(values)
                else:
                    found.append(_wrong_type(item, shape.value.type).below(f"{name}.member"))
        found.extend(Violation("", shown(value, shape), text) for text in sorted(texts))
        return found or None

    return check


def _is_scalar(shape: Shape) -> bool:
    return shape.type not in {"structure", "list", "map"}


def _lift(shape: Shape, scalar: Scalar) -> Check:
    def check(value: Any) -> list[Violation] | None:
        broken = scalar(value)
        if broken is None:
            return None
        if not broken:
            return [_wrong_type(value, shape.type)]
        return [Violation("", shown(value, shape), text) for text in broken]

    return check


def _scalar(shape: Shape) -> Scalar:
    """Return the check of a scalar: None if all is well, [] if the type is wrong, else the constraints it breaks."""
    if shape.type in {"string", "character"}:
        return _string(shape)
    if shape.type in {"integer", "long"}:
        bits = 31 if shape.type == "integer" else 63
        return _number(shape, {int}, -(2**bits), 2**bits - 1)
    if shape.type in {"float", "double"}:
        return _number(shape, {int, float}, -_LARGEST, _LARGEST)
    if shape.type == "boolean":
        return lambda value: None if type(value) is bool else []
    if shape.type == "timestamp":
        return _timestamp
    if shape.is_streaming:
        return lambda _value: None
    return _blob(shape)


def _string(shape: Shape) -> Scalar:
    least, most = shape.traits.get("min"), shape.traits.get("max")
    pattern: str = shape.traits.get("pattern", "")
    enum: Sequence[str] = shape.traits.get("enum", ())
    matches = compile_pattern(pattern) if pattern else None
    allowed = frozenset(enum) if enum else None
    if not shape.traits.keys() & {"min", "max", "pattern", "enum"}:
        return lambda value: None if type(value) is str else []
    low, high = least or 0, _PATTERN_LIMIT if most is None else most

    def check(value: Any) -> list[str] | None:
        if type(value) is not str:
            return []
        size = len(value)
        if (
            low <= size
            and (size <= high or most is None)
            and (allowed is None or value in allowed)
            and (matches is None or size > _PATTERN_LIMIT or matches(value))
        ):
            return None
        broken = list(length_texts(size, least, most))
        if matches is not None and size <= _PATTERN_LIMIT and not matches(value):
            broken.append(pattern_text(pattern))
        if allowed is not None and value not in allowed:
            broken.append(enum_text(enum))
        return broken or None

    return check


def _number(shape: Shape, types: set[type], first: float, last: float) -> Scalar:
    """NaN, the infinities and integers beyond their width are not numbers of the type."""
    least, most = shape.traits.get("min"), shape.traits.get("max")

    def check(value: Any) -> list[str] | None:
        if type(value) not in types or not first <= value <= last:
            return []
        if (least is None or value >= least) and (most is None or value <= most):
            return None
        return list(range_texts(value, least, most))

    return check


def _timestamp(value: Any) -> list[str] | None:
    if type(value) not in {int, float}:
        return []
    try:
        parse_timestamp(value)
    except (ValueError, OverflowError):
        return []
    return None


def _blob(shape: Shape) -> Scalar:
    least, most = shape.traits.get("min"), shape.traits.get("max")

    def check(value: Any) -> list[str] | None:
        if type(value) not in {bytes, bytearray}:
            return []
        return list(length_texts(len(value), least, most)) or None

    return check


def _size_check(shape: Shape) -> Callable[[int], Iterable[str]]:
    least, most = shape.traits.get("min"), shape.traits.get("max")
    if not least and most is None:
        return lambda _size: ()
    return lambda size: length_texts(size, least, most)


def _unknown(name: str) -> Violation:
    return Violation(name, None, "", "unknown")


_JSON_WORDS = {bool: "TRUE_VALUE", int: "NUMBER_VALUE", float: "DECIMAL_VALUE", str: "STRING_VALUE"}
_JAVA_WORDS = {
    "blob": "Blob",
    "boolean": "Boolean",
    "double": "Double",
    "float": "Float",
    "integer": "Integer",
    "list": "List",
    "long": "Long",
    "map": "Map",
    "string": "String",
    "structure": "Structure",
    "timestamp": "Timestamp",
}


def _wrong_type(value: Any, expected: str) -> Violation:
    given = "FALSE_VALUE" if value is False else _JSON_WORDS.get(type(value), "")
    given = given or ("START_ARRAY" if isinstance(value, list) else "START_OBJECT")
    return Violation("", None, f"{given} can not be converted to {_JAVA_WORDS.get(expected, expected)}", "type")


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]
