"""A pipeline's definition, read: parameters and a flat map of steps. Whether it makes sense is asked in `checking`.

Every refusal names the step and the member. Members that are not honoured are refused, never skipped over.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sagehouse.domain.pipelines.durations import duration_s
from sagehouse.domain.pipelines.functions import PropertyFile
from sagehouse.domain.pipelines.step_types import STEP_TYPES, StepType
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.kit.json_text import read_strict_json

VERSION = "2020-12-01"
MAX_DEPTH = 200
"""Levels of nesting: 50 conditions in each other. What is deeper could not be walked through."""
EXCEPTION_TYPES = frozenset(
    {
        "Step.SERVICE_FAULT",
        "Step.THROTTLING",
        "SageMaker.JOB_INTERNAL_ERROR",
        "SageMaker.CAPACITY_ERROR",
        "SageMaker.RESOURCE_LIMIT",
    }
)
_TOP_MEMBERS = frozenset({"Version", "Metadata", "Parameters", "PipelineExperimentConfig", "MlflowConfig", "Steps"})
_STEP_MEMBERS = frozenset(
    {
        "Name",
        "Type",
        "Arguments",
        "DependsOn",
        "DisplayName",
        "Description",
        "CacheConfig",
        "RetryPolicies",
        "PropertyFiles",
    }
)
_STEP_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")
_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "String": (str,),
    "Integer": (int,),
    "Float": (int, float),
    "Boolean": (bool,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """`default` is None when the execution must bring a value; `choices` is empty when any value is allowed."""

    name: str
    type: str
    default: Any = None
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When a step that failed for one of these exception types is tried again."""

    exception_types: tuple[str, ...]
    interval_s: float = 1.0
    backoff_rate: float = 2.0
    max_attempts: int | None = None
    """Retries allowed, the first attempt not counted."""
    expire_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The branch a step lives in: it runs only if the condition step comes out this way."""

    condition: str
    outcome: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    name: str
    type: StepType
    index: int
    """Place in the definition, branches after their condition."""
    arguments: Document
    """Of a condition step only its Conditions; its branches are steps with a guard."""
    depends_on: tuple[str, ...] = ()
    guard: Guard | None = None
    display_name: str = ""
    description: str = ""
    cache_for_s: float | None = None
    """How old a result may be to stand in for a run; None when caching is off."""
    retry_policies: tuple[RetryPolicy, ...] = ()
    property_files: tuple[PropertyFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    parameters: Mapping[str, Parameter]
    steps: Mapping[str, Step]
    """By name, in the order of the definition."""
    experiment: Document
    """ExperimentName and TrialName, possibly functions; empty when the definition has none."""


def parse(text: str) -> Definition:
    """Return the definition a JSON text holds; Invalid naming step and member where it cannot be read."""
    try:
        document = read_strict_json(text, max_depth=MAX_DEPTH)
    except ValueError as error:
        raise Invalid(f"Unable to parse pipeline definition: it is not JSON: {error}.") from None
    try:
        return _definition(document)
    except Invalid as error:
        raise Invalid(f"Unable to parse pipeline definition. {error.message}") from None


def _definition(document: Any) -> Definition:
    top = _mapping(document, "The definition", _TOP_MEMBERS)
    if top.get("Version") != VERSION:
        raise Invalid(f"Version is {top.get('Version')!r}, only {VERSION!r} is known.")
    if top.get("MlflowConfig"):
        raise Invalid("MlflowConfig is not implemented: tracking to MLflow from pipelines does not exist here yet.")
    experiment = top.get("PipelineExperimentConfig") or {}
    _mapping(experiment, "PipelineExperimentConfig", frozenset({"ExperimentName", "TrialName"}))
    parameters: dict[str, Parameter] = {}
    for index, member in enumerate(_list(top.get("Parameters", []), "Parameters")):
        parameter = _parameter(member, f"Parameters[{index}]")
        if parameter.name in parameters:
            raise Invalid(f"Parameters[{index}]: the name {parameter.name!r} is used twice.")
        parameters[parameter.name] = parameter
    steps: dict[str, Step] = {}
    for where, member, guard in _flatten(_list(top.get("Steps"), "Steps"), "Steps", None):
        step = _step(member, where, index=len(steps), guard=guard)
        if step.name in steps:
            raise Invalid(f"{where}: duplicate step name {step.name!r}; step names are unique within a pipeline.")
        steps[step.name] = step
    if not steps:
        raise Invalid("Steps is empty: a pipeline has at least one step.")
    return Definition(parameters=parameters, steps=steps, experiment=dict(experiment))


def _flatten(members: list[Any], where: str, guard: Guard | None) -> Iterator[tuple[str, Any, Guard | None]]:
    """Yield every step, those of branches after their condition."""
    for index, member in enumerate(members):
        place = f"{where}[{index}]"
        yield place, member, guard
        if not isinstance(member, Mapping) or member.get("Type") != "Condition":
            continue
        arguments = _mapping(
            member.get("Arguments"), f"{place}.Arguments", frozenset({"Conditions", "IfSteps", "ElseSteps"})
        )
        for branch, outcome in (("IfSteps", True), ("ElseSteps", False)):
            inner = _list(arguments.get(branch) or [], f"{place}.Arguments.{branch}")
            inner_guard = Guard(condition=str(member.get("Name")), outcome=outcome)
            yield from _flatten(inner, f"{place}.Arguments.{branch}", inner_guard)


def _parameter(document: Any, where: str) -> Parameter:
    member = _mapping(document, where, frozenset({"Name", "Type", "DefaultValue", "EnumValues"}))
    name, kind = _text(member.get("Name"), f"{where}.Name"), str(member.get("Type"))
    if kind not in _PYTHON_TYPES:
        raise Invalid(f"{where}: parameter {name!r} has the Type {kind!r}, expected one of {', '.join(_PYTHON_TYPES)}.")
    default = member.get("DefaultValue")
    choices = tuple(_list(member.get("EnumValues") or [], f"{where}.EnumValues"))
    for value in choices if default is None else (default, *choices):
        if not has_type(value, kind):
            raise Invalid(f"{where}: {value!r} is not of parameter {name!r}'s Type {kind}.")
    if default is not None and choices and default not in choices:
        raise Invalid(f"{where}: the DefaultValue {default!r} of parameter {name!r} is not in its EnumValues.")
    return Parameter(name=name, type=kind, default=default, choices=choices)


def has_type(value: Any, kind: str) -> bool:
    """Whether a JSON value is of a parameter's Type; true and false are of no number type."""
    return isinstance(value, _PYTHON_TYPES[kind]) and (kind == "Boolean" or not isinstance(value, bool))


def _step(document: Any, where: str, *, index: int, guard: Guard | None) -> Step:
    if not isinstance(document, Mapping):
        raise Invalid(f"{where} must be an object, not {document!r}.")
    name = _text(document.get("Name"), f"{where}.Name")
    if not _STEP_NAME.fullmatch(name):
        raise Invalid(f"{where}: step name {name!r} must be 1 to 64 letters, digits, '-' or '_'.")
    place = f"Step {name!r}"
    step_type = STEP_TYPES.get(_text(document.get("Type"), f"{place}, member Type"))
    if step_type is None:
        raise Invalid(
            f"{place}: not implemented: step type {document['Type']!r}. Step types that run: {', '.join(STEP_TYPES)}."
        )
    member = _mapping(document, place, _STEP_MEMBERS)
    arguments = _mapping(member.get("Arguments"), f"{place}, member Arguments", None)
    if step_type.name == "Condition":
        arguments = {"Conditions": arguments.get("Conditions")}
    return Step(
        name=name,
        type=step_type,
        index=index,
        arguments=dict(arguments),
        depends_on=_depends_on(member.get("DependsOn") or [], place),
        guard=guard,
        display_name=_optional_text(member.get("DisplayName"), f"{place}, member DisplayName"),
        description=_optional_text(member.get("Description"), f"{place}, member Description"),
        cache_for_s=_cache(member.get("CacheConfig"), step_type, place),
        retry_policies=_retry_policies(member.get("RetryPolicies") or [], place),
        property_files=_property_files(member.get("PropertyFiles") or [], step_type, place),
    )


def _depends_on(value: Any, place: str) -> tuple[str, ...]:
    names: list[str] = []
    for index, entry in enumerate(_list(value, f"{place}, member DependsOn")):
        where = f"{place}, member DependsOn[{index}]"
        if isinstance(entry, Mapping):
            trigger = _mapping(entry, where, frozenset({"Step", "Trigger"})).get("Trigger")
            if trigger != "Completed":
                raise Invalid(f"{where}: not implemented: Trigger {trigger!r}; steps wait for completed steps only.")
            names.append(_text(entry.get("Step"), where))
        else:
            names.append(_text(entry, where))
    return tuple(dict.fromkeys(names))


def _cache(value: Any, step_type: StepType, place: str) -> float | None:
    if value is None:
        return None
    config = _mapping(value, f"{place}, member CacheConfig", frozenset({"Enabled", "ExpireAfter"}))
    if not isinstance(config.get("Enabled"), bool):
        raise Invalid(f"{place}, member CacheConfig.Enabled: expected true or false, got {config.get('Enabled')!r}.")
    if not config["Enabled"]:
        return None
    if not step_type.cache_members:
        raise Invalid(f"{place}, member CacheConfig: steps of type {step_type.name} are not cached.")
    if config.get("ExpireAfter") is None:
        return float("inf")
    try:
        return duration_s(_text(config["ExpireAfter"], f"{place}, member CacheConfig.ExpireAfter"))
    except Invalid as error:
        raise Invalid(f"{place}, member CacheConfig.ExpireAfter: {error.message}") from None


def _retry_policies(value: Any, place: str) -> tuple[RetryPolicy, ...]:
    policies = _list(value, f"{place}, member RetryPolicies")
    return tuple(
        _retry_policy(policy, f"{place}, member RetryPolicies[{index}]") for index, policy in enumerate(policies)
    )


def _retry_policy(value: Any, where: str) -> RetryPolicy:
    members = frozenset({"ExceptionType", "BackoffRate", "IntervalSeconds", "MaxAttempts", "ExpireAfterMin"})
    policy = _mapping(value, where, members)
    types = tuple(_list(policy.get("ExceptionType"), f"{where}.ExceptionType"))
    unknown = [name for name in types if name not in EXCEPTION_TYPES]
    if unknown or not types:
        raise Invalid(
            f"{where}.ExceptionType: expected some of {', '.join(sorted(EXCEPTION_TYPES))}, got {list(types)}."
        )
    if ("MaxAttempts" in policy) == ("ExpireAfterMin" in policy):
        raise Invalid(f"{where}: expected either MaxAttempts or ExpireAfterMin.")
    expires = policy.get("ExpireAfterMin")
    return RetryPolicy(
        exception_types=types,
        interval_s=_number(policy.get("IntervalSeconds", 1), f"{where}.IntervalSeconds"),
        backoff_rate=_number(policy.get("BackoffRate", 2.0), f"{where}.BackoffRate"),
        max_attempts=int(_number(policy["MaxAttempts"], f"{where}.MaxAttempts")) if "MaxAttempts" in policy else None,
        expire_after_s=60 * _number(expires, f"{where}.ExpireAfterMin") if expires is not None else None,
    )


def _property_files(value: Any, step_type: StepType, place: str) -> tuple[PropertyFile, ...]:
    files: dict[str, PropertyFile] = {}
    for index, entry in enumerate(_list(value, f"{place}, member PropertyFiles")):
        where = f"{place}, member PropertyFiles[{index}]"
        if step_type.name != "Processing":
            raise Invalid(f"{where}: steps of type {step_type.name} have no property files.")
        member = _mapping(entry, where, frozenset({"PropertyFileName", "OutputName", "FilePath"}))
        name = _text(member.get("PropertyFileName"), f"{where}.PropertyFileName")
        if name in files:
            raise Invalid(f"{where}: the property file name {name!r} is used twice.")
        files[name] = PropertyFile(
            name=name,
            output_name=_text(member.get("OutputName"), f"{where}.OutputName"),
            path=_text(member.get("FilePath"), f"{where}.FilePath"),
        )
    return tuple(files.values())


def _mapping(value: Any, where: str, members: frozenset[str] | None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Invalid(f"{where} must be an object, not {value!r}.")
    unknown = sorted(set(value) - members) if members is not None else []
    if unknown:
        raise Invalid(f"{where}: unknown member {unknown[0]!r}; known are {', '.join(sorted(members or ()))}.")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise Invalid(f"{where} must be a list, not {value!r}.")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise Invalid(f"{where} must be a string, not {value!r}.")
    return value


def _optional_text(value: Any, where: str) -> str:
    return "" if value is None or value == "" else _text(value, where)


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise Invalid(f"{where} must be a number that is not negative, not {value!r}.")
    return float(value)
