"""Every member of a request is honoured, refused, or recorded and not honoured: exactly one of them."""

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from tests.conformance.world import World

from sagehouse.kit.errors import Invalid
from sagehouse.services.sagemaker import MEMBERS, OPERATIONS
from sagehouse.services.sagemaker.jobs.training_job import KIND as TRAINING_JOB
from sagehouse.services.sagemaker.members import Members

MODEL = botocore.session.get_session().get_service_model("sagemaker")
TABLES = pytest.mark.parametrize("table", MEMBERS.values(), ids=lambda table: table.operation)


def claims(table: Members, path: str) -> list[str]:
    refused = {rule for rule in table.refused if "=" not in rule}
    groups = {"honoured": table.honoured, "refused": refused, "not honoured": set(table.not_honoured)}
    return [name for name, paths in groups.items() if path in paths]


def walked(table: Members, shape: Any, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield every path where the model and the table meet, and who claims it."""
    for name, member in shape.members.items():
        inner, path = member, prefix + name
        if member.type_name == "list":
            inner = member.member
        below = inner.type_name == "structure" and inner.name != shape.name
        whole = claims(table, path)
        each = claims(table, path + "[]") if member.type_name == "list" else []
        if whole or each or not below:
            yield path, whole + each
        else:
            yield from walked(table, inner, f"{path}[]." if member.type_name == "list" else f"{path}.")


@TABLES
def test_every_member_of_the_model_is_in_exactly_one_table(table: Members) -> None:
    met = list(walked(table, MODEL.operation_model(table.operation).input_shape))
    assert [(path, by) for path, by in met if len(by) != 1] == []
    spoken = {*table.honoured, *table.not_honoured, *(rule for rule in table.refused if "=" not in rule)}
    assert spoken - {path for path, _ in met} == set(), "the model has no such member"


@TABLES
def test_refusals_of_single_values_name_values_of_the_model(table: Members) -> None:
    for rule in table.refused:
        path, _, value = rule.partition("=")
        shape = MODEL.operation_model(table.operation).input_shape
        for part in path.split("."):
            shape = shape.members[part.removesuffix("[]")]
            shape = shape.member if part.endswith("[]") else shape
        if value:
            assert value in (getattr(shape, "enum", None) or ["True", "False"]), rule


@TABLES
def test_every_sentence_is_one(table: Members) -> None:
    for sentence in (*table.refused.values(), *table.not_honoured.values()):
        assert sentence.endswith("."), sentence


def test_every_operation_that_creates_has_a_table() -> None:
    creating = {name for name in OPERATIONS if name.startswith("Create") and "Pipeline" not in name}
    assert creating <= MEMBERS.keys()


@TABLES
def test_a_refused_member_is_refused_by_name(table: Members) -> None:
    for rule in table.refused:
        path, _, wanted = rule.partition("=")
        value: Any = {"True": True}.get(wanted, wanted) if wanted else {"x": 1}
        for part in reversed(path.split(".")):
            value = {part.removesuffix("[]"): [value] if part.endswith("[]") else value}
        with pytest.raises(Invalid, match=f"{table.operation}: sagehouse does not implement"):
            table.refuse(value)


def test_what_the_sdks_always_send_is_accepted() -> None:
    world = World()
    from tests.conformance.world import BUCKET, a_training_job

    request = a_training_job(
        "job",
        DebugHookConfig={"S3OutputPath": f"s3://{BUCKET}/", "CollectionConfigurations": []},
        ProfilerConfig={"S3OutputPath": f"s3://{BUCKET}/", "DisableProfiler": False},
        ProfilerRuleConfigurations=[],
        ExperimentConfig={"ExperimentName": "e", "TrialName": "t"},
        EnableManagedSpotTraining=False,
        RetryStrategy={"MaximumRetryAttempts": 2},
    )
    request["AlgorithmSpecification"]["EnableSageMakerMetricsTimeSeries"] = True
    request["ResourceConfig"]["KeepAlivePeriodInSeconds"] = 0
    world.ask("CreateTrainingJob", **request)
    told = world.ask("DescribeTrainingJob", TrainingJobName="job")
    assert told["DebugHookConfig"] == request["DebugHookConfig"]


def test_a_page_of_training_jobs_reads_exactly_the_members_its_rows_have() -> None:
    summary = MODEL.shape_for("TrainingJobSummary")
    assert list(TRAINING_JOB.row_members) == list(summary.members)
