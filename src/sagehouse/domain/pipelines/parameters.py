"""The parameters of an execution: strings on the wire, typed for the steps."""

from collections.abc import Iterable, Mapping
from typing import Any

from sagehouse.domain.pipelines.definition import Definition, Parameter
from sagehouse.domain.pipelines.functions import spell
from sagehouse.kit.errors import Invalid

_BOOLEANS = {"true": True, "false": False}


def bind(definition: Definition, given: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """Return every parameter's value; Invalid for unknown, repeated, missing, mistyped or excluded ones.

    Values come as StartPipelineExecution has them: [{"Name": ..., "Value": "5"}].
    """
    values: dict[str, Any] = {}
    for pair in given:
        name = pair["Name"]
        parameter = definition.parameters.get(name)
        if parameter is None:
            known = ", ".join(definition.parameters) or "none"
            raise Invalid(f"Unknown parameter [{name}]: the pipeline definition declares {known}.")
        if name in values:
            raise Invalid(f"Parameter [{name}] is given twice.")
        values[name] = _typed(parameter, pair["Value"])
    missing = [p.name for p in definition.parameters.values() if p.name not in values and p.default is None]
    if missing:
        raise Invalid(f"Parameters {missing} have no default value and must be given.")
    return {name: values.get(name, parameter.default) for name, parameter in definition.parameters.items()}


def _typed(parameter: Parameter, text: str) -> Any:
    value = _read(parameter, text)
    if parameter.choices and value not in parameter.choices:
        allowed = ", ".join(spell(choice) for choice in parameter.choices)
        raise Invalid(f"Parameter [{parameter.name}] must be one of {allowed}, not {text!r}.")
    return value


def _read(parameter: Parameter, text: str) -> Any:
    try:
        if parameter.type == "Integer":
            return int(text)
        if parameter.type == "Float":
            return float(text)
        if parameter.type == "Boolean":
            return _BOOLEANS[text.lower()]
    except (ValueError, KeyError):
        raise Invalid(f"Parameter [{parameter.name}] is of type {parameter.type}, {text!r} is not.") from None
    return text
