"""The functions of the definition language: Get, Std:Join, Std:JsonGet, anywhere in a step's arguments.

Finding them, saying what they refer to, and replacing them by values. Files are not read here: `files_needed` names
them, the scope brings their contents.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, cast

from sagehouse.domain.pipelines.paths import look_up, parse_path
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid

GET, JOIN, JSON_GET = "Get", "Std:Join", "Std:JsonGet"
FUNCTIONS = frozenset({GET, JOIN, JSON_GET})
EXECUTION_VARIABLES = frozenset(
    {
        "PipelineName",
        "PipelineArn",
        "PipelineExecutionId",
        "PipelineExecutionArn",
        "StartDateTime",
        "CurrentDateTime",
        "TrainingJobName",
        "ProcessingJobName",
    }
)


class Shape(Protocol):
    """A shape of the service model: what a member must be spelled as.

    A structure also has `members` by name, a list `member`, a map `value`: shapes again.
    """

    @property
    def type(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a Get names: root "Parameters", "Execution", "PipelineExperimentConfig" or "Steps"; `path` within a step."""

    root: str
    name: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyFile:
    name: str
    output_name: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Why a property file has no value."""

    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where the values of references come from."""

    parameters: Mapping[str, Any]
    execution: Mapping[str, Any]
    properties: Mapping[str, Document]
    """Step name -> its Describe result."""
    experiment: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    property_files: Mapping[tuple[str, str], PropertyFile] = field(default_factory=lambda: MappingProxyType({}))
    """(step, property file name) -> where the file is."""
    files: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """S3 URI -> parsed JSON, or `Unreadable`."""


def is_function(value: Any) -> bool:
    """Whether a value is a function call and not plain data."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in FUNCTIONS


def parse_reference(text: Any) -> Reference:
    """Return what a Get's text names; Invalid if it names nothing."""
    if not isinstance(text, str):
        raise Invalid(f"Get takes a string, not {text!r}.")
    root, _, rest = text.partition(".")
    if not rest or root not in {"Parameters", "Execution", "PipelineExperimentConfig", "Steps"}:
        raise Invalid(f"{text!r} does not begin with Parameters., Execution., PipelineExperimentConfig. or Steps.")
    if root != "Steps":
        return Reference(root=root, name=rest)
    ends = [at for at in (rest.find("."), rest.find("[")) if at >= 0]
    end = min(ends, default=len(rest))
    path = rest[end:].removeprefix(".")
    parse_path(path)
    return Reference(root=root, name=rest[:end], path=path)


def references(value: Any, member: str = "") -> Iterator[tuple[str, Reference]]:
    """Yield every reference within a value with the member it stands in; Invalid for a malformed function."""
    if is_function(value):
        yield from _function_references(value, member)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if str(key).startswith("Std:"):
                raise Invalid(
                    f"{member}: {key} is not a function of the definition language, or not alone in its object."
                )
            yield from references(inner, f"{member}.{key}" if member else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from references(inner, f"{member}[{index}]")


def _function_references(call: Mapping[str, Any], member: str) -> Iterator[tuple[str, Reference]]:
    name, argument = next(iter(call.items()))
    try:
        if name == GET:
            yield member, parse_reference(argument)
            return
        if not isinstance(argument, Mapping):
            raise Invalid(f"{name} takes an object, not {argument!r}.")
        if name == JOIN:
            if not isinstance(argument.get("On"), str) or not isinstance(argument.get("Values"), list):
                raise Invalid("Std:Join takes a string On and a list Values.")
            _only(argument, JOIN, {"On", "Values"})
        else:
            _check_json_get(argument)
    except Invalid as error:
        raise Invalid(f"{member}: {error.message}") from None
    for key, inner in argument.items():
        yield from references(inner, f"{member}.{name}.{key}")


def _check_json_get(argument: Mapping[str, Any]) -> None:
    _only(argument, JSON_GET, {"PropertyFile", "S3Uri", "Path"})
    if not isinstance(argument.get("Path"), str):
        raise Invalid("Std:JsonGet takes a string Path.")
    parse_path(_json_path(argument["Path"]))
    if ("PropertyFile" in argument) == ("S3Uri" in argument):
        raise Invalid("Std:JsonGet takes either PropertyFile or S3Uri.")
    if "PropertyFile" in argument:
        property_file_of(argument)


def _only(argument: Mapping[str, Any], name: str, members: set[str]) -> None:
    unknown = sorted(set(argument) - members)
    if unknown:
        raise Invalid(f"{name} has no member {unknown[0]!r}.")


def property_file_of(argument: Mapping[str, Any]) -> tuple[str, str]:
    """Return (step, property file name) of a Std:JsonGet on a property file."""
    value = argument["PropertyFile"]
    reference = parse_reference(value.get(GET)) if isinstance(value, Mapping) else None
    parts = parse_path(reference.path) if reference is not None and reference.root == "Steps" else ()
    if reference is None or len(parts) != 2 or parts[0] != "PropertyFiles":
        raise Invalid('PropertyFile of Std:JsonGet takes {"Get": "Steps.<step>.PropertyFiles.<name>"}.')
    return reference.name, str(parts[1])


def files_needed(value: Any, scope: Scope) -> set[str]:
    """Return the S3 URIs of files that `resolve` would read and the scope does not hold yet."""
    if is_function(value) and JSON_GET in value:
        uri = _file_uri(value[JSON_GET], scope)
        return set() if uri in scope.files else {uri}
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return {uri for item in inner for uri in files_needed(item, scope)}


def resolve(value: Any, scope: Scope, shape: Shape | None = None) -> Any:
    """Return a value with every function replaced by its result; Invalid where one has none.

    A result takes the spelling the service model asks of the member it stands in: an Integer parameter becomes "5" in
    a map of strings, the string "2" becomes 2 in an integer member. Plain data is left as it is.
    """
    if is_function(value):
        return coerce(_call(value, scope), shape)
    if isinstance(value, Mapping):
        return {key: resolve(inner, scope, _inner_shape(shape, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolve(inner, scope, _inner_shape(shape, None)) for inner in value]
    return value


def _inner_shape(shape: Shape | None, key: Any) -> Shape | None:
    attribute = {"structure": "members", "map": "value", "list": "member"}.get("" if shape is None else shape.type)
    if attribute is None:
        return None
    inner = getattr(shape, attribute)
    return cast("Shape | None", inner.get(key) if attribute == "members" else inner)


def _call(call: Mapping[str, Any], scope: Scope) -> Any:
    name, argument = next(iter(call.items()))
    if name == GET:
        return _get(argument, scope)
    if name == JOIN:
        return str(argument["On"]).join(spell(resolve(value, scope)) for value in argument["Values"])
    return _json_get(argument, scope)


def _get(text: str, scope: Scope) -> Any:
    reference = parse_reference(text)
    sources: dict[str, Mapping[str, Any]] = {
        "Parameters": scope.parameters,
        "Execution": scope.execution,
        "PipelineExperimentConfig": scope.experiment,
    }
    try:
        if reference.root == "Steps":
            return look_up(scope.properties[reference.name], parse_path(reference.path))
        return sources[reference.root][reference.name]
    except KeyError as missing:
        raise Invalid(f"{text} is undefined: {missing.args[0]!r} is not there.") from None


def _file_uri(argument: Mapping[str, Any], scope: Scope) -> str:
    if "S3Uri" in argument:
        return spell(resolve(argument["S3Uri"], scope))
    step, name = property_file_of(argument)
    found = scope.property_files.get((step, name))
    if found is None:
        raise Invalid(f"Step {step!r} has no property file {name!r}.")
    try:
        path = ("ProcessingOutputConfig", "Outputs", found.output_name, "S3Output", "S3Uri")
        output = look_up(scope.properties[step], path)
    except KeyError:
        raise Invalid(f"Property file {name!r}: step {step!r} has no output {found.output_name!r}.") from None
    return f"{str(output).rstrip('/')}/{found.path.lstrip('/')}"


def _json_get(argument: Mapping[str, Any], scope: Scope) -> Any:
    uri = _file_uri(argument, scope)
    content = scope.files.get(uri, Unreadable(problem="it has not been read"))
    if isinstance(content, Unreadable):
        raise Invalid(f"Cannot read {uri}: {content.problem.rstrip('.')}.")
    try:
        return look_up(content, parse_path(_json_path(argument["Path"])))
    except KeyError as missing:
        raise Invalid(f"Invalid json path {argument['Path']!r}: {uri} has no {missing.args[0]!r} there.") from None


def _json_path(text: str) -> str:
    return text.removeprefix("$").removeprefix(".")


def spell(value: Any) -> str:
    """Return a value as it reads within a string: text as it is, everything else as JSON writes it."""
    return value if isinstance(value, str) else json.dumps(value)


def coerce(value: Any, shape: Shape | None) -> Any:
    """Return a scalar as the service model wants it spelled; unchanged where it cannot be."""
    kind = "" if shape is None else shape.type
    if kind == "string" and isinstance(value, bool | int | float):
        return spell(value)
    if kind in {"integer", "long"} and isinstance(value, str | float):
        return _number(value, int)
    if kind in {"float", "double"} and isinstance(value, str | int) and not isinstance(value, bool):
        return _number(value, float)
    if kind == "boolean" and isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    return value


def _number(value: str | float, kind: type[int] | type[float]) -> Any:
    try:
        number = float(value)
    except ValueError:
        return value
    if kind is int:
        return int(number) if number == int(number) else value
    return number
