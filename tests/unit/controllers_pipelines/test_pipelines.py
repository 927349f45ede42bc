"""Executions from start to end: what runs, in which order, and how it ends."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from tests.unit.controllers_pipelines.definitions import (
    EVALUATION,
    a_condition,
    a_definition,
    a_processing,
    compiled,
)
from tests.unit.controllers_pipelines.world import World, settle

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, Invalid, Throttled

QUICKSTART = compiled("v2_quickstart_register_model")
FAIL = {"Name": "TooBad", "Type": "Fail", "Arguments": {"ErrorMessage": "bad"}}


def in_a_world(scenario: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        async with World().running() as world:
            await scenario(world)

    asyncio.run(run())


async def evaluated(world: World, accuracy: float) -> None:
    await world.put_json(EVALUATION, json.dumps({"binary_classification_metrics": {"accuracy": {"value": accuracy}}}))


def test_the_quickstart_processes_trains_evaluates_gates_and_registers() -> None:
    async def scenario(world: World) -> None:
        arn = await world.start(QUICKSTART)
        assert await world.statuses(arn) == {"Preprocess": "Executing"}
        await world.end("Preprocess")
        await world.end("Train")
        await evaluated(world, 0.9)
        await world.end("Evaluate")
        assert await world.status(arn) == "Succeeded"
        steps = await world.steps(arn)
        assert [(step["StepName"], step["StepStatus"]) for step in steps] == [
            ("Preprocess", "Succeeded"),
            ("Train", "Succeeded"),
            ("Evaluate", "Succeeded"),
            ("Gate", "Succeeded"),
            ("Register-RegisterModel", "Succeeded"),
        ]
        assert steps[3]["Metadata"] == {"Condition": {"Outcome": "True"}}
        (package,) = world.packages()
        assert steps[4]["Metadata"] == {"RegisterModel": {"Arn": package["ModelPackageArn"]}}
        train = await world.job("Train")
        assert (
            package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
            == (train.document["ModelArtifacts"]["S3ModelArtifacts"])
        )
        assert package["ModelApprovalStatus"] == "PendingManualApproval"
        assert train.document["HyperParameters"]["max_depth"] == "5"
        execution_id = arn.rsplit("/", 1)[-1]
        assert train.document["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] == (
            f"s3://sagemaker-us-east-1-123456789012/quickstart/{execution_id}/Preprocess/output/train"
        )

    in_a_world(scenario)


def test_the_other_branch_ends_in_the_fail_step_with_its_message() -> None:
    async def scenario(world: World) -> None:
        arn = await world.start(QUICKSTART, PipelineParameters=[{"Name": "Threshold", "Value": "0.8"}])
        await world.end("Preprocess")
        await world.end("Train")
        await evaluated(world, 0.5)
        await world.end("Evaluate")
        execution = await world.execution(arn)
        assert execution["PipelineExecutionStatus"] == "Failed"
        assert execution["FailureReason"].startswith("Step failure: One or multiple steps failed.")
        last = (await world.steps(arn))[-1]
        assert (last["StepName"], last["StepStatus"]) == ("TooBad", "Failed")
        assert last["Metadata"] == {"Fail": {"ErrorMessage": "Accuracy below 0.8"}}
        assert last["FailureReason"] == "Accuracy below 0.8"
        assert world.packages() == []

    in_a_world(scenario)


def test_integer_parameters_that_sdk_3_puts_into_hyperparameters_arrive_as_strings() -> None:
    async def scenario(world: World) -> None:
        arn = await world.start(compiled("v3_quickstart"), PipelineParameters=[{"Name": "MaxDepth", "Value": "7"}])
        execution_id = arn.rsplit("/", 1)[-1]
        uri = f"s3://sagemaker-us-east-1-123456789012/out/{execution_id}/evaluation/evaluation.json"
        await world.put_json(uri, '{"accuracy": 0.99}')
        await world.end("Preprocess")
        assert (await world.job("Train")).document["HyperParameters"]["max_depth"] == "7"
        assert await world.statuses(arn) == {"Preprocess": "Succeeded", "Gate": "Succeeded", "Train": "Executing"}
        await world.end("Train")
        assert await world.status(arn) == "Succeeded"
        assert [step["StepName"] for step in await world.steps(arn)][-2:] == ["Create", "Register"]

    in_a_world(scenario)


def test_nested_conditions_and_a_model_that_is_created_and_transformed() -> None:
    async def scenario(world: World) -> None:
        arn = await world.start(compiled("v2_model_step_nested"))
        await world.end("Preprocess")
        await world.end("Train", FinalMetricDataList=[{"MetricName": "validation:auc", "Value": 0.8}])
        output = f"s3://sagemaker-us-east-1-123456789012/nested/{arn.rsplit('/', 1)[-1]}/Evaluate/output/evaluation"
        await world.put_json(f"{output}/evaluation.json", '{"metrics": [{"value": 0.5}]}')
        await world.end("Evaluate")
        await world.end("Batch")
        assert await world.status(arn) == "Succeeded"
        batch = await world.job("Batch")
        (model,) = world.catalog.all("Model")
        assert batch.document["ModelName"] == model.key.name
        assert model.key.name.startswith(f"pipelines-{arn.rsplit('/', 1)[-1]}-Create-CreateModel-")
        execution = await world.execution(arn)
        assert execution["PipelineExperimentConfig"] == {"ExperimentName": "exp", "TrialName": arn.rsplit("/", 1)[-1]}

    in_a_world(scenario)


def test_a_failed_step_keeps_only_its_followers_from_running() -> None:
    definition = a_definition(
        a_processing("A"),
        a_processing("B", DependsOn=["A"]),
        a_processing("C"),
        a_processing("D", DependsOn=["C"]),
    )

    async def scenario(world: World) -> None:
        arn = await world.start(definition)
        await world.end("A", "Failed", FailureReason="AlgorithmError: ValueError: no such column, exit code: 1")
        assert await world.status(arn) == "Executing"
        await world.end("C")
        await world.end("D")
        execution = await world.execution(arn)
        assert execution["PipelineExecutionStatus"] == "Failed"
        assert "A: AlgorithmError: ValueError: no such column" in execution["FailureReason"]
        assert await world.statuses(arn) == {"A": "Failed", "C": "Succeeded", "D": "Succeeded"}

    in_a_world(scenario)


def test_a_step_whose_job_is_refused_fails_with_the_services_own_words() -> None:
    async def scenario(world: World) -> None:
        world.errors["CreateProcessingJob"] = [Invalid("No S3 objects found under S3 URL.")]
        arn = await world.start(a_definition(a_processing("A")))
        (step,) = await world.steps(arn)
        assert step["FailureReason"] == (
            "ClientError: Failed to invoke sagemaker:CreateProcessingJob. "
            "Error Details: No S3 objects found under S3 URL."
        )
        assert await world.status(arn) == "Failed"

    in_a_world(scenario)


def test_throttling_is_retried_with_growing_pauses_under_a_new_job_name() -> None:
    async def scenario(world: World) -> None:
        world.errors["CreateProcessingJob"] = [Throttled("slow down"), Throttled("slow down")]
        arn = await world.start(a_definition(a_processing("A")))
        assert world.jobs() == []
        world.clock.advance(1.0)
        await settle()
        assert world.jobs() == []
        world.clock.advance(2.0)
        await settle()
        (step,) = await world.steps(arn)
        assert (step["StepStatus"], step["AttemptCount"]) == ("Executing", 3)
        await world.end("A")
        assert await world.status(arn) == "Succeeded"

    in_a_world(scenario)


def test_an_internal_error_of_the_job_is_retried_only_as_its_policy_grants() -> None:
    policy = {
        "ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"],
        "IntervalSeconds": 10,
        "BackoffRate": 1.0,
        "MaxAttempts": 1,
    }

    async def scenario(world: World) -> None:
        arn = await world.start(a_definition(a_processing("A", RetryPolicies=[policy])))
        await world.end("A", "Failed", FailureReason="InternalServerError: the host vanished")
        assert await world.status(arn) == "Executing"
        world.clock.advance(10.0)
        await world.end("A", "Failed", FailureReason="InternalServerError: the host vanished")
        assert await world.status(arn) == "Failed"
        assert len(world.jobs("Failed")) == 2

    in_a_world(scenario)


def test_no_more_steps_run_at_once_than_the_parallelism_allows() -> None:
    async def scenario(world: World) -> None:
        definition = a_definition(*(a_processing(f"S{index}") for index in range(5)))
        arn = await world.start(definition, ParallelismConfiguration={"MaxParallelExecutionSteps": 2})
        assert len(world.jobs("InProgress")) == 2
        await world.end("S0")
        assert sorted(await world.statuses(arn)) == ["S0", "S1", "S2"]
        await world.ask(
            "UpdatePipelineExecution",
            PipelineExecutionArn=arn,
            ParallelismConfiguration={"MaxParallelExecutionSteps": 5},
        )
        await settle()
        assert len(world.jobs("InProgress")) == 4

    in_a_world(scenario)


def test_stopping_stops_what_runs_and_lets_nothing_new_begin() -> None:
    async def scenario(world: World) -> None:
        arn = await world.start(a_definition(a_processing("A"), a_processing("B", DependsOn=["A"])))
        await world.ask("StopPipelineExecution", PipelineExecutionArn=arn)
        assert await world.status(arn) == "Stopped"
        assert await world.statuses(arn) == {"A": "Stopped"}
        assert [job.status for job in world.jobs()] == ["Stopped"]
        with pytest.raises(Conflict, match="is Stopped"):
            await world.ask("StopPipelineExecution", PipelineExecutionArn=arn)

    in_a_world(scenario)


def test_a_retried_execution_runs_what_has_not_succeeded() -> None:
    async def scenario(world: World) -> None:
        arn = await world.start(a_definition(a_processing("A"), a_processing("B", DependsOn=["A"])))
        await world.end("A")
        await world.end("B", "Failed", FailureReason="AlgorithmError: x")
        assert await world.status(arn) == "Failed"
        await world.ask("RetryPipelineExecution", PipelineExecutionArn=arn)
        assert await world.statuses(arn) == {"A": "Succeeded", "B": "Executing"}
        await world.end("B")
        execution = await world.execution(arn)
        assert execution["PipelineExecutionStatus"] == "Succeeded"
        assert "FailureReason" not in execution
        assert "FailureReason" not in (await world.steps(arn))[1]
        assert len(world.jobs()) == 3

    in_a_world(scenario)


def test_a_cached_step_lends_its_result_until_it_expires() -> None:
    cached = {"CacheConfig": {"Enabled": True, "ExpireAfter": "T16m"}}
    step_a, step_b = a_processing("A", **cached), a_processing("B", arguments=[{"Get": "Parameters.P"}])
    step_b["Arguments"]["ProcessingInputs"] = [
        {
            "InputName": "in",
            "S3Input": {
                "S3Uri": {"Get": "Steps.A.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"},
                "LocalPath": "/opt/ml/processing/in",
                "S3DataType": "S3Prefix",
            },
        }
    ]
    definition = a_definition(step_a, step_b, parameters=[{"Name": "P", "Type": "String", "DefaultValue": "x"}])

    async def scenario(world: World) -> None:
        first = await world.start(definition)
        await world.end("A")
        await world.end("B")
        second = await world.again()
        steps = await world.steps(second)
        assert steps[0]["CacheHitResult"] == {"SourcePipelineExecutionArn": first}
        assert steps[0]["StepStatus"] == "Succeeded"
        assert (await world.job("B")).document["ProcessingInputs"][0]["S3Input"]["S3Uri"] == "s3://bucket/A"
        await world.end("B")
        world.clock.advance(17 * 60)
        third = await world.again()
        assert (await world.statuses(third)) == {"A": "Executing"}

    in_a_world(scenario)


def test_a_selective_execution_borrows_what_came_before() -> None:
    definition = a_definition(
        a_processing("A"), a_processing("B", DependsOn=["A"]), a_processing("C", DependsOn=["B"]), a_processing("Z")
    )

    async def scenario(world: World) -> None:
        source = await world.start(definition)
        for name in ("A", "B", "C", "Z"):
            await world.end(name)
        selection = {"SelectedSteps": [{"StepName": "B"}]}
        with pytest.raises(Invalid, match="Invalid SourcePipelineExecutionArn: null"):
            await world.again(SelectiveExecutionConfig=selection)
        arn = await world.again(SelectiveExecutionConfig={**selection, "SourcePipelineExecutionArn": source})
        await world.end("B")
        steps = await world.steps(arn)
        assert [(step["StepName"], step["StepStatus"]) for step in steps] == [("A", "Succeeded"), ("B", "Succeeded")]
        assert steps[0]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": source}
        assert await world.status(arn) == "Succeeded"
        with pytest.raises(Invalid, match="lie between"):
            await world.again(
                SelectiveExecutionConfig={
                    "SelectedSteps": [{"StepName": "A"}, {"StepName": "C"}],
                    "SourcePipelineExecutionArn": source,
                }
            )

    in_a_world(scenario)


def test_an_unreadable_property_file_fails_the_condition_and_says_why() -> None:
    async def scenario(world: World) -> None:
        arn = await world.start(QUICKSTART)
        await world.end("Preprocess")
        await world.end("Train")
        await world.put_json(EVALUATION, "accuracy: high")
        await world.end("Evaluate")
        gate = (await world.steps(arn))[-1]
        assert (gate["StepName"], gate["StepStatus"]) == ("Gate", "Failed")
        assert "evaluation.json: it is not valid JSON" in gate["FailureReason"]

    in_a_world(scenario)


def test_someone_elses_job_of_the_same_name_is_not_taken_over() -> None:
    async def scenario(world: World) -> None:
        plain_create = world._job

        async def squat(operation: str, request: Document) -> Document:
            if operation == "CreateProcessingJob" and not world.jobs():
                await plain_create(operation, {**request, "Tags": []})
            return await plain_create(operation, request)

        world._job = squat  # type: ignore[method-assign] # the world of this test has a squatter
        arn = await world.start(a_definition(a_processing("A")))
        (step,) = await world.steps(arn)
        assert step["StepStatus"] == "Failed"
        assert "already exists" in step["FailureReason"]

    in_a_world(scenario)


def test_job_names_keep_to_63_characters_and_hold_execution_and_step() -> None:
    async def scenario(world: World) -> None:
        arn = await world.start(a_definition(a_processing("A_" + "b" * 60)))
        (job,) = world.jobs()
        assert job.key.name.startswith(f"pipelines-{arn.rsplit('/', 1)[-1]}-A-bbbb")
        assert len(job.key.name) <= 63

    in_a_world(scenario)


def test_a_defect_in_an_operation_is_a_service_fault_and_the_controller_lives_on() -> None:
    async def scenario(world: World) -> None:
        world.errors["CreateProcessingJob"] = [KeyError("boom")]
        arn = await world.start(a_definition(a_processing("A")))
        world.clock.advance(1.0)
        await world.end("A")
        assert await world.status(arn) == "Succeeded"

    in_a_world(scenario)


def test_a_condition_without_a_fail_step_just_ends() -> None:
    definition = a_definition(a_condition("Gate", 1, 2, then=[a_processing("A")], otherwise=[]))

    async def scenario(world: World) -> None:
        arn = await world.start(definition)
        assert await world.status(arn) == "Succeeded"
        assert await world.statuses(arn) == {"Gate": "Succeeded"}

    in_a_world(scenario)


def test_steps_after_a_branch_that_was_not_taken_are_left_out() -> None:
    definition = a_definition(
        a_condition("Gate", 1, 2, then=[a_processing("A")], otherwise=[a_processing("B")]),
        a_processing("AfterA", DependsOn=["A"]),
        a_processing("AfterB", DependsOn=["B"]),
    )

    async def scenario(world: World) -> None:
        arn = await world.start(definition)
        await world.end("B")
        await world.end("AfterB")
        assert await world.status(arn) == "Succeeded"
        assert await world.statuses(arn) == {"Gate": "Succeeded", "B": "Succeeded", "AfterB": "Succeeded"}

    in_a_world(scenario)
