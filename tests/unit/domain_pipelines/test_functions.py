"""Functions, paths, conditions, parameters and durations."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagehouse.domain.pipelines.conditions import all_hold
from sagehouse.domain.pipelines.definition import parse
from sagehouse.domain.pipelines.durations import duration_s
from sagehouse.domain.pipelines.functions import PropertyFile, Scope, Unreadable, files_needed, resolve
from sagehouse.domain.pipelines.parameters import bind
from sagehouse.domain.pipelines.paths import look_up, parse_path
from sagehouse.kit.errors import Invalid

DESCRIBED = {
    "ProcessingOutputConfig": {
        "Outputs": [
            {"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}},
            {"OutputName": "report", "S3Output": {"S3Uri": "s3://b/report/"}},
        ]
    },
    "FinalMetricDataList": [{"MetricName": "validation:auc", "Value": 0.75}],
}
FILE = "s3://b/report/evaluation.json"


def a_scope(**files: Any) -> Scope:
    return Scope(
        parameters={"N": 5, "F": 0.5, "S": "text", "B": True, "Two": "2"},
        execution={"PipelineExecutionId": "abc123def456"},
        properties={"Pre": DESCRIBED},
        property_files={("Pre", "PF"): PropertyFile(name="PF", output_name="report", path="evaluation.json")},
        files={FILE: files["report"]} if files else {},
    )


class AShape:
    def __init__(self, type: str, **inner: Any) -> None:  # noqa: A002 - the word of the service model
        self.type = type
        self.__dict__.update(inner)


def json_get(path: str) -> dict[str, Any]:
    return {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Pre.PropertyFiles.PF"}, "Path": path}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Get": "Parameters.N"}, 5),
        ({"Get": "Steps.Pre.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"}, "s3://b/train"),
        ({"Get": 'Steps.Pre.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri'}, "s3://b/train"),
        ({"Get": "Steps.Pre.ProcessingOutputConfig.Outputs[1].S3Output.S3Uri"}, "s3://b/report/"),
        ({"Get": "Steps.Pre.FinalMetricDataList['validation:auc'].Value"}, 0.75),
        ({"Std:Join": {"On": "", "Values": [{"Get": "Parameters.N"}]}}, "5"),
        (
            {"Std:Join": {"On": "/", "Values": ["s3:/", {"Get": "Execution.PipelineExecutionId"}, True, 0.5, None]}},
            "s3://abc123def456/true/0.5/null",
        ),
        ({"a": [{"Get": "Parameters.S"}, {"b": 1}]}, {"a": ["text", {"b": 1}]}),
        (json_get("metrics.mse[0].value"), 1.5),
        (json_get("$.metrics['mse'][0].value"), 1.5),
    ],
)
def test_functions_are_replaced_by_their_values(value: Any, expected: Any) -> None:
    scope = a_scope(report={"metrics": {"mse": [{"value": 1.5}]}})
    assert resolve(value, scope) == expected


def test_files_are_asked_for_until_the_scope_holds_them() -> None:
    assert files_needed({"x": [json_get("a")]}, a_scope()) == {FILE}
    assert files_needed({"x": [json_get("a")]}, a_scope(report={"a": 1})) == set()
    by_uri = {"Std:JsonGet": {"S3Uri": {"Std:Join": {"On": "/", "Values": ["s3://b", "r.json"]}}, "Path": "a"}}
    assert files_needed(by_uri, a_scope()) == {"s3://b/r.json"}


def test_what_has_no_value_says_which() -> None:
    for value, told in (
        ({"Get": "Steps.Pre.ModelArtifacts.S3ModelArtifacts"}, "'ModelArtifacts' is not there"),
        ({"Get": "Steps.Other.X"}, "Steps.Other.X is undefined"),
        (json_get("b"), "Invalid json path 'b'"),
    ):
        with pytest.raises(Invalid, match=told.replace(".", r"\.")):
            resolve(value, a_scope(report={"a": 1}))
    with pytest.raises(Invalid, match="no such key"):
        resolve(json_get("a"), a_scope(report=Unreadable(problem="no such key")))


def test_results_take_the_spelling_the_member_asks_and_plain_data_stays() -> None:
    text, number = AShape("string"), AShape("integer")
    shape = AShape(
        "structure",
        members={
            "HyperParameters": AShape("map", value=text),
            "Count": number,
            "Rate": AShape("float"),
            "Flag": AShape("boolean"),
            "Names": AShape("list", member=text),
        },
    )
    request = {
        "HyperParameters": {"depth": {"Get": "Parameters.N"}, "flag": {"Get": "Parameters.B"}, "plain": 7},
        "Count": {"Get": "Parameters.Two"},
        "Rate": {"Get": "Parameters.Two"},
        "Names": [{"Get": "Parameters.F"}],
    }
    assert resolve(request, a_scope(), shape) == {
        "HyperParameters": {"depth": "5", "flag": "true", "plain": 7},
        "Count": 2,
        "Rate": 2.0,
        "Names": ["0.5"],
    }


@given(st.lists(st.one_of(st.integers(0, 99), st.text("abcXYZ-_ .:", min_size=1)), max_size=5))
def test_a_path_written_with_brackets_is_read_back(parts: list[str | int]) -> None:
    text = "".join(f"[{part}]" if isinstance(part, int) else f"['{part}']" for part in parts)
    assert parse_path(text) == tuple(parts)


def test_a_path_that_leads_nowhere_is_a_key_error() -> None:
    for path in ("a.c", "a[3]", "l[2]", "l['x']", "s.x"):
        with pytest.raises(KeyError):
            look_up({"a": {"b": 1}, "l": [1, 2], "s": "text"}, parse_path(path))
    with pytest.raises(Invalid):
        parse_path("a[b")


def holds(kind: str, left: Any, right: Any) -> bool:
    return all_hold([{"Type": kind, "LeftValue": left, "RightValue": right}])


def test_numbers_compare_as_numbers_whatever_their_spelling() -> None:
    assert holds("GreaterThan", 10, 9.5)
    assert holds("Equals", 5, 5.0)
    assert holds("LessThan", "9", 10)
    assert holds("GreaterThanOrEqualTo", "0.70", 0.7)
    assert holds("LessThan", "10", "9")
    assert not holds("Equals", True, False)
    for left, right in ((True, 1), ("a", 1), ([1], [1])):
        with pytest.raises(Invalid, match="cannot compare"):
            holds("Equals", left, right)


def test_conditions_nest_and_all_of_a_step_must_hold() -> None:
    yes = {"Type": "In", "QueryValue": "a", "Values": ["b", "a"]}
    no = {"Type": "Not", "Condition": yes}
    assert all_hold([yes, {"Type": "Or", "Conditions": [no, yes]}])
    assert not all_hold([yes, no])
    assert not all_hold([{"Type": "In", "QueryValue": 3, "Values": ["b", True]}])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("P30d", 2_592_000),
        ("30d", 2_592_000),
        ("T16m", 960),
        ("PT1H", 3600),
        ("30dT5h", 2_610_000),
        ("5y", 157_680_000),
    ],
)
def test_durations_are_read_as_caching_spells_them(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "soon", "5", "T", "P1X"])
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(Invalid):
        duration_s(text)


DECLARED = parse(
    json.dumps(
        {
            "Version": "2020-12-01",
            "Parameters": [
                {"Name": "S", "Type": "String", "EnumValues": ["a", "b"]},
                {"Name": "I", "Type": "Integer", "DefaultValue": 1},
                {"Name": "F", "Type": "Float", "DefaultValue": 0.5},
                {"Name": "B", "Type": "Boolean", "DefaultValue": False},
            ],
            "Steps": [{"Name": "A", "Type": "Processing", "Arguments": {}}],
        }
    )
)


def given_as(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


def test_parameters_come_as_text_and_become_their_type() -> None:
    assert bind(DECLARED, given_as(S="a", I="7", F="2", B="True")) == {"S": "a", "I": 7, "F": 2.0, "B": True}
    assert bind(DECLARED, given_as(S="b")) == {"S": "b", "I": 1, "F": 0.5, "B": False}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, r"\['S'\] have no default"),
        ({"S": "a", "Z": "1"}, r"Unknown parameter \[Z\]"),
        ({"S": "c"}, "must be one of a, b"),
        ({"S": "a", "I": "x"}, r"\[I\] is of type Integer"),
        ({"S": "a", "B": "yes"}, r"\[B\] is of type Boolean"),
    ],
)
def test_wrong_parameters_are_named(values: dict[str, str], told: str) -> None:
    with pytest.raises(Invalid, match=told):
        bind(DECLARED, given_as(**values))
