"""A pipeline with the SageMaker Python SDK 3.x: process, train, evaluate, gate, register and create the model.

An ordinary program of the SDK. What it finds it prints as lines "name: JSON".
"""

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from botocore.exceptions import ClientError, WaiterError
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.processing import FrameworkProcessor, ScriptProcessor
from sagemaker.core.resources import ModelPackage, PipelineExecution
from sagemaker.core.resources import Pipeline as PipelineResource
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.training.configs import Compute, InputData, SourceCode
from sagemaker.core.transformer import Transformer
from sagemaker.core.workflow.conditions import (
    ConditionEquals,
    ConditionGreaterThan,
    ConditionGreaterThanOrEqualTo,
    ConditionIn,
    ConditionLessThan,
    ConditionNot,
    ConditionOr,
)
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterBoolean, ParameterFloat, ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.parallelism_config import ParallelismConfiguration
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TrainingStep, TransformStep
from sagemaker.mlops.workflow.triggers import PipelineSchedule
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer

NAME = "sdk3-pipeline"
SESSION = Session()
PIPELINE_SESSION = PipelineSession()
ROLE = get_execution_role(SESSION)
BUCKET = SESSION.default_bucket()
SKLEARN = image_uris.retrieve("sklearn", SESSION.boto_region_name, version="1.2-1", instance_type="ml.m5.large")
GROUP = "sdk3-pipeline-models"
BASE = "/opt/ml/processing"

SPLIT = f"""
import pathlib, sys
lines = [line for path in sorted(pathlib.Path("{BASE}/input/raw").glob("*.csv")) for line in path.read_text().split()]
cut = int(len(lines) * float(sys.argv[sys.argv.index("--share") + 1]))
for name, part in (("train", lines[:cut]), ("test", lines[cut:])):
    pathlib.Path("{BASE}", name).mkdir(parents=True, exist_ok=True)
    pathlib.Path("{BASE}", name, name + ".csv").write_text("\\n".join(part))
"""
TRAIN = """
import argparse, os
import joblib, numpy as np
from sklearn.tree import DecisionTreeClassifier

parser = argparse.ArgumentParser()
parser.add_argument("--max-depth", type=int)
parser.add_argument("--origin")
arguments = parser.parse_args()
print("origin", arguments.origin)
table = np.loadtxt(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "train.csv"), delimiter=",")
model = DecisionTreeClassifier(max_depth=arguments.max_depth).fit(table[:, 1:], table[:, 0])
joblib.dump(model, os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
"""
EVALUATE = f"""
import json, pathlib, tarfile
import joblib, numpy as np

tarfile.open("{BASE}/input/model/model.tar.gz").extractall("model")
table = np.loadtxt("{BASE}/input/test/test.csv", delimiter=",")
accuracy = float(joblib.load("model/model.joblib").score(table[:, 1:], table[:, 0]))
pathlib.Path("{BASE}/evaluation").mkdir(parents=True, exist_ok=True)
report = {{"metrics": {{"accuracy": {{"value": accuracy}}}}}}
pathlib.Path("{BASE}/evaluation/evaluation.json").write_text(json.dumps(report))
"""
INFERENCE = """
import os, joblib
def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))
"""


def tell(name: str, value: object) -> None:
    print(f"\n{name}: {json.dumps(value, default=str)}")


def write(directory: Path, files: dict[str, str]) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    return str(directory)


def an_input(name: str, uri: object) -> ProcessingInput:
    s3 = ProcessingS3Input(s3_uri=uri, local_path=f"{BASE}/input/{name}", s3_data_type="S3Prefix", s3_input_mode="File")
    return ProcessingInput(input_name=name, s3_input=s3)


def an_output(name: str, uri: object = "default") -> ProcessingOutput:
    s3 = ProcessingS3Output(s3_uri=uri, local_path=f"{BASE}/{name}", s3_upload_mode="EndOfJob")
    return ProcessingOutput(output_name=name, s3_output=s3)


def output_of(step: ProcessingStep, name: str) -> object:
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


def a_pipeline(work: Path, raw: str) -> Pipeline:
    share = ParameterFloat(name="Share", default_value=0.75)
    depth = ParameterInteger(name="Depth", default_value=3)
    wanted = ParameterFloat(name="Wanted", default_value=0.8)
    uri = ParameterString(name="Raw", default_value=raw)
    instance = ParameterString(
        name="Instance", default_value="ml.m5.large", enum_values=["ml.m5.large", "ml.m5.xlarge"]
    )
    approval = ParameterString(name="Approval", default_value="PendingManualApproval")

    splitter = ScriptProcessor(
        image_uri=SKLEARN,
        command=["python3"],
        role=ROLE,
        instance_type=instance,
        instance_count=1,
        base_job_name="split",
        sagemaker_session=PIPELINE_SESSION,
    )
    split = ProcessingStep(
        name="Split",
        step_args=splitter.run(
            code=write(work / "split", {"split.py": SPLIT}) + "/split.py",
            inputs=[an_input("raw", uri)],
            outputs=[
                an_output(
                    "train",
                    Join(on="/", values=["s3:/", BUCKET, NAME, ExecutionVariables.PIPELINE_EXECUTION_ID, "train"]),
                ),
                an_output("test"),
            ],
            arguments=["--share", share.to_string()],
        ),
        cache_config=CacheConfig(enable_caching=True, expire_after="PT1H"),
    )

    trainer = ModelTrainer(
        training_image=SKLEARN,
        source_code=SourceCode(source_dir=write(work / "train", {"train.py": TRAIN}), entry_script="train.py"),
        compute=Compute(instance_type=instance, instance_count=1),
        hyperparameters={"max-depth": depth, "origin": ExecutionVariables.PIPELINE_NAME},
        base_job_name="train",
        role=ROLE,
        sagemaker_session=PIPELINE_SESSION,
    )
    train = TrainingStep(
        name="Train",
        step_args=trainer.train(
            input_data_config=[InputData(channel_name="train", data_source=output_of(split, "train"))]
        ),
    )
    artifacts = train.properties.ModelArtifacts.S3ModelArtifacts

    evaluator = FrameworkProcessor(
        image_uri=SKLEARN,
        role=ROLE,
        instance_type="ml.m5.large",
        instance_count=1,
        base_job_name="evaluate",
        sagemaker_session=PIPELINE_SESSION,
    )
    report = PropertyFile(name="Report", output_name="evaluation", path="evaluation.json")
    evaluate = ProcessingStep(
        name="Evaluate",
        step_args=evaluator.run(
            code="evaluate.py",
            source_dir=write(work / "evaluate", {"evaluate.py": EVALUATE}),
            inputs=[an_input("model", artifacts), an_input("test", output_of(split, "test"))],
            outputs=[an_output("evaluation")],
        ),
        property_files=[report],
    )
    accuracy = JsonGet(step_name=evaluate.name, property_file=report, json_path="metrics.accuracy.value")

    builder = ModelBuilder(
        image_uri=SKLEARN,
        s3_model_data_url=artifacts,
        source_code=SourceCode(
            source_dir=write(work / "inference", {"inference.py": INFERENCE}), entry_script="inference.py"
        ),
        role_arn=ROLE,
        sagemaker_session=PIPELINE_SESSION,
    )
    metrics = MetricsSource(
        s3_uri=Join(on="/", values=[output_of(evaluate, "evaluation"), "evaluation.json"]),
        content_type="application/json",
    )
    register = ModelStep(
        name="Register",
        step_args=builder.register(
            model_package_group_name=GROUP,
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=["ml.m5.large"],
            transform_instances=["ml.m5.large"],
            model_metrics=ModelMetrics(model_statistics=metrics),
            approval_status=approval,
        ),
    )
    create = ModelStep(
        name="Create",
        step_args=ModelBuilder(
            image_uri=SKLEARN, s3_model_data_url=artifacts, role_arn=ROLE, sagemaker_session=PIPELINE_SESSION
        ).build(),
    )
    fail = FailStep(name="TooBad", error_message=Join(on=" ", values=["accuracy below", wanted.to_string()]))
    gate = ConditionStep(
        name="GoodEnough",
        conditions=[ConditionGreaterThanOrEqualTo(left=accuracy, right=wanted)],
        if_steps=[register, create],
        else_steps=[fail],
    )
    return Pipeline(
        name=NAME,
        parameters=[share, depth, wanted, uri, instance, approval],
        steps=[split, train, evaluate, gate],
        sagemaker_session=PIPELINE_SESSION,
    )


def run(pipeline: Pipeline) -> None:
    created = pipeline.upsert(role_arn=ROLE, description="first", tags=[{"Key": "team", "Value": "red"}])
    tell("created", created["PipelineArn"])
    described = pipeline.describe()
    tell("described", [described["PipelineStatus"], described["PipelineDescription"]])
    tell("kinds", [[step["Name"], step["Type"]] for step in json.loads(pipeline.definition())["Steps"]])

    started = time.monotonic()
    execution = pipeline.start(parameters={"Depth": 4}, execution_display_name="good")
    execution.wait()
    print(f"-- good {time.monotonic() - started:.1f} s", file=sys.stderr)
    tell("good status", execution.describe()["PipelineExecutionStatus"])
    steps = execution.list_steps()
    tell("good steps", sorted([step["StepName"], step["StepStatus"], sorted(step["Metadata"])] for step in steps))
    given = {each["Name"]: each["Value"] for each in execution.list_parameters()["PipelineParameters"]}
    tell("good parameters", [given["Depth"], given["Share"], given["Instance"]])
    (package,) = ModelPackage.get_all(model_package_group_name=GROUP)
    tell("good package", [package.model_package_version, package.model_approval_status])
    described = SESSION.sagemaker_client.describe_model_package(ModelPackageName=package.model_package_arn)
    (container,) = described["InferenceSpecification"]["Containers"]
    tell("good repacked", [container["ModelDataUrl"].split("/")[-1], sorted(container["Environment"].items())])
    bucket, _, key = package.model_metrics.model_quality.statistics.s3_uri.removeprefix("s3://").partition("/")
    tell("good metrics", json.loads(SESSION.read_s3_file(bucket, key))["metrics"]["accuracy"]["value"] > 0.8)

    updated = pipeline.upsert(
        role_arn=ROLE,
        description="second",
        tags=[{"Key": "stage", "Value": "test"}],
        parallelism_config=ParallelismConfiguration(max_parallel_execution_steps=2),
    )
    tags = SESSION.sagemaker_client.list_tags(ResourceArn=updated["PipelineArn"])["Tags"]
    tell("updated", [pipeline.describe()["PipelineDescription"], sorted(tag["Key"] for tag in tags)])

    started = time.monotonic()
    failing = pipeline.start(parameters={"Wanted": 1.5}, execution_display_name="bad")
    try:
        failing.wait()
    except WaiterError as error:
        tell("bad wait", str(error).split(":")[0])
    print(f"-- bad {time.monotonic() - started:.1f} s", file=sys.stderr)
    described = failing.describe()
    tell("bad status", [described["PipelineExecutionStatus"], described.get("FailureReason")])
    steps = {step["StepName"]: step for step in failing.list_steps()}
    tell("bad steps", sorted([name, step["StepStatus"]] for name, step in steps.items()))
    tell("bad outcome", [steps["GoodEnough"]["Metadata"], steps["TooBad"]["Metadata"]])
    tell("bad cached", "CacheHitResult" in steps["Split"])

    stopped = pipeline.start(execution_display_name="stopped")
    stopped.stop()
    resource = PipelineExecution.get(pipeline_execution_arn=stopped.arn)
    resource.wait_for_status("Stopped", poll=1, timeout=60)
    tell("stopped", resource.pipeline_execution_status)
    executions = pipeline.list_executions(sort_by="CreationTime", sort_order="Ascending")["PipelineExecutionSummaries"]
    tell("executions", [[each["PipelineExecutionDisplayName"], each["PipelineExecutionStatus"]] for each in executions])
    found = PipelineResource.get_all(pipeline_name_prefix="sdk3")
    tell("pipelines", [each.pipeline_name for each in found])
    resource = PipelineExecution.get(pipeline_execution_arn=execution.arn)
    tell("execution resource", [resource.pipeline_execution_status, resource.pipeline_execution_display_name])
    tell("execution steps", sorted(step.step_name for step in resource.get_all_steps()))
    try:
        pipeline.put_triggers(triggers=[PipelineSchedule(name="nightly", rate=(1, "day"))], role_arn=ROLE)
    except Exception as error:  # noqa: BLE001 - whatever comes is shown
        tell("triggers", str(error))
    pipeline.delete()
    try:
        pipeline.describe()
    except SESSION.sagemaker_client.exceptions.ResourceNotFound as error:
        tell("deleted", str(error))


def outcome(execution: object) -> list[list[str]]:
    """Wait for an execution and return the name, status and reason of its steps."""
    with suppress(WaiterError):
        execution.wait()
    return sorted(
        [step["StepName"], step["StepStatus"], step.get("FailureReason", "")] for step in execution.list_steps()
    )


def conditions() -> None:
    """Every kind of condition; parameters of every type, and wrong ones."""
    count, flag = ParameterInteger(name="Count", default_value=3), ParameterBoolean(name="Flag", default_value=True)
    word, limit = ParameterString(name="Word", default_value="x"), ParameterFloat(name="Limit", default_value=3.5)
    gate = ConditionStep(
        name="Gate",
        conditions=[
            ConditionOr([ConditionEquals(count, 4), ConditionIn(word, ["x", "y"])]),
            ConditionNot(ConditionGreaterThan(count, 5)),
            ConditionEquals(flag, True),
            ConditionLessThan(count, limit),
        ],
        if_steps=[FailStep("Yes", error_message=Join(on="-", values=[count, word, ExecutionVariables.PIPELINE_NAME]))],
        else_steps=[FailStep("No", error_message="not so")],
    )
    pipeline = Pipeline(
        name="sdk3-conditions", parameters=[count, flag, word, limit], steps=[gate], sagemaker_session=PIPELINE_SESSION
    )
    pipeline.upsert(role_arn=ROLE)
    tell("conditions met", outcome(pipeline.start()))
    tell("conditions not met", outcome(pipeline.start({"Word": "z"})))
    for name, parameters in (("conditions type", {"Count": "many"}), ("conditions unknown", {"Nobody": "1"})):
        try:
            pipeline.start(parameters)
        except ClientError as error:
            tell(name, str(error))


def transform(work: Path) -> None:
    """The built-in XGBoost trained, made a model and applied to a file, steps given in the wrong order."""
    rows = "".join(f"{2 * x + 1},{x},{x % 3}\n" for x in range(60))
    numbers = SESSION.upload_data(write(work / "numbers", {"train.csv": rows}), key_prefix=f"{NAME}/numbers")
    batch = SESSION.upload_data(write(work / "batch", {"a.csv": "5,2\n10,1\n"}), key_prefix=f"{NAME}/batch")
    xgboost = image_uris.retrieve("xgboost", SESSION.boto_region_name, version="1.7-1", instance_type="ml.m5.large")
    trainer = ModelTrainer(
        training_image=xgboost,
        hyperparameters={"num_round": 20, "objective": "reg:squarederror"},
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        role=ROLE,
        sagemaker_session=PIPELINE_SESSION,
    )
    channel = InputData(channel_name="train", data_source=numbers, content_type="text/csv")
    train = TrainingStep(name="Train", step_args=trainer.train(input_data_config=[channel]))
    builder = ModelBuilder(
        image_uri=xgboost,
        s3_model_data_url=train.properties.ModelArtifacts.S3ModelArtifacts,
        role_arn=ROLE,
        sagemaker_session=PIPELINE_SESSION,
    )
    create = ModelStep(name="Create", step_args=builder.build())
    transformer = Transformer(
        model_name=create.properties.ModelName,
        instance_count=1,
        instance_type="ml.m5.large",
        output_path=f"s3://{BUCKET}/{NAME}/transformed",
        assemble_with="Line",
        accept="text/csv",
        sagemaker_session=PIPELINE_SESSION,
    )
    apply = TransformStep(
        name="Apply", step_args=transformer.transform(batch, content_type="text/csv", split_type="Line")
    )
    bad = ScriptProcessor(
        image_uri=SKLEARN,
        command=["python3"],
        role=ROLE,
        instance_type="ml.m5.large",
        instance_count=1,
        sagemaker_session=PIPELINE_SESSION,
    ).run(code=write(work / "bad", {"bad.py": "raise ValueError('no such column')\n"}) + "/bad.py")
    check = ProcessingStep(name="Check", step_args=bad, depends_on=[apply])
    pipeline = Pipeline(name="sdk3-transform", steps=[check, apply, create, train], sagemaker_session=PIPELINE_SESSION)
    pipeline.upsert(role_arn=ROLE)
    tell("transform steps", outcome(pipeline.start()))
    answers = SESSION.read_s3_file(BUCKET, f"{NAME}/transformed/a.csv.out").split()
    tell("transform answers", [abs(float(answer) - truth) < 1 for answer, truth in zip(answers, (11, 21), strict=True)])


def main() -> None:
    rows = "".join(f"{i % 3},{(i % 3) * 10 + i % 5},{i % 7}\n" for i in range(120))
    with TemporaryDirectory() as directory:
        raw = SESSION.upload_data(write(Path(directory) / "raw", {"raw.csv": rows}), key_prefix=f"{NAME}/raw")
        run(a_pipeline(Path(directory), raw))
        conditions()
        transform(Path(directory))


if __name__ == "__main__":
    main()
