"""Jobs: what a new one holds, what is refused in which words, stopping, forgetting."""

import asyncio
import copy
from typing import Any

import pytest
from tests.conformance.world import BUCKET, ROLE, XGBOOST, World, a_processing_job, a_training_job, a_transform_job
from tests.fakes.house import ACCOUNT, REGION

from sagehouse.domain.jobs.job import Job
from sagehouse.domain.lifecycle import PROCESSING_JOB, TRAINING_JOB, TRANSFORM_JOB, Lifecycle
from sagehouse.kit.document import Document
from sagehouse.kit.errors import InUse, Invalid, LimitExceeded
from sagehouse.ports.catalog import Key
from sagehouse.resources.transition import transition

ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"


def changed(request: Document, path: str, value: Any) -> Document:
    """The request with one member changed; None takes it out."""
    after = copy.deepcopy(request)
    *parents, last = path.split(".")
    place: Any = after
    for part in parents:
        place = place[int(part)] if part.isdigit() else place.setdefault(part, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return after


def ended(world: World, lifecycle: Lifecycle, name: str, status: str) -> None:
    async def end() -> None:
        key = Key(account=ACCOUNT, region=REGION, kind=lifecycle.kind, name=name)
        stored = await world.house.catalog.get(key)
        assert stored is not None
        await transition(
            world.house.catalog, lifecycle, stored, to=status, document=stored.document, now=1.0, who="test", why="test"
        )

    asyncio.run(end())


def test_a_new_training_job_is_described_with_the_defaults_that_sdks_index() -> None:
    world = World()
    world.ask("CreateTrainingJob", **changed(a_training_job("Job"), "HyperParameters", None))
    told = world.ask("DescribeTrainingJob", TrainingJobName="Job")
    created = world.now - 1
    expected = {
        "TrainingJobArn": ARN + "training-job/job",
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
        "SecondaryStatusTransitions": [
            {"Status": "Starting", "StartTime": created, "StatusMessage": "Starting the training job"}
        ],
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": False,
        "HyperParameters": {},
        "OutputDataConfig": {"KmsKeyId": "", "CompressionType": "GZIP", "S3OutputPath": f"s3://{BUCKET}/out"},
        "ModelArtifacts": {"S3ModelArtifacts": f"s3://{BUCKET}/out/Job/output/model.tar.gz"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "LastModifiedTime": created,
    }
    assert {member: told[member] for member in expected} == expected
    assert told["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataDistributionType"] == "FullyReplicated"


def test_a_new_training_job_is_one_the_controller_can_read_and_was_woken_for() -> None:
    world = World()
    world.ask("CreateTrainingJob", **a_training_job("Job"))
    (stored,) = asyncio.run(world.house.catalog.with_status("TrainingJob", ["InProgress"]))
    assert Job.from_document(TRAINING_JOB, stored.document).status == "InProgress"
    assert stored.key in world.house.wake.keys


def test_built_in_algorithms_come_with_their_metrics() -> None:
    world = World()
    request = changed(a_training_job("job"), "AlgorithmSpecification.TrainingImage", XGBOOST)
    request["HyperParameters"] = {"num_round": "10", "objective": "binary:logistic"}
    world.ask("CreateTrainingJob", **request)
    definitions = world.ask("DescribeTrainingJob", TrainingJobName="job")["AlgorithmSpecification"]["MetricDefinitions"]
    assert "validation:auc" in [definition["Name"] for definition in definitions]


def test_hyperparameters_of_a_built_in_algorithm_are_judged_before_the_job_starts() -> None:
    world = World()
    request = changed(a_training_job("job"), "AlgorithmSpecification.TrainingImage", XGBOOST)
    request["HyperParameters"] = {"num_round": "10", "eta": "7"}
    with pytest.raises(Invalid, match="eta"):
        world.ask("CreateTrainingJob", **request)
    own_command = changed(request, "AlgorithmSpecification.ContainerEntrypoint", ["python", "x.py"])
    world.ask("CreateTrainingJob", **own_command)
    script = {**request, "TrainingJobName": "script", "HyperParameters": {"sagemaker_program": "t.py", "eta": "7"}}
    world.ask("CreateTrainingJob", **script)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("AlgorithmSpecification.TrainingImage", "myrepo/nothing:1", "myrepo/nothing:1"),
        ("AlgorithmSpecification.TrainingImage", None, "TrainingImage is required"),
        ("AlgorithmSpecification", None, "AlgorithmSpecification is required"),
        ("ResourceConfig", None, "ResourceConfig is required"),
        ("ResourceConfig.InstanceCount", 0, "InstanceCount of at least 1"),
        ("ResourceConfig.InstanceGroups", [], ""),
        ("EnableManagedSpotTraining", True, "Invalid MaxWaitTimeInSeconds. It must be present and be greater than"),
        ("RoleArn", "arn:aws:iam::000000000001:role/Other", ""),
        ("OutputDataConfig.S3OutputPath", "s3://nowhere/out", 'The S3 bucket "nowhere" of'),
        ("OutputDataConfig.S3OutputPath", "https://x/out", "https://x/out"),
        ("CheckpointConfig", {"S3Uri": "s3://nowhere/c"}, 'The S3 bucket "nowhere" of CheckpointConfig.S3Uri'),
        ("InputDataConfig.0.InputMode", "Pipe", "does not implement InputDataConfig[].InputMode Pipe"),
        ("VpcConfig", {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}, ""),
        ("TensorBoardOutputConfig", {"S3OutputPath": "s3://x/y"}, "does not implement TensorBoardOutputConfig"),
        (
            "AlgorithmSpecification.MetricDefinitions",
            [{"Name": "loss", "Regex": "loss=([0-9"}],
            "Metric 'loss': 'loss=([0-9' is no regex",
        ),
    ],
)
def test_a_training_job_that_cannot_be_is_refused(path: str, value: Any, words: str) -> None:
    world = World()
    request = changed(a_training_job("job"), path, value)
    if not words:
        world.ask("CreateTrainingJob", **request)
        return
    with pytest.raises(Invalid) as error:
        world.ask("CreateTrainingJob", **request)
    assert words in error.value.message
    assert asyncio.run(world.house.catalog.with_status("TrainingJob", ["InProgress"])) == []


def test_an_empty_input_prefix_is_refused_in_awss_words() -> None:
    world = World()
    request = changed(a_training_job("job"), "InputDataConfig.0.DataSource.S3DataSource.S3Uri", f"s3://{BUCKET}/none/")
    with pytest.raises(Invalid) as error:
        world.ask("CreateTrainingJob", **request)
    assert error.value.message == (
        f'No S3 objects found under S3 URL "s3://{BUCKET}/none/" given in input data source. Please ensure that the '
        "bucket exists in the selected region (us-east-1), that objects exist under that S3 prefix, and that the role "
        f'"{ROLE}" has "s3:ListBucket" permissions on bucket "{BUCKET}".'
    )


def test_channel_names_are_unique() -> None:
    world = World()
    request = a_training_job("job")
    request["InputDataConfig"] *= 2
    with pytest.raises(Invalid, match="channel names must be unique, 'train'"):
        world.ask("CreateTrainingJob", **request)


def test_a_role_that_does_not_trust_sagemaker_cannot_be_assumed() -> None:
    world = World()
    from sagehouse.ports.catalog import Insert

    key = Key(account=ACCOUNT, region="", kind="iam:Role", name="SageMakerRole")
    trust = '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}]}'
    document = {"AssumeRolePolicyDocument": trust}
    asyncio.run(world.house.catalog.write(Insert(key=key, arn=ROLE, document=document, now=1.0)))
    with pytest.raises(Invalid, match=f"Could not assume role {ROLE}"):
        world.ask("CreateTrainingJob", **a_training_job("job"))


@pytest.mark.parametrize(
    ("operation", "request_", "noun", "resource"),
    [
        ("CreateTrainingJob", a_training_job("job"), "Training job names", "training-job"),
        ("CreateProcessingJob", a_processing_job("job"), "Job name", "processing-job"),
        ("CreateTransformJob", a_transform_job("job"), "Job name", "transform-job"),
    ],
)
def test_a_jobs_name_is_taken_in_awss_words(operation: str, request_: Document, noun: str, resource: str) -> None:
    world = World()
    world.ask(operation, **request_)
    with pytest.raises(InUse) as error:
        world.ask(operation, **request_)
    what = "a training job" if resource == "training-job" else "a job"
    assert error.value.message == (
        f"{noun} must be unique within an AWS account and region, and {what} with this name already exists "
        f"({ARN}{resource}/job)"
    )


@pytest.mark.parametrize("kind", ["TrainingJob", "ProcessingJob"])
def test_a_missing_job_is_not_found_in_awss_words(kind: str) -> None:
    with pytest.raises(Invalid, match=r"^Requested resource not found\.$"):
        World().ask(f"Describe{kind}", **{f"{kind}Name": "none"})


JOBS = pytest.mark.parametrize(
    ("lifecycle", "request_"),
    [
        (TRAINING_JOB, a_training_job("job")),
        (PROCESSING_JOB, a_processing_job("job")),
        (TRANSFORM_JOB, a_transform_job("job")),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)


@JOBS
def test_stopping_moves_the_job_and_wakes_and_again_is_no_error(lifecycle: Lifecycle, request_: Document) -> None:
    world = World()
    world.ask(f"Create{lifecycle.kind}", **request_)
    for _ in range(2):
        assert world.ask(f"Stop{lifecycle.kind}", **{f"{lifecycle.kind}Name": "JOB"}) == {}
    told = world.ask(f"Describe{lifecycle.kind}", **{f"{lifecycle.kind}Name": "job"})
    assert told[lifecycle.status_member] == "Stopping"
    assert world.house.wake.names == ["job"] * 3


@JOBS
def test_a_job_that_has_ended_cannot_be_stopped(lifecycle: Lifecycle, request_: Document) -> None:
    world = World()
    world.ask(f"Create{lifecycle.kind}", **request_)
    ended(world, lifecycle, "job", "Completed")
    with pytest.raises(Invalid) as error:
        world.ask(f"Stop{lifecycle.kind}", **{f"{lifecycle.kind}Name": "job"})
    noun = lifecycle.kind.removesuffix("Job").lower()
    assert error.value.message == f"The request was rejected because the {noun} job is in status Completed."


@pytest.mark.parametrize(
    ("lifecycle", "request_"), [(TRAINING_JOB, a_training_job("job")), (PROCESSING_JOB, a_processing_job("job"))]
)
def test_only_a_job_that_has_ended_can_be_deleted(lifecycle: Lifecycle, request_: Document) -> None:
    world = World()
    name = {f"{lifecycle.kind}Name": "job"}
    world.ask(f"Create{lifecycle.kind}", **request_)
    with pytest.raises(InUse, match="in status InProgress"):
        world.ask(f"Delete{lifecycle.kind}", **name)
    ended(world, lifecycle, "job", "Failed")
    world.ask(f"Delete{lifecycle.kind}", **name)
    with pytest.raises(Invalid):
        world.ask(f"Describe{lifecycle.kind}", **name)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (
            "ProcessingInputs.0.S3Input.LocalPath",
            "/tmp/x",
            "must be an absolute path that begins with",
        ),
        ("ProcessingInputs.0.S3Input.LocalPath", "/opt/ml/processing/../x", "begins with /opt/ml/processing"),
        ("ProcessingInputs.0.S3Input.LocalPath", None, "LocalPath is required unless AppManaged"),
        ("ProcessingInputs.0.S3Input.S3Uri", "s3://nowhere/x", "No S3 objects found"),
        ("ProcessingInputs.0.S3Input", None, "S3Input is required"),
        ("ProcessingOutputConfig.Outputs.0.S3Output.S3Uri", "s3://nowhere/x", 'The S3 bucket "nowhere"'),
        ("AppSpecification.ImageUri", "nothing", "'nothing'"),
    ],
)
def test_a_processing_job_that_cannot_be_is_refused(path: str, value: Any, words: str) -> None:
    with pytest.raises(Invalid) as error:
        World().ask("CreateProcessingJob", **changed(a_processing_job("job"), path, value))
    assert words in error.value.message


def test_names_and_paths_of_processing_inputs_are_unique() -> None:
    request = a_processing_job("job")
    request["ProcessingInputs"].append({**request["ProcessingInputs"][0], "InputName": "other"})
    with pytest.raises(Invalid, match="LocalPath must be unique"):
        World().ask("CreateProcessingJob", **request)
    request["ProcessingInputs"][1]["InputName"] = "code"
    with pytest.raises(Invalid, match="InputName must be unique, 'code'"):
        World().ask("CreateProcessingJob", **request)


def test_what_the_application_manages_itself_needs_no_place() -> None:
    request = a_processing_job("job")
    request["ProcessingInputs"].append({"InputName": "own", "AppManaged": True})
    request["ProcessingOutputConfig"]["Outputs"].append({"OutputName": "own", "AppManaged": True})
    World().ask("CreateProcessingJob", **request)


def test_a_processing_job_without_inputs_and_outputs_still_tells_lists() -> None:
    world = World()
    request = changed(a_processing_job("job"), "ProcessingInputs", None)
    world.ask("CreateProcessingJob", **changed(request, "ProcessingOutputConfig", None))
    told = world.ask("DescribeProcessingJob", ProcessingJobName="job")
    assert (told["ProcessingInputs"], told["ProcessingOutputConfig"]) == ([], {"Outputs": []})


def test_a_transform_needs_its_model_and_its_input() -> None:
    world = World()
    with pytest.raises(Invalid, match=f'Could not find model "{ARN}model/none"'):
        world.ask("CreateTransformJob", **a_transform_job("job", ModelName="none"))
    path = "TransformInput.DataSource.S3DataSource.S3Uri"
    with pytest.raises(Invalid, match="No S3 objects found"):
        world.ask("CreateTransformJob", **changed(a_transform_job("job"), path, f"s3://{BUCKET}/none"))
    world.ask("CreateTransformJob", **a_transform_job("job"))
    told = world.ask("DescribeTransformJob", TransformJobName="job")
    assert told["DataProcessing"] == {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}
    assert told["TransformOutput"] == {
        "AssembleWith": "None",
        "KmsKeyId": "",
        "S3OutputPath": f"s3://{BUCKET}/predictions",
    }


@pytest.mark.parametrize(
    ("operation", "request_", "path", "value"),
    [
        ("CreateTrainingJob", a_training_job("Job"), "ResourceConfig.InstanceCount", 101),
        (
            "CreateTrainingJob",
            a_training_job("Job"),
            "ResourceConfig",
            {
                "VolumeSizeInGB": 1,
                "InstanceGroups": [{"InstanceType": "ml.m5.large", "InstanceCount": 101, "InstanceGroupName": "g"}],
            },
        ),
        ("CreateTransformJob", a_transform_job("Job"), "TransformResources.InstanceCount", 10_000_000),
    ],
)
def test_more_instances_than_a_machine_can_be_are_beyond_the_limit(
    operation: str, request_: Document, path: str, value: Any
) -> None:
    """Ten million hosts were named one by one before anything else was answered."""
    with pytest.raises(LimitExceeded, match=r"^The account-level service limit 'ml\.\S+ for \w+ job usage' is 100 "):
        World().ask(operation, **changed(request_, path, value))
