"""Pipelines as notebooks and courses write them with the SageMaker Python SDK 2.x."""

import itertools
import json
import tempfile
import threading
import time
from pathlib import Path

import boto3
import sagemaker
from botocore.exceptions import ClientError, WaiterError
from sagemaker import image_uris
from sagemaker.inputs import CreateModelInput, TrainingInput, TransformInput
from sagemaker.model import Model
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.processing import ProcessingOutput
from sagemaker.s3 import S3Downloader, S3Uploader
from sagemaker.sklearn import SKLearn, SKLearnModel
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.transformer import Transformer
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import (
    ConditionEquals,
    ConditionGreaterThan,
    ConditionGreaterThanOrEqualTo,
    ConditionIn,
    ConditionLessThanOrEqualTo,
    ConditionNot,
    ConditionOr,
)
from sagemaker.workflow.execution_variables import ExecutionVariables
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parallelism_config import ParallelismConfiguration
from sagemaker.workflow.parameters import ParameterBoolean, ParameterFloat, ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.workflow.selective_execution_config import SelectiveExecutionConfig
from sagemaker.workflow.step_collections import RegisterModel
from sagemaker.workflow.steps import CacheConfig, CreateModelStep, ProcessingStep, TrainingStep, TransformStep
from sdk2_promises import main, promise, refused, script, unique

HERE = tempfile.mkdtemp()
plain = sagemaker.Session()
bucket = plain.default_bucket()
role = sagemaker.get_execution_role()
client = boto3.client("sagemaker")
SKLEARN = image_uris.retrieve("sklearn", "us-east-1", version="1.2-1", instance_type="ml.m5.large")
DELAY = {"delay": 5, "max_attempts": 60}

_own = threading.local()


def session():
    """Return this thread's PipelineSession: one remembers the arguments of the last step it was asked for."""
    if not hasattr(_own, "session"):
        _own.session = PipelineSession()
    return _own.session


PREPARE = script(
    HERE,
    "prepare.py",
    """
    import argparse, json, os
    parser = argparse.ArgumentParser()
    parser.add_argument("--score", type=float, default=0.5)
    parser.add_argument("--note", default="")
    args = parser.parse_args()
    os.makedirs("/opt/ml/processing/report/deep", exist_ok=True)
    with open("/opt/ml/processing/report/deep/evaluation.json", "w") as file:
        json.dump({"metrics": {"auc": {"value": args.score}, "list": [{"name": "first"}], "kind": "good"}}, file)
    with open("/opt/ml/processing/train/rows.csv", "w") as file:
        file.write("1,2\\n3,4\\n")
    print("note", args.note)
    """,
)
TRAIN = script(
    HERE,
    "train.py",
    """
    import argparse, json, os
    def model_fn(model_dir):
        return json.load(open(os.path.join(model_dir, "model.json")))
    def input_fn(body, content_type):
        return [[float(v) for v in line.split(",")] for line in body.strip().splitlines()]
    def predict_fn(data, model):
        return [sum(row) * model["factor"] for row in data]
    def output_fn(prediction, accept):
        return "\\n".join(map(str, prediction)), "text/csv"
    if __name__ == "__main__":
        parser = argparse.ArgumentParser()
        parser.add_argument("--factor", type=float)
        args, rest = parser.parse_known_args()
        rows = open(os.environ["SM_CHANNEL_TRAIN"] + "/rows.csv").read().splitlines()
        json.dump({"factor": args.factor, "rows": len(rows)}, open(os.environ["SM_MODEL_DIR"] + "/model.json", "w"))
        print("rest", rest)
    """,
)
QUICK = script(HERE, "quick.py", "import sys, time\ntime.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 0)\n")
FAILING = script(HERE, "failing.py", "raise ValueError('this step cannot work')\n")


def processor(**more):
    return SKLearnProcessor(
        framework_version="1.2-1",
        role=role,
        instance_type="ml.m5.large",
        instance_count=1,
        sagemaker_session=session(),
        **more,
    )


def quick(name, code=QUICK, arguments=None, **more):
    return ProcessingStep(name=name, step_args=processor().run(code=code, arguments=arguments), **more)


def started(pipeline, **parameters):
    pipeline.upsert(role_arn=role)
    return pipeline.start(parameters=parameters or None)


def steps_of(execution):
    return {step["StepName"]: step for step in execution.list_steps()}


def statuses(execution):
    return {name: step["StepStatus"] for name, step in steps_of(execution).items()}


def failed(execution):
    """Wait for an execution that is to fail; return its description."""
    with refused(WaiterError):
        execution.wait(**DELAY)
    return execution.describe()


@promise
def the_course_pipeline_processes_trains_gates_registers_transforms_and_creates_a_model():
    score = ParameterFloat(name="Score", default_value=0.9)
    threshold = ParameterFloat(name="Threshold", default_value=0.8)
    count = ParameterInteger(name="InstanceCount", default_value=1)
    instance = ParameterString(name="InstanceType", default_value="ml.m5.large", enum_values=["ml.m5.large"])
    approval = ParameterString(name="ModelApprovalStatus", default_value="PendingManualApproval")
    note = ParameterString(name="Note", default_value="plain")
    flag = ParameterBoolean(name="Flag", default_value=True)
    group = unique("course")
    report = PropertyFile(name="Report", output_name="report", path="deep/evaluation.json")
    prepare = ProcessingStep(
        name="Prepare",
        step_args=SKLearnProcessor(
            framework_version="1.2-1",
            role=role,
            instance_type=instance,
            instance_count=count,
            base_job_name="prepare",
            sagemaker_session=session(),
            env={"FLAG": "x"},
        ).run(
            code=PREPARE,
            outputs=[
                ProcessingOutput(output_name="train", source="/opt/ml/processing/train"),
                ProcessingOutput(
                    output_name="report",
                    source="/opt/ml/processing/report",
                    destination=Join(
                        on="/", values=[f"s3://{bucket}", "reports", ExecutionVariables.PIPELINE_EXECUTION_ID]
                    ),
                ),
            ],
            arguments=["--score", score.to_string(), "--note", Join(on="-", values=["a", note, 1])],
        ),
        property_files=[report],
        display_name="Prepare the data",
        description="the first step",
    )
    estimator = SKLearn(
        entry_point=TRAIN,
        framework_version="1.2-1",
        instance_type=instance,
        role=role,
        hyperparameters={"factor": 10, "flag": flag, "note": note},
        sagemaker_session=session(),
        output_path=f"s3://{bucket}/course-models",
    )
    train = TrainingStep(
        name="Train",
        step_args=estimator.fit(
            {
                "train": TrainingInput(
                    prepare.properties.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri, content_type="text/csv"
                )
            }
        ),
    )
    model = SKLearnModel(
        model_data=train.properties.ModelArtifacts.S3ModelArtifacts,
        role=role,
        entry_point=TRAIN,
        framework_version="1.2-1",
        sagemaker_session=session(),
    )
    create = ModelStep(name="Create", step_args=model.create(instance_type="ml.m5.large"))
    transform = TransformStep(
        name="Transform",
        transformer=Transformer(
            model_name=create.properties.ModelName,
            instance_type="ml.m5.large",
            instance_count=1,
            output_path=f"s3://{bucket}/course-transform",
            accept="text/csv",
            assemble_with="Line",
        ),
        inputs=TransformInput(
            data=prepare.properties.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri,
            content_type="text/csv",
            split_type="Line",
        ),
    )
    metrics = ModelMetrics(
        model_statistics=MetricsSource(
            s3_uri=Join(
                on="/",
                values=[
                    prepare.properties.ProcessingOutputConfig.Outputs["report"].S3Output.S3Uri,
                    "deep/evaluation.json",
                ],
            ),
            content_type="application/json",
        )
    )
    register = ModelStep(
        name="Register",
        step_args=model.register(
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=["ml.t2.medium", "ml.m5.large"],
            transform_instances=["ml.m5.large"],
            model_package_group_name=group,
            approval_status=approval,
            model_metrics=metrics,
            description="made by a pipeline",
            customer_metadata_properties={"who": "the course"},
        ),
    )
    gate = ConditionStep(
        name="GoodEnough",
        conditions=[
            ConditionGreaterThanOrEqualTo(
                left=JsonGet(step_name=prepare.name, property_file=report, json_path="metrics.auc.value"),
                right=threshold,
            ),
            ConditionEquals(
                left=JsonGet(step_name=prepare.name, property_file=report, json_path="metrics.list[0].name"),
                right="first",
            ),
        ],
        if_steps=[create, transform, register],
        else_steps=[
            FailStep(
                name="NotGoodEnough",
                error_message=Join(
                    on=" ",
                    values=[
                        "The score",
                        score,
                        "is below",
                        threshold,
                        "in run",
                        ExecutionVariables.PIPELINE_EXECUTION_ID,
                    ],
                ),
            )
        ],
    )
    pipeline = Pipeline(
        name=group,
        parameters=[score, threshold, count, instance, approval, note, flag],
        steps=[prepare, train, gate],
        sagemaker_session=session(),
    )
    json.loads(pipeline.definition())
    pipeline.upsert(role_arn=role, tags=[{"Key": "course", "Value": "mlops"}], description="first")
    pipeline.upsert(role_arn=role, description="second")
    described = pipeline.describe()
    assert described["PipelineStatus"] == "Active"
    assert described["PipelineDescription"] == "second", described
    assert json.loads(described["PipelineDefinition"])["Steps"][0]["Name"] == "Prepare"
    good = pipeline.start(
        parameters={"Note": "given", "ModelApprovalStatus": "Approved"},
        execution_display_name="good-run",
        execution_description="passes",
    )
    bad = pipeline.start(parameters={"Score": 0.3})
    good.wait(**DELAY)
    assert good.describe()["PipelineExecutionStatus"] == "Succeeded"
    assert good.describe()["PipelineExecutionDisplayName"] == "good-run"
    steps = steps_of(good)
    assert set(steps) == {
        "Prepare",
        "Train",
        "GoodEnough",
        "Create-CreateModel",
        "Transform",
        "Register-RegisterModel",
    } or set(steps) >= {"Prepare", "Train", "GoodEnough", "Transform"}, set(steps)
    assert steps["Prepare"]["StepDisplayName"] == "Prepare the data"
    assert steps["GoodEnough"]["Metadata"]["Condition"]["Outcome"] == "True"
    job = client.describe_training_job(TrainingJobName=steps["Train"]["Metadata"]["TrainingJob"]["Arn"].split("/")[-1])
    assert json.loads(job["HyperParameters"]["flag"]) in (True, "True", "true"), job["HyperParameters"]
    assert "given" in job["HyperParameters"]["note"], job["HyperParameters"]
    processing = client.describe_processing_job(
        ProcessingJobName=steps["Prepare"]["Metadata"]["ProcessingJob"]["Arn"].split("/")[-1]
    )
    assert processing["AppSpecification"]["ContainerArguments"] == ["--score", "0.9", "--note", "a-given-1"]
    run_id = good.arn.rsplit("/", 1)[-1]
    assert S3Downloader.list(f"s3://{bucket}/reports/{run_id}") == [
        f"s3://{bucket}/reports/{run_id}/deep/evaluation.json"
    ]
    assert S3Downloader.read_file(f"s3://{bucket}/course-transform/rows.csv.out").split() == ["30.0", "70.0"]
    packages = client.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert [one["ModelPackageVersion"] for one in packages] == [1]
    package = client.describe_model_package(ModelPackageName=packages[0]["ModelPackageArn"])
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["CustomerMetadataProperties"] == {"who": "the course"}
    assert package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].endswith(f"{run_id}/deep/evaluation.json")
    end = failed(bad)
    assert end["PipelineExecutionStatus"] == "Failed"
    steps = steps_of(bad)
    bad_id = bad.arn.rsplit("/", 1)[-1]
    message = f"The score 0.3 is below 0.8 in run {bad_id}"
    assert steps["NotGoodEnough"]["FailureReason"] == message, steps["NotGoodEnough"]
    assert steps["NotGoodEnough"]["Metadata"]["Fail"]["ErrorMessage"] == message
    assert steps["NotGoodEnough"]["StepStatus"] == "Failed"
    assert steps["GoodEnough"]["Metadata"]["Condition"]["Outcome"] == "False"
    assert not any("Register" in name for name in steps), set(steps)
    assert "NotGoodEnough" in end["FailureReason"] or message in end["FailureReason"], end
    assert len(client.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]) == 1
    executions = pipeline.list_executions(sort_by="CreationTime", sort_order="Descending")
    rows = executions["PipelineExecutionSummaries"]
    assert [row["PipelineExecutionStatus"] for row in rows] == ["Failed", "Succeeded"]
    told = client.list_pipeline_parameters_for_execution(PipelineExecutionArn=bad.arn)["PipelineParameters"]
    assert {"Name": "Score", "Value": "0.3"} in told, told
    tags = client.list_tags(ResourceArn=described["PipelineArn"])["Tags"]
    assert tags == [{"Key": "course", "Value": "mlops"}], tags
    pipeline.delete()
    with refused(ClientError) as errors:
        pipeline.describe()
    assert "does not exist" in str(errors[0]), errors


@promise
def conditions_of_every_kind_are_decided():
    word = ParameterString(name="Word", default_value="b")
    number = ParameterInteger(name="Number", default_value=5)
    flag = ParameterBoolean(name="Flag", default_value=False)
    conditions = {
        "In": (ConditionIn(value=word, in_values=["a", "b"]), True),
        "NotIn": (ConditionNot(ConditionIn(value=word, in_values=["a", "b"])), False),
        "Or": (
            ConditionOr(
                conditions=[
                    ConditionGreaterThan(left=number, right=9),
                    ConditionLessThanOrEqualTo(left=number, right=5),
                ]
            ),
            True,
        ),
        "Flag": (ConditionEquals(left=flag, right=True), False),
        "Number": (ConditionEquals(left=number, right=5), True),
        "Name": (ConditionEquals(left=ExecutionVariables.PIPELINE_NAME, right="another"), False),
    }
    branches = []
    for name, (condition, _) in conditions.items():
        inner = ConditionStep(
            name=f"{name}Inner",
            conditions=[ConditionEquals(left=number, right=6)],
            if_steps=[],
            else_steps=[],
        )
        branches.append(ConditionStep(name=name, conditions=[condition], if_steps=[inner], else_steps=[]))
    pipeline = Pipeline(
        name=unique("conditions"), parameters=[word, number, flag], steps=branches, sagemaker_session=session()
    )
    execution = started(pipeline)
    execution.wait(**DELAY)
    steps = steps_of(execution)
    for name, (_, expected) in conditions.items():
        assert steps[name]["Metadata"]["Condition"]["Outcome"] == str(expected), (name, steps[name])
        assert (f"{name}Inner" in steps) == expected, (name, set(steps))
    with refused(ClientError) as errors:
        pipeline.start(parameters={"Number": "many"})
    assert "Number" in str(errors[0]), errors
    with refused(ClientError) as errors:
        pipeline.start(parameters={"Unknown": 1})
    assert "Unknown" in str(errors[0]), errors


@promise
def a_step_is_taken_from_the_cache_while_it_is_fresh():
    cached = quick("Cached", cache_config=CacheConfig(enable_caching=True, expire_after="PT1H"))
    also = quick("NotCached")
    also.add_depends_on([cached])
    pipeline = Pipeline(name=unique("cache"), steps=[cached, also], sagemaker_session=session())
    first = started(pipeline)
    first.wait(**DELAY)
    second = pipeline.start()
    second.wait(**DELAY)
    before, after = steps_of(first), steps_of(second)
    assert "CacheHitResult" not in before["Cached"], before["Cached"]
    assert after["Cached"]["CacheHitResult"]["SourcePipelineExecutionArn"] == first.arn, after["Cached"]
    assert after["Cached"]["Metadata"] == before["Cached"]["Metadata"]
    assert "CacheHitResult" not in after["NotCached"]
    assert after["NotCached"]["Metadata"] != before["NotCached"]["Metadata"]


@promise
def selected_steps_run_again_on_what_an_earlier_execution_left():
    one, two = quick("One"), quick("Two", depends_on=["One"])
    three = quick("Three", arguments=["0", two.properties.ProcessingJobName])
    pipeline = Pipeline(name=unique("selected"), steps=[one, two, three], sagemaker_session=session())
    whole = started(pipeline)
    whole.wait(**DELAY)
    again = pipeline.start(
        selective_execution_config=SelectiveExecutionConfig(
            selected_steps=["Three"], source_pipeline_execution_arn=whole.arn
        )
    )
    again.wait(**DELAY)
    before, after = steps_of(whole), steps_of(again)
    assert {name for name, step in after.items() if "SelectiveExecutionResult" not in step} == {"Three"}, after
    assert after["Three"]["Metadata"] != before["Three"]["Metadata"]
    arguments = client.describe_processing_job(
        ProcessingJobName=after["Three"]["Metadata"]["ProcessingJob"]["Arn"].split("/")[-1]
    )["AppSpecification"]["ContainerArguments"]
    assert arguments[1].lower() == before["Two"]["Metadata"]["ProcessingJob"]["Arn"].split("/")[-1], arguments
    with refused(ClientError) as errors:
        pipeline.start(selective_execution_config=SelectiveExecutionConfig(selected_steps=["Four"]))
    assert "no step 'Four'" in str(errors[0]), errors


@promise
def a_failing_step_fails_the_execution_and_what_depends_on_it_does_not_run():
    bad = ProcessingStep(
        name="Bad",
        step_args=processor().run(code=FAILING),
        retry_policies=[
            StepRetryPolicy(
                exception_types=[StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING],
                interval_seconds=1,
                max_attempts=2,
                backoff_rate=2.0,
            ),
            SageMakerJobStepRetryPolicy(
                exception_types=[SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT], interval_seconds=1, expire_after_mins=5
            ),
        ],
    )
    after = quick("After", depends_on=[bad])
    beside = quick("Beside")
    pipeline = Pipeline(name=unique("failing"), steps=[bad, after, beside], sagemaker_session=session())
    execution = started(pipeline)
    end = failed(execution)
    assert end["PipelineExecutionStatus"] == "Failed"
    assert "Bad" in end["FailureReason"], end["FailureReason"]
    steps = steps_of(execution)
    assert steps["Bad"]["StepStatus"] == "Failed"
    assert "ValueError: this step cannot work" in steps["Bad"]["FailureReason"], steps["Bad"]["FailureReason"]
    assert "After" not in steps, set(steps)
    retried = client.retry_pipeline_execution(PipelineExecutionArn=execution.arn, ClientRequestToken="t" * 32)
    assert retried["PipelineExecutionArn"] == execution.arn
    failed(execution)


@promise
def an_execution_is_stopped_and_its_jobs_with_it():
    slow = quick("Slow", arguments=["600"])
    never = quick("Never", depends_on=["Slow"])
    pipeline = Pipeline(name=unique("stopped"), steps=[slow, never], sagemaker_session=session())
    execution = started(pipeline)
    deadline = time.time() + 60
    while "Metadata" not in steps_of(execution).get("Slow", {}) and time.time() < deadline:
        time.sleep(0.3)
    execution.stop()
    while execution.describe()["PipelineExecutionStatus"] == "Stopping" and time.time() < deadline + 60:
        time.sleep(0.3)
    assert execution.describe()["PipelineExecutionStatus"] == "Stopped"
    steps = steps_of(execution)
    assert steps["Slow"]["StepStatus"] == "Stopped", steps
    assert "Never" not in steps, steps
    name = steps["Slow"]["Metadata"]["ProcessingJob"]["Arn"].split("/")[-1]
    assert client.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "Stopped"
    with refused(ClientError):
        execution.stop()


@promise
def parallelism_and_dependencies_order_the_steps():
    steps = [quick(f"Step{n}") for n in range(4)]
    last = quick("Last", depends_on=steps)
    pipeline = Pipeline(name=unique("parallel"), steps=[last, *steps], sagemaker_session=session())
    pipeline.create(role_arn=role, parallelism_config=ParallelismConfiguration(1))
    with refused(ClientError) as errors:
        pipeline.create(role_arn=role)
    assert "already exists" in str(errors[0]), errors
    execution = pipeline.start(parallelism_config={"MaxParallelExecutionSteps": 1})
    execution.wait(**DELAY)
    told = steps_of(execution)
    times = sorted((step["StartTime"], step["EndTime"]) for step in told.values())
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(times)), times
    assert max(step["StartTime"] for step in told.values()) == told["Last"]["StartTime"]
    assert execution.list_steps()[0]["StepName"] == "Last"


@promise
def the_older_classes_register_and_create_models():
    group = unique("older")
    data = S3Uploader.upload_string_as_file_body("1,2\n", f"s3://{bucket}/older/rows.csv") or (
        f"s3://{bucket}/older/rows.csv"
    )
    estimator = SKLearn(
        entry_point=TRAIN,
        framework_version="1.2-1",
        instance_type="ml.m5.large",
        role=role,
        hyperparameters={"factor": 2},
        sagemaker_session=plain,
    )
    train = TrainingStep(
        name="Train",
        estimator=estimator,
        inputs={"train": TrainingInput(s3_data=data, content_type="text/csv")},
        cache_config=CacheConfig(enable_caching=True, expire_after="30d"),
    )
    model = Model(
        image_uri=SKLEARN,
        model_data=train.properties.ModelArtifacts.S3ModelArtifacts,
        sagemaker_session=plain,
        role=role,
    )
    create = CreateModelStep(
        name="Create", model=model, inputs=CreateModelInput(instance_type="ml.m5.large", accelerator_type=None)
    )
    register = RegisterModel(
        name="Register",
        estimator=estimator,
        model_data=train.properties.ModelArtifacts.S3ModelArtifacts,
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.t2.medium"],
        transform_instances=["ml.m5.large"],
        model_package_group_name=group,
        approval_status="Approved",
    )
    pipeline = Pipeline(name=group, steps=[train, create, register], sagemaker_session=plain)
    execution = started(pipeline)
    execution.wait(**DELAY)
    steps = steps_of(execution)
    assert all(step["StepStatus"] == "Succeeded" for step in steps.values())
    arn = next(
        step["Metadata"]["RegisterModel"]["Arn"] for step in steps.values() if "RegisterModel" in step["Metadata"]
    )
    assert client.describe_model_package(ModelPackageName=arn)["ModelPackageGroupName"] == group
    name = steps["Create"]["Metadata"]["Model"]["Arn"].split("/")[-1]
    assert client.describe_model(ModelName=name)["PrimaryContainer"]["Image"] == SKLEARN


@promise
def a_repacked_model_is_registered_and_deployed():
    group = unique("repack")
    data = f"s3://{bucket}/repack/rows.csv"
    S3Uploader.upload_string_as_file_body("1,2\n", data)
    estimator = SKLearn(
        entry_point=TRAIN,
        framework_version="1.2-1",
        instance_type="ml.m5.large",
        role=role,
        hyperparameters={"factor": 3},
        sagemaker_session=session(),
    )
    train = TrainingStep(name="Train", step_args=estimator.fit({"train": data}))
    source = Path(HERE) / "repack"
    script(source, "inference.py", Path(TRAIN).read_text())
    model = Model(
        image_uri=SKLEARN,
        model_data=train.properties.ModelArtifacts.S3ModelArtifacts,
        entry_point="inference.py",
        source_dir=str(source),
        role=role,
        sagemaker_session=session(),
    )
    register = ModelStep(
        name="Register",
        step_args=model.register(
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=["ml.m5.large"],
            model_package_group_name=group,
            approval_status="Approved",
        ),
    )
    pipeline = Pipeline(name=group, steps=[train, register], sagemaker_session=session())
    execution = started(pipeline)
    execution.wait(**DELAY)
    steps = steps_of(execution)
    assert "Register-RepackModel-0" in steps, set(steps)
    from sagemaker import ModelPackage
    from sagemaker.predictor import Predictor
    from sagemaker.serializers import CSVSerializer

    arn = steps["Register-RegisterModel"]["Metadata"]["RegisterModel"]["Arn"]
    packaged = ModelPackage(role=role, model_package_arn=arn, sagemaker_session=plain)
    packaged.predictor_cls = Predictor
    predictor = packaged.deploy(initial_instance_count=1, instance_type="ml.m5.large")
    predictor.serializer = CSVSerializer()
    assert predictor.predict([1, 2]) == b"9.0"
    predictor.delete_endpoint()


@promise
def definitions_that_make_no_sense_and_steps_that_are_not_there_are_refused():
    def definition(*steps, parameters=()):
        return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": list(parameters), "Steps": steps})

    fail = {"Name": "Fail", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
    for text, expected in (
        ("{", "parse"),
        (definition({**fail, "DependsOn": ["Ghost"]}), "Ghost"),
        (definition(fail, fail), "Fail"),
        (definition({"Name": "L", "Type": "Lambda", "Arguments": {}, "FunctionArn": "arn:x"}), "Lambda"),
        (definition({"Name": "T", "Type": "Tuning", "Arguments": {}}), "Tuning"),
        (definition({**fail, "Arguments": {"ErrorMessage": {"Get": "Parameters.Nobody"}}}), "Nobody"),
    ):
        with refused(ClientError) as errors:
            client.create_pipeline(
                PipelineName=unique("wrong"), PipelineDefinition=text, RoleArn=role, ClientRequestToken="x" * 32
            )
        assert expected in str(errors[0]), (expected, errors)
    pipeline = Pipeline(
        name=unique("fails"), steps=[FailStep(name="Stop", error_message="as wished")], sagemaker_session=session()
    )
    execution = started(pipeline)
    failed(execution)
    assert steps_of(execution)["Stop"]["FailureReason"] == "as wished"
    updated = pipeline.update(role_arn=role, description="changed")
    assert updated["PipelineArn"].endswith(pipeline.name)
    assert pipeline.describe()["PipelineDescription"] == "changed"
    names = [
        row["PipelineName"] for row in client.list_pipelines(PipelineNamePrefix=pipeline.name)["PipelineSummaries"]
    ]
    assert names == [pipeline.name]
    assert client.describe_pipeline_definition_for_execution(PipelineExecutionArn=execution.arn)["PipelineDefinition"]
    assert len(client.list_pipeline_versions(PipelineName=pipeline.name)["PipelineVersionSummaries"]) >= 1


if __name__ == "__main__":
    main()
