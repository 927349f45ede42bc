"""Definitions: what both SDKs compile is understood, what cannot run is refused by step and member."""

import json
from pathlib import Path
from typing import Any

import pytest

from sagehouse.domain.pipelines.checking import plan
from sagehouse.domain.pipelines.definition import parse
from sagehouse.kit.errors import Invalid

COMPILED = sorted((Path(__file__).parent / "definitions").glob("*.json"))


def a_step(name: str = "A", **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Processing", "Arguments": {}, **more}


def a_definition(*steps: Any, **more: Any) -> str:
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": list(steps), **more})


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.stem)
def test_every_definition_the_sdks_compile_is_understood(path: Path) -> None:
    compiled = json.loads(path.read_text())
    checked = plan(parse(json.dumps(compiled)))
    assert set(checked.definition.parameters) == {parameter["Name"] for parameter in compiled["Parameters"]}
    assert {step["Name"] for step in compiled["Steps"]} <= set(checked.definition.steps)


def test_steps_of_branches_need_their_condition_and_what_they_refer_to() -> None:
    checked = plan(parse((Path(__file__).parent / "definitions" / "v2_quickstart_register_model.json").read_text()))
    assert checked.needs["Register-RegisterModel"] == {"Gate", "Train"}
    assert checked.needs["Gate"] == {"Evaluate"}
    assert checked.needs["Evaluate"] == {"Preprocess", "Train"}
    assert checked.definition.steps["Preprocess"].cache_for_s == 30 * 86_400


CONDITION = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}

REFUSED = {
    "not JSON": ("{", "it is not JSON"),
    "NaN": ('{"Version": NaN}', "NaN is not JSON"),
    "too deep": ('{"Steps":' + "[" * 200 + "]" * 200 + "}", "it nests deeper than 200 levels"),
    "bottomless": ("[" * 100_000, "it nests deeper than 200 levels"),
    "version": (json.dumps({"Version": "2019"}), "Version is '2019'"),
    "no steps": (a_definition(), "at least one step"),
    "unknown type": (a_definition(a_step(Type="Lambda")), "Step 'A': not implemented: step type 'Lambda'"),
    "unknown member": (a_definition(a_step(Timeout=3)), "Step 'A': unknown member 'Timeout'"),
    "duplicate": (a_definition(a_step(), a_step()), "duplicate step name 'A'"),
    "bad name": (a_definition(a_step("a b")), "step name 'a b' must be"),
    "circle": (a_definition(a_step("A", DependsOn=["B"]), a_step("B", DependsOn=["A"])), "in a circle: A, B"),
    "itself": (a_definition(a_step("A", DependsOn=["A"])), "depends on itself"),
    "unknown dependency": (a_definition(a_step(DependsOn=["Z"])), "Step 'A', member DependsOn: there is no step 'Z'"),
    "trigger": (
        a_definition(a_step("B"), a_step(DependsOn=[{"Step": "B", "Trigger": "Failed"}])),
        "Step 'A', member DependsOn[0]: not implemented: Trigger 'Failed'",
    ),
    "unknown parameter": (
        a_definition(a_step(Arguments={"RoleArn": {"Get": "Parameters.P"}})),
        "Step 'A', member Arguments.RoleArn: there is no parameter 'P'",
    ),
    "unknown step": (
        a_definition(a_step(Arguments={"X": [{"Get": "Steps.Z.Y"}]})),
        "Step 'A', member Arguments.X[0]: Steps.Z.Y names no step",
    ),
    "unknown variable": (a_definition(a_step(Arguments={"X": {"Get": "Execution.Color"}})), "no Execution.Color"),
    "unknown root": (a_definition(a_step(Arguments={"X": {"Get": "Secrets.Y"}})), "does not begin with"),
    "unknown function": (a_definition(a_step(Arguments={"X": {"Std:Add": [1, 2]}})), "Std:Add is not a function"),
    "bad join": (a_definition(a_step(Arguments={"X": {"Std:Join": {"On": 3}}})), "Std:Join takes a string On"),
    "unknown property file": (
        a_definition(
            a_step("B"),
            a_step(Arguments={"X": {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.B.PropertyFiles.F"}, "Path": "a"}}}),
        ),
        "step 'B' has no property file 'F'",
    ),
    "unknown condition": (
        a_definition(a_step(Type="Condition", Arguments={"Conditions": [{"Type": "Like"}]})),
        "not implemented: condition type 'Like'",
    ),
    "bad condition": (
        a_definition(a_step(Type="Condition", Arguments={"Conditions": [{"Type": "Equals", "LeftValue": 1}]})),
        "has the members LeftValue, RightValue",
    ),
    "nested trouble": (
        a_definition(
            a_step(Type="Condition", Arguments={"Conditions": [CONDITION], "IfSteps": [a_step("N", Type="EMR")]})
        ),
        "Step 'N': not implemented: step type 'EMR'",
    ),
    "cache of a model": (a_definition(a_step(Type="Model", CacheConfig={"Enabled": True})), "are not cached"),
    "cache duration": (
        a_definition(a_step(CacheConfig={"Enabled": True, "ExpireAfter": "soon"})),
        "Step 'A', member CacheConfig.ExpireAfter: 'soon' is not",
    ),
    "retry type": (a_definition(a_step(RetryPolicies=[{"ExceptionType": ["Any"], "MaxAttempts": 1}])), "ExceptionType"),
    "parameter type": (a_definition(a_step(), Parameters=[{"Name": "P", "Type": "List"}]), "has the Type 'List'"),
    "parameter default": (
        a_definition(a_step(), Parameters=[{"Name": "P", "Type": "Integer", "DefaultValue": "5"}]),
        "'5' is not of parameter 'P'",
    ),
    "parameter choice": (
        a_definition(a_step(), Parameters=[{"Name": "P", "Type": "String", "DefaultValue": "c", "EnumValues": ["a"]}]),
        "not in its EnumValues",
    ),
    "mlflow": (a_definition(a_step(), MlflowConfig={"MlflowResourceArn": "arn"}), "MlflowConfig is not implemented"),
    "fail arguments": (a_definition(a_step(Type="Fail")), "a Fail step has an ErrorMessage"),
}


@pytest.mark.parametrize(("text", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_run_is_refused_by_step_and_member(text: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        plan(parse(text))
    assert told in refused.value.message
