"""The operations on pipelines and executions: texts, tokens, versions, pages."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.unit.controllers_pipelines.definitions import ROLE, a_definition, a_processing
from tests.unit.controllers_pipelines.world import World, settle

from sagehouse.kit.errors import Conflict, Invalid, NotFound

ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/churn"
TOKEN = "t" * 32
ONE = a_definition(a_processing("A"))
TWO = a_definition(a_processing("A"), a_processing("B"))
WITH_PARAMETERS = a_definition(
    a_processing("A", arguments=[{"Get": "Parameters.P"}]),
    parameters=[
        {"Name": "P", "Type": "String"},
        {"Name": "N", "Type": "Integer", "DefaultValue": 3},
        {"Name": "B", "Type": "Boolean", "DefaultValue": True},
    ],
)


def in_a_world(scenario: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        async with World().running() as world:
            await scenario(world)

    asyncio.run(run())


async def created(world: World, definition: str = ONE, name: str = "Churn", **more: Any) -> str:
    request = {"PipelineName": name, "PipelineDefinition": definition, "RoleArn": ROLE, **more}
    return str((await world.ask("CreatePipeline", **request))["PipelineArn"])


def test_a_pipeline_is_described_as_it_was_created_by_name_or_arn() -> None:
    async def scenario(world: World) -> None:
        assert await created(world, PipelineDescription="d") == ARN
        for name in ("Churn", "churn", ARN):
            described = await world.ask("DescribePipeline", PipelineName=name)
            assert described["PipelineDefinition"] == ONE
            assert described["PipelineName"] == described["PipelineDisplayName"] == "Churn"
            assert described["PipelineStatus"] == "Active"
            assert not [member for member in described if member.startswith("_") or member == "ClientRequestToken"]

    in_a_world(scenario)


def test_a_taken_name_says_both_texts_the_sdks_look_for_unless_the_token_is_the_same() -> None:
    async def scenario(world: World) -> None:
        await created(world, ClientRequestToken=TOKEN)
        assert await created(world, ClientRequestToken=TOKEN) == ARN
        with pytest.raises(Invalid, match=r"must be unique within an AWS account.*already exists"):
            await created(world, name="churn")

    in_a_world(scenario)


def test_what_is_missing_is_named() -> None:
    async def scenario(world: World) -> None:
        for operation, request in (
            ("DescribePipeline", {"PipelineName": "Churn"}),
            ("DeletePipeline", {"PipelineName": "Churn"}),
            ("StartPipelineExecution", {"PipelineName": "Churn"}),
            ("UpdatePipeline", {"PipelineName": "Churn"}),
        ):
            with pytest.raises(NotFound, match=f"Pipeline '{ARN}' does not exist."):
                await world.ask(operation, **request)
        with pytest.raises(NotFound, match="does not exist"):
            await world.ask("DescribePipelineExecution", PipelineExecutionArn=f"{ARN}/execution/none")

    in_a_world(scenario)


def test_a_definition_that_cannot_run_is_refused_at_creation_and_at_update() -> None:
    broken = a_definition({"Name": "L", "Type": "Lambda", "Arguments": {}})

    async def scenario(world: World) -> None:
        with pytest.raises(Invalid, match="not implemented: step type 'Lambda'"):
            await created(world, broken)
        await created(world)
        with pytest.raises(Invalid, match="Unable to parse pipeline definition"):
            await world.ask("UpdatePipeline", PipelineName="Churn", PipelineDefinition=broken)
        with pytest.raises(Invalid, match="needs either PipelineDefinition or"):
            await world.ask("CreatePipeline", PipelineName="X", RoleArn=ROLE)
        with pytest.raises(Invalid, match="does not implement the member PipelineVersionAliases"):
            await created(world, name="Y", PipelineVersionAliases=["prod"])

    in_a_world(scenario)


def test_a_large_definition_comes_from_s3() -> None:
    async def scenario(world: World) -> None:
        await world.put_json("s3://definitions/churn.json", ONE)
        request = {"Bucket": "definitions", "ObjectKey": "churn.json"}
        await world.ask("CreatePipeline", PipelineName="Churn", PipelineDefinitionS3Location=request, RoleArn=ROLE)
        assert (await world.ask("DescribePipeline", PipelineName="Churn"))["PipelineDefinition"] == ONE

    in_a_world(scenario)


@pytest.mark.parametrize("bucket", ["definitions", "no-such-bucket"])
def test_a_definition_that_is_not_in_s3_is_a_fault_of_the_request(bucket: str) -> None:
    async def scenario(world: World) -> None:
        await world.put_json("s3://definitions/churn.json", ONE)
        request = {"Bucket": bucket, "ObjectKey": "none.json"}
        with pytest.raises(Invalid, match=f"Could not read the pipeline definition at s3://{bucket}/none.json"):
            await world.ask("CreatePipeline", PipelineName="Churn", PipelineDefinitionS3Location=request, RoleArn=ROLE)

    in_a_world(scenario)


def test_updates_make_versions_and_executions_keep_theirs() -> None:
    async def scenario(world: World) -> None:
        await created(world)
        old = await world.again("Churn")
        world.clock.advance(10)
        updated = await world.ask("UpdatePipeline", PipelineName="Churn", PipelineDefinition=TWO)
        assert updated == {"PipelineArn": ARN, "PipelineVersionId": 2}
        renamed = await world.ask("UpdatePipeline", PipelineName="Churn", PipelineDescription="only words")
        assert renamed["PipelineVersionId"] == 2
        kept = await world.ask("DescribePipelineDefinitionForExecution", PipelineExecutionArn=old)
        assert kept["PipelineDefinition"] == ONE
        described = await world.ask("DescribePipeline", PipelineName="Churn", PipelineVersionId=1)
        assert described["PipelineDefinition"] == ONE
        arguments = {"PipelineVersionId": 1, "PipelineVersionDisplayName": "first"}
        await world.ask("UpdatePipelineVersion", PipelineArn=ARN, **arguments)
        versions = (await world.ask("ListPipelineVersions", PipelineName="Churn"))["PipelineVersionSummaries"]
        assert [version["PipelineVersionId"] for version in versions] == [2, 1]
        assert versions[1]["PipelineVersionDisplayName"] == "first"
        assert versions[1]["LastExecutionPipelineExecutionArn"] == old
        again = await world.again("Churn", PipelineVersionId=1)
        assert (await world.execution(again))["PipelineVersionId"] == 1

    in_a_world(scenario)


def test_a_repeated_token_starts_nothing_new() -> None:
    async def scenario(world: World) -> None:
        await created(world)
        first = await world.again("Churn", ClientRequestToken=TOKEN)
        world.clock.advance(5)
        assert await world.again("Churn", ClientRequestToken=TOKEN) == first
        with pytest.raises(Invalid, match="has already started"):
            await world.again("Churn", ClientRequestToken=TOKEN, PipelineExecutionDescription="other")
        assert await world.again("Churn") != first

    in_a_world(scenario)


def test_parameters_are_checked_and_listed_as_text() -> None:
    async def scenario(world: World) -> None:
        await created(world, WITH_PARAMETERS)
        with pytest.raises(Invalid, match=r"\['P'\] have no default"):
            await world.again("Churn")
        given = [{"Name": "P", "Value": "x"}, {"Name": "B", "Value": "False"}]
        arn = await world.again("Churn", PipelineParameters=given)
        page = await world.ask("ListPipelineParametersForExecution", PipelineExecutionArn=arn, MaxResults=2)
        rest = await world.ask(
            "ListPipelineParametersForExecution", PipelineExecutionArn=arn, NextToken=page["NextToken"]
        )
        assert page["PipelineParameters"] + rest["PipelineParameters"] == [
            {"Name": "P", "Value": "x"},
            {"Name": "N", "Value": "3"},
            {"Name": "B", "Value": "False"},
        ]
        (job,) = world.jobs()
        assert job.document["AppSpecification"]["ContainerArguments"] == ["x"]

    in_a_world(scenario)


def test_lists_are_newest_first_and_paged() -> None:
    async def scenario(world: World) -> None:
        for name in ("Aa", "Ab", "Bc"):
            await created(world, name=name)
            world.clock.advance(1)
        names = [row["PipelineName"] for row in (await world.ask("ListPipelines"))["PipelineSummaries"]]
        assert names == ["Bc", "Ab", "Aa"]
        request = {"PipelineNamePrefix": "A", "SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 1}
        page = await world.ask("ListPipelines", **request)
        rest = await world.ask("ListPipelines", **request, NextToken=page["NextToken"])
        assert [row["PipelineName"] for row in page["PipelineSummaries"] + rest["PipelineSummaries"]] == ["Aa", "Ab"]
        executions = []
        for _ in range(3):
            executions.append(await world.again("Aa"))
            world.clock.advance(1)
        rows = (await world.ask("ListPipelineExecutions", PipelineName="Aa"))["PipelineExecutionSummaries"]
        assert [row["PipelineExecutionArn"] for row in rows] == executions[::-1]
        assert rows[0]["StartTime"] > rows[1]["StartTime"]
        (row,) = (await world.ask("ListPipelines", PipelineNamePrefix="Aa"))["PipelineSummaries"]
        assert row["LastExecutionTime"] == rows[0]["StartTime"]

    in_a_world(scenario)


def test_steps_are_paged_in_the_order_they_began() -> None:
    async def scenario(world: World) -> None:
        await created(world, a_definition(*(a_processing(f"S{index}") for index in range(5))))
        arn = await world.again("Churn")
        names: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = await world.ask("ListPipelineExecutionSteps", PipelineExecutionArn=arn, MaxResults=2, **token)
            names += [step["StepName"] for step in page["PipelineExecutionSteps"]]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        assert names == ["S4", "S3", "S2", "S1", "S0"]

    in_a_world(scenario)


def test_a_pipeline_is_deleted_with_all_that_is_its_own_once_nothing_runs() -> None:
    async def scenario(world: World) -> None:
        await created(world)
        arn = await world.again("Churn")
        with pytest.raises(Conflict, match="stop them first"):
            await world.ask("DeletePipeline", PipelineName="Churn")
        await world.ask("StopPipelineExecution", PipelineExecutionArn=arn)
        await settle()
        assert await world.ask("DeletePipeline", PipelineName="Churn") == {"PipelineArn": ARN}
        kinds = ("Pipeline", "PipelineVersion", "PipelineExecution", "PipelineExecutionStep", "PipelineCachedStep")
        assert [world.catalog.all(kind) for kind in kinds] == [[], [], [], [], []]
        await created(world)

    in_a_world(scenario)


def test_only_ended_executions_are_retried_and_a_repeated_token_retries_once() -> None:
    async def scenario(world: World) -> None:
        await created(world)
        arn = await world.again("Churn")
        with pytest.raises(Conflict, match="is Executing; only Failed or Stopped ones"):
            await world.ask("RetryPipelineExecution", PipelineExecutionArn=arn)
        await world.end("A", "Failed", FailureReason="AlgorithmError: x")
        for _ in range(2):
            await world.ask("RetryPipelineExecution", PipelineExecutionArn=arn, ClientRequestToken=TOKEN)
            await settle()
        assert len(world.jobs()) == 2

    in_a_world(scenario)


def test_members_that_are_not_honoured_are_refused() -> None:
    async def scenario(world: World) -> None:
        await created(world)
        with pytest.raises(Invalid, match="does not implement the member MlflowExperimentName"):
            await world.again("Churn", MlflowExperimentName="x")
        with pytest.raises(Invalid, match="has no step"):
            await world.again("Churn", SelectiveExecutionConfig={"SelectedSteps": [{"StepName": "Z"}]})

    in_a_world(scenario)


def test_a_definition_keeps_its_text() -> None:
    spaced = json.dumps(json.loads(ONE), indent=4)

    async def scenario(world: World) -> None:
        await created(world, spaced)
        assert (await world.ask("DescribePipeline", PipelineName="Churn"))["PipelineDefinition"] == spaced

    in_a_world(scenario)
