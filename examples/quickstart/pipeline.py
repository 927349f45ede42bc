"""From a raw CSV to a deployed, gated model: a SageMaker pipeline, start to end.

An ordinary program of the SageMaker Python SDK 2.x. It runs on AWS as it is; pointed at a sagehouse it runs here.
The data are the breast cancer measurements that come with scikit-learn, made as untidy as exports usually are.
"""

import logging
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import sagemaker
from rich.console import Console
from rich.live import Live
from rich.table import Table
from sagemaker import ModelPackage, image_uris
from sagemaker.deserializers import CSVDeserializer
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.serializers import CSVSerializer
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import ProcessingStep, TrainingStep
from sklearn.datasets import load_breast_cancer

HERE = Path(__file__).parent
PREFIX = "quickstart"
PIPELINE = "quickstart-breast-cancer"
GROUP = "quickstart-breast-cancer"
console = Console()

logging.disable(logging.WARNING)  # the SDK tells at length what it does; here the tables tell it
warnings.filterwarnings("ignore", module="sagemaker")


def raw_table() -> pd.DataFrame:
    """Return 569 tumours x (30 measurements, a size class, the diagnosis), with holes and words in it."""
    table = load_breast_cancer(as_frame=True).frame.rename(columns={"target": "benign"})
    table["size class"] = pd.qcut(table["mean area"], 3, labels=["small", "medium", "large"]).astype(str)
    random = np.random.default_rng(7)
    for column in ("mean texture", "worst texture", "mean smoothness"):
        table.loc[random.random(len(table)) < 0.03, column] = np.nan
    return table


def upload_raw(session: sagemaker.Session) -> str:
    """Upload the raw CSV to the default bucket; return its S3 URI."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "raw.csv"
        raw_table().to_csv(path, index=False)
        return session.upload_data(str(path), key_prefix=f"{PREFIX}/raw")


def build_pipeline(role: str, raw_uri: str) -> Pipeline:
    """Return the pipeline: preprocess, train, evaluate, and register only what is good enough."""
    session = PipelineSession()
    instance_type = ParameterString(name="InstanceType", default_value="ml.m5.large")
    input_data = ParameterString(name="InputData", default_value=raw_uri)
    rounds = ParameterInteger(name="Rounds", default_value=60)
    threshold = ParameterFloat(name="AccuracyThreshold", default_value=0.9)

    preprocessor = SKLearnProcessor(
        framework_version="1.2-1",
        role=role,
        instance_type=instance_type,
        instance_count=1,
        base_job_name="quickstart-preprocess",
        sagemaker_session=session,
    )
    preprocess = ProcessingStep(
        name="Preprocess",
        step_args=preprocessor.run(
            code=str(HERE / "preprocessing.py"),
            inputs=[ProcessingInput(source=input_data, destination="/opt/ml/processing/input")],
            outputs=[
                ProcessingOutput(output_name=name, source=f"/opt/ml/processing/{name}")
                for name in ("train", "validation", "test")
            ],
            arguments=["--target", "benign"],
        ),
    )

    def output_of(name: str):
        return preprocess.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri

    image = image_uris.retrieve("xgboost", session.boto_region_name, version="3.0-5")
    estimator = Estimator(
        image_uri=image,
        role=role,
        instance_type=instance_type,
        instance_count=1,
        output_path=f"s3://{session.default_bucket()}/{PREFIX}/models",
        base_job_name="quickstart-train",
        sagemaker_session=session,
    )
    estimator.set_hyperparameters(
        objective="binary:logistic", eval_metric="error,logloss", num_round=rounds, max_depth=3, eta=0.2, seed=7
    )
    train = TrainingStep(
        name="Train",
        step_args=estimator.fit(
            {
                "train": TrainingInput(output_of("train"), content_type="text/csv"),
                "validation": TrainingInput(output_of("validation"), content_type="text/csv"),
            }
        ),
    )

    evaluator = ScriptProcessor(
        image_uri=image,
        command=["python3"],
        role=role,
        instance_type=instance_type,
        instance_count=1,
        base_job_name="quickstart-evaluate",
        sagemaker_session=session,
    )
    report = PropertyFile(name="EvaluationReport", output_name="evaluation", path="evaluation.json")
    artifacts = train.properties.ModelArtifacts.S3ModelArtifacts
    evaluate = ProcessingStep(
        name="Evaluate",
        step_args=evaluator.run(
            code=str(HERE / "evaluation.py"),
            inputs=[
                ProcessingInput(source=artifacts, destination="/opt/ml/processing/model"),
                ProcessingInput(source=output_of("test"), destination="/opt/ml/processing/test"),
            ],
            outputs=[ProcessingOutput(output_name="evaluation", source="/opt/ml/processing/evaluation")],
        ),
        property_files=[report],
    )

    model = Model(image_uri=image, model_data=artifacts, role=role, sagemaker_session=session)
    evaluation_uri = evaluate.properties.ProcessingOutputConfig.Outputs["evaluation"].S3Output.S3Uri
    register = ModelStep(
        name="Register",
        step_args=model.register(
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=["ml.m5.large"],
            transform_instances=["ml.m5.large"],
            model_package_group_name=GROUP,
            approval_status="PendingManualApproval",
            model_metrics=ModelMetrics(
                model_statistics=MetricsSource(
                    s3_uri=Join(on="/", values=[evaluation_uri, "evaluation.json"]), content_type="application/json"
                )
            ),
        ),
    )
    accuracy = JsonGet(
        step_name=evaluate.name, property_file=report, json_path="binary_classification_metrics.accuracy.value"
    )
    gate = ConditionStep(
        name="GoodEnough",
        conditions=[ConditionGreaterThanOrEqualTo(left=accuracy, right=threshold)],
        if_steps=[register],
        else_steps=[
            FailStep(name="NotGoodEnough", error_message=Join(on=" ", values=["Accuracy is below", threshold]))
        ],
    )
    return Pipeline(
        name=PIPELINE,
        parameters=[instance_type, input_data, rounds, threshold],
        steps=[preprocess, train, evaluate, gate],
        sagemaker_session=session,
    )


def steps_table(execution) -> Table:
    """Return the steps of an execution, oldest first, with status and duration."""
    table = Table("step", "status", "seconds", title=f"pipeline {PIPELINE}", title_justify="left")
    colours = {"Succeeded": "green", "Failed": "red", "Executing": "yellow"}
    for step in reversed(execution.list_steps()):
        started, ended = step.get("StartTime"), step.get("EndTime")
        seconds = f"{(ended - started).total_seconds():.1f}" if started and ended else "…"
        status = step["StepStatus"]
        table.add_row(step["StepName"], f"[{colours.get(status, 'default')}]{status}[/]", seconds)
    return table


def run(pipeline: Pipeline):
    """Start the pipeline, show its steps while they run; return the execution once it has ended."""
    execution = pipeline.start()
    with Live(console=console, auto_refresh=False) as live:
        while True:
            status = execution.describe()["PipelineExecutionStatus"]
            live.update(steps_table(execution), refresh=True)
            if status not in {"Executing", "Stopping"}:
                break
            time.sleep(0.5)
    console.print()
    if status != "Succeeded":
        failures = [step["FailureReason"] for step in execution.list_steps() if "FailureReason" in step]
        raise SystemExit(f"The pipeline ended {status}: {'; '.join(failures)}")
    return execution


def registered_package(execution) -> str:
    """Return the ARN of the model package the execution registered."""
    for step in execution.list_steps():
        if "RegisterModel" in step.get("Metadata", {}):
            return step["Metadata"]["RegisterModel"]["Arn"]
    raise SystemExit("The pipeline registered no model.")


def test_rows(session: sagemaker.Session, execution) -> pd.DataFrame:
    """Return the rows the model has not seen: the label first, then the features."""
    name = next(s["Metadata"]["ProcessingJob"]["Arn"] for s in execution.list_steps() if s["StepName"] == "Preprocess")
    job = session.describe_processing_job(name.split("/")[-1])
    outputs = {o["OutputName"]: o["S3Output"]["S3Uri"] for o in job["ProcessingOutputConfig"]["Outputs"]}
    with TemporaryDirectory() as directory:
        bucket, _, prefix = outputs["test"].removeprefix("s3://").partition("/")
        session.download_data(directory, bucket, prefix)
        return pd.read_csv(next(Path(directory).rglob("*.csv")), header=None)


def main() -> None:
    session = sagemaker.Session()
    role = sagemaker.get_execution_role(session)

    console.rule("1. data")
    raw_uri = upload_raw(session)
    console.print(f"raw data    {raw_uri}", soft_wrap=True)

    console.rule("2. pipeline")
    pipeline = build_pipeline(role, raw_uri)
    pipeline.upsert(role_arn=role)
    execution = run(pipeline)

    console.rule("3. approve and deploy")
    package_arn = registered_package(execution)
    session.sagemaker_client.update_model_package(ModelPackageArn=package_arn, ModelApprovalStatus="Approved")
    console.print(f"approved    {package_arn}", soft_wrap=True)
    endpoint = f"{PREFIX}-{int(time.time())}"
    model = ModelPackage(role=role, model_package_arn=package_arn, sagemaker_session=session)
    model.deploy(initial_instance_count=1, instance_type="ml.m5.large", endpoint_name=endpoint)
    print()
    predictor = sagemaker.Predictor(
        endpoint, sagemaker_session=session, serializer=CSVSerializer(), deserializer=CSVDeserializer()
    )

    console.rule("4. predict")
    rows = test_rows(session, execution)
    answers = predictor.predict(rows.iloc[:, 1:].to_numpy())
    scores = np.array([value for row in answers for value in row], dtype=float)
    accuracy = float(((scores >= 0.5) == (rows[0] == 1)).mean())
    console.print(f"endpoint    {endpoint}")
    console.print(f"[bold]accuracy    {accuracy:.3f}[/] on {len(rows)} tumours the model has not seen")

    console.rule("5. where things are")
    package = session.sagemaker_client.describe_model_package(ModelPackageName=package_arn)
    metrics = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    for name, where in (
        ("model", package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]),
        ("metrics", metrics),
        ("logs", f"/aws/sagemaker/ProcessingJobs, TrainingJobs, Endpoints/{endpoint} in CloudWatch Logs"),
        ("next", f"aws s3 cp {metrics} -"),
        ("", f"aws sagemaker describe-endpoint --endpoint-name {endpoint}"),
        ("", f"aws logs filter-log-events --log-group-name /aws/sagemaker/Endpoints/{endpoint}"),
        ("", f"aws sagemaker delete-endpoint --endpoint-name {endpoint}"),
    ):
        console.print(f"{name:<11} {where}", soft_wrap=True, highlight=False)


if __name__ == "__main__":
    main()
