"""Search: the filter language, and what it finds."""

from typing import Any

import pytest
from tests.conformance.world import World, a_training_job, a_version

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.services.sagemaker.search_filter import matches

JOB: Document = {
    "TrainingJobName": "Iris-1",
    "TrainingJobStatus": "Completed",
    "CreationTime": 1767225600.0,
    "EnableManagedSpotTraining": False,
    "HyperParameters": {"depth": "3", "objective": "reg:linear"},
    "InputDataConfig": [
        {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://a/train"}}},
        {"ChannelName": "validation", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/validation"}}},
    ],
    "Tags": [{"Key": "team", "Value": "tea"}],
}


def one(name: str, operator: str, value: str | None = None) -> Document:
    condition = {"Name": name, "Operator": operator}
    return condition if value is None else {**condition, "Value": value}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (one("TrainingJobName", "Equals", "iris-1"), True),
        (one("TrainingJobName", "NotEquals", "iris-1"), False),
        (one("TrainingJobName", "NotEquals", "iris-2"), True),
        (one("TrainingJobName", "Contains", "RIS"), True),
        (one("TrainingJobStatus", "In", "Failed, Completed"), True),
        (one("HyperParameters.depth", "GreaterThan", "2"), True),
        (one("HyperParameters.depth", "LessThan", "3"), False),
        (one("HyperParameters.depth", "LessThanOrEqualTo", "3"), True),
        (one("HyperParameters.objective", "GreaterThan", "3"), False),
        (one("CreationTime", "GreaterThanOrEqualTo", "2026-01-01T00:00:00Z"), True),
        (one("CreationTime", "LessThan", "2026-01-01T00:00:00Z"), False),
        (one("EnableManagedSpotTraining", "Equals", "false"), True),
        (one("Tags.team", "Equals", "tea"), True),
        (one("Tags.team", "Exists"), True),
        (one("Tags.room", "NotExists"), True),
        (one("FailureReason", "Exists"), False),
        (one("InputDataConfig.ChannelName", "Equals", "validation"), True),
        ({"Name": "TrainingJobName", "Value": "Iris-1"}, True),
    ],
)
def test_each_operator_says_what_it_means(condition: Document, expected: bool) -> None:
    assert matches(JOB, {"Filters": [condition]}) is expected


def test_a_nested_filter_is_about_one_element() -> None:
    def nested(channel: str, uri: str) -> Document:
        return {
            "NestedFilters": [
                {
                    "NestedPropertyName": "InputDataConfig",
                    "Filters": [
                        one("InputDataConfig.ChannelName", "Equals", channel),
                        one("InputDataConfig.DataSource.S3DataSource.S3Uri", "Contains", uri),
                    ],
                }
            ]
        }

    assert matches(JOB, nested("train", "s3://a"))
    assert not matches(JOB, nested("train", "s3://b"))


def test_expressions_are_joined_by_their_operator() -> None:
    yes, no = one("TrainingJobName", "Equals", "iris-1"), one("TrainingJobName", "Equals", "other")
    assert matches(JOB, {})
    assert not matches(JOB, {"Filters": [yes, no]})
    assert matches(JOB, {"Filters": [yes, no], "Operator": "Or"})
    assert matches(JOB, {"SubExpressions": [{"Filters": [yes, no], "Operator": "Or"}], "Filters": [yes]})
    deep: Any = {"Filters": [yes]}
    for _ in range(30):
        deep = {"SubExpressions": [deep]}
    with pytest.raises(Invalid, match="nest deeper"):
        matches(JOB, deep)
    with pytest.raises(Invalid, match="needs a Value"):
        matches(JOB, {"Filters": [one("TrainingJobName", "Equals")]})


def test_the_sdk_finds_a_model_package_group_by_its_name() -> None:
    world = World()
    expression = {"Filters": [one("ModelPackageGroupName", "Equals", "the-group")]}
    output = world.ask("Search", Resource="ModelPackageGroup", SearchExpression=expression)
    (result,) = output["Results"]
    assert result["ModelPackageGroup"]["ModelPackageGroupName"] == "the-group"
    expression["Filters"][0]["Value"] = "another"
    assert world.ask("Search", Resource="ModelPackageGroup", SearchExpression=expression) == {"Results": []}


def test_results_are_sorted_and_paged() -> None:
    world = World()
    for depth in ("3", "1", "2"):
        hyperparameters = {"sagemaker_program": "train.py", "depth": depth}
        tags = [{"Key": "depth", "Value": depth}]
        world.ask("CreateTrainingJob", **a_training_job(f"job-{depth}", HyperParameters=hyperparameters, Tags=tags))

    def found(**more: Any) -> list[str]:
        names: list[str] = []
        token: dict[str, str] = {}
        while True:
            output = world.ask("Search", Resource="TrainingJob", **more, **token)
            names += [result["TrainingJob"]["TrainingJobName"] for result in output["Results"]]
            if "NextToken" not in output:
                return names
            token = {"NextToken": output["NextToken"]}

    assert found() == ["job-2", "job-1", "job-3"]
    assert found(SortBy="HyperParameters.depth", SortOrder="Ascending") == ["job-1", "job-2", "job-3"]
    assert found(SortBy="TrainingJobName", MaxResults=1) == ["job-3", "job-2", "job-1"]
    expression = {"Filters": [one("Tags.depth", "GreaterThan", "1")]}
    assert found(SearchExpression=expression) == ["job-2", "job-3"]
    with pytest.raises(Invalid, match="token"):
        world.ask("Search", Resource="TrainingJob", NextToken="nonsense")


def test_versions_of_a_group_are_found() -> None:
    world = World()
    world.ask("CreateModelPackage", **a_version())
    expression = {"Filters": [one("ModelPackageGroupName", "Equals", "the-group")]}
    (result,) = world.ask("Search", Resource="ModelPackage", SearchExpression=expression)["Results"]
    assert result["ModelPackage"]["ModelPackageVersion"] == 1


def test_what_is_not_stored_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match="does not implement Resource 'Experiment'"):
        World().ask("Search", Resource="Experiment")
