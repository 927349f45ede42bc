"""Session helpers, roles and tags with the SageMaker Python SDK 3.x; and what this house does not do, asked for.

An ordinary program of the SDK. What it finds it prints as lines "name: JSON".
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
from sagemaker.core import image_uris, resources, shapes
from sagemaker.core.helper.iam_role_resolver import IamRoleResolver, resolve_and_validate_role
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.parameter import ContinuousParameter
from sagemaker.core.s3 import S3Downloader, S3Uploader
from sagemaker.core.training.configs import Compute, InputData
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.callback_step import CallbackStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.train import ModelTrainer
from sagemaker.train.tuner import HyperparameterTuner

SESSION = Session()
ROLE = get_execution_role(SESSION)
BUCKET = SESSION.default_bucket()
SKLEARN = image_uris.retrieve("sklearn", SESSION.boto_region_name, version="1.2-1", instance_type="ml.m5.large")
XGBOOST = image_uris.retrieve("xgboost", SESSION.boto_region_name, version="1.7-1", instance_type="ml.m5.large")
STAMP = int(time.time())


def tell(name: str, value: object) -> None:
    print(f"\n{name}: {json.dumps(value, default=str)}")


def refused(name: str, attempt: Callable[[], object]) -> None:
    started = time.monotonic()
    try:
        attempt()
    except Exception as error:  # noqa: BLE001 - whatever comes is shown
        tell(name, [type(error).__name__, str(error)])
    else:
        tell(name, "went through")
    if time.monotonic() - started > 10:
        tell(f"{name} slowly", time.monotonic() - started)


def session(work: Path) -> None:
    tell("bucket", BUCKET)
    tell("account", [SESSION.account_id(), SESSION.boto_region_name, SESSION.get_caller_identity_arn()])
    (work / "up" / "deep").mkdir(parents=True)
    (work / "up" / "a.txt").write_text("one")
    (work / "up" / "deep" / "b.txt").write_text("two")
    tell("uploaded", SESSION.upload_data(str(work / "up"), key_prefix=f"sdk3/{STAMP}"))
    tell("listed", [key.removeprefix(f"sdk3/{STAMP}/") for key in SESSION.list_s3_files(BUCKET, f"sdk3/{STAMP}")])
    tell("read", SESSION.read_s3_file(BUCKET, f"sdk3/{STAMP}/deep/b.txt"))
    SESSION.download_data(str(work / "down"), BUCKET, f"sdk3/{STAMP}")
    tell("downloaded", sorted(str(path.relative_to(work / "down")) for path in (work / "down").rglob("*.txt")))
    text = SESSION.upload_string_as_file_body("words", BUCKET, f"sdk3/{STAMP}/c.txt")
    tell("string", text.removeprefix(f"s3://{BUCKET}/sdk3/{STAMP}/"))
    uri = S3Uploader.upload(str(work / "up" / "a.txt"), f"s3://{BUCKET}/sdk3/{STAMP}/d", sagemaker_session=SESSION)
    tell("s3", S3Downloader.read_file(uri, sagemaker_session=SESSION))
    Session(default_bucket=f"my-own-bucket-{STAMP}").default_bucket()
    other = Session(default_bucket=f"my-own-bucket-{STAMP}", default_bucket_prefix="team/red")
    tell("own bucket", other.upload_data(str(work / "up" / "a.txt"), key_prefix="x").replace(str(STAMP), "STAMP"))


def roles(_work: Path) -> None:
    tell("role", ROLE)
    for role_type in ("training", "serving", "pipeline"):
        tell(f"role {role_type}", resolve_and_validate_role(role_type=role_type, sagemaker_session=SESSION))
    tell("role by name", SESSION.expand_role("SageMakerRole"))
    made = IamRoleResolver().create_execution_role(role_type="training")
    tell("role made", made.split(":role/")[0])
    tell("role made works", resolve_and_validate_role(made, "training", sagemaker_session=SESSION) == made)
    refused(
        "role by unknown name", lambda: resolve_and_validate_role("NoSuchRole", "training", sagemaker_session=SESSION)
    )
    iam = boto3.client("iam")
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    foreign = iam.create_role(
        RoleName=f"Foreign{STAMP}",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )["Role"]["Arn"]
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.put_role_policy(
        RoleName=f"Foreign{STAMP}",
        PolicyName="everything",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    refused(
        "role of another service", lambda: resolve_and_validate_role(foreign, "training", sagemaker_session=SESSION)
    )


def tags(_work: Path) -> None:
    group = resources.ModelPackageGroup.create(
        model_package_group_name=f"sdk3-tagged-{STAMP}", tags=[shapes.Tag(key="a", value="1")]
    )
    arn = group.model_package_group_arn
    resources.Tag.add_tags(resource_arn=arn, tags=[shapes.Tag(key="b", value="2"), shapes.Tag(key="c", value="3")])
    resources.Tag.delete_tags(resource_arn=arn, tag_keys=["a"])
    tell("tags", sorted([tag.key, tag.value] for tag in resources.Tag.get_all(resource_arn=arn)))
    group.delete()


def unbound(work: Path) -> None:
    """Operations of later: each answers at once, naming itself."""
    variant = {"variant_name": "a", "model_name": "m", "instance_type": "ml.m5.large", "initial_instance_count": 1}
    s3 = f"s3://{BUCKET}/sdk3/none"
    (work / "train.csv").write_text("1,2\n3,4\n")
    trainer = ModelTrainer(
        training_image=XGBOOST,
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        hyperparameters={"num_round": 2},
        role=ROLE,
        sagemaker_session=SESSION,
    )
    tuner = HyperparameterTuner(
        model_trainer=trainer,
        objective_metric_name="validation:rmse",
        hyperparameter_ranges={"eta": ContinuousParameter(0.1, 0.5)},
        max_jobs=2,
    )
    channel = InputData(channel_name="train", data_source=str(work / "train.csv"), content_type="text/csv")
    refused("tuner", lambda: tuner.tune(inputs=[channel]))
    SESSION.upload_string_as_file_body("no archive", BUCKET, "sdk3/none/model.tar.gz")
    model = resources.Model.create(
        model_name=f"m-{STAMP}",
        primary_container=shapes.ContainerDefinition(image=SKLEARN, model_data_url=f"{s3}/model.tar.gz"),
        execution_role_arn=ROLE,
    )
    variant = {**variant, "model_name": model.model_name}

    def config(*variants: dict, **more: object) -> None:
        resources.EndpointConfig.create(
            endpoint_config_name=f"c-{STAMP}",
            production_variants=[shapes.ProductionVariant(**each) for each in variants],
            **more,
        )

    refused("two variants", lambda: config(variant, {**variant, "variant_name": "b"}))
    output = shapes.AsyncInferenceOutputConfig(s3_output_path=s3)
    refused("async", lambda: config(variant, async_inference_config=shapes.AsyncInferenceConfig(output_config=output)))
    capture = shapes.DataCaptureConfig(
        enable_capture=True,
        initial_sampling_percentage=100,
        destination_s3_uri=s3,
        capture_options=[shapes.CaptureOption(capture_mode="Input")],
    )
    refused("capture", lambda: config(variant, data_capture_config=capture))
    refused("shadow", lambda: config(variant, shadow_production_variants=[shapes.ProductionVariant(**variant)]))
    refused(
        "multi model",
        lambda: resources.Model.create(
            model_name=f"multi-{STAMP}",
            primary_container=shapes.ContainerDefinition(image=SKLEARN, model_data_url=s3 + "/", mode="MultiModel"),
            execution_role_arn=ROLE,
        ),
    )
    refused(
        "component",
        lambda: resources.InferenceComponent.create(
            inference_component_name="ic",
            endpoint_name="e",
            specification=shapes.InferenceComponentSpecification(model_name=model.model_name),
        ),
    )
    endpoint = resources.Endpoint(endpoint_name="no-such-endpoint")
    refused("invoke missing", lambda: endpoint.invoke(body="1,2", content_type="text/csv"))
    refused("invoke async", lambda: endpoint.invoke_async(input_location=s3))
    refused("invoke stream", lambda: endpoint.invoke_with_response_stream(body="1,2", content_type="text/csv"))
    refused(
        "feature group",
        lambda: resources.FeatureGroup.create(
            feature_group_name="fg",
            record_identifier_feature_name="id",
            event_time_feature_name="at",
            feature_definitions=[
                shapes.FeatureDefinition(feature_name="id", feature_type="String"),
                shapes.FeatureDefinition(feature_name="at", feature_type="Fractional"),
            ],
            online_store_config=shapes.OnlineStoreConfig(enable_online_store=True),
            role_arn=ROLE,
        ),
    )
    refused("feature groups", lambda: list(resources.FeatureGroup.get_all()))
    refused(
        "record",
        lambda: resources.FeatureGroup(feature_group_name="fg").put_record(
            record=[shapes.FeatureValue(feature_name="id", value_as_string="1")]
        ),
    )
    refused("domains", lambda: list(resources.Domain.get_all()))
    refused("experiment", lambda: resources.Experiment.create(experiment_name="e"))
    refused("monitoring", lambda: list(resources.MonitoringSchedule.get_all()))
    refused("card", lambda: list(resources.ModelCard.get_all()))
    refused(
        "group policy",
        lambda: resources.ModelPackageGroup(model_package_group_name="g").put_policy(resource_policy="{}"),
    )
    refused(
        "image",
        lambda: resources.TrainingJob.create(
            training_job_name=f"own-{STAMP}",
            role_arn=ROLE,
            algorithm_specification=shapes.AlgorithmSpecification(
                training_image="123456789012.dkr.ecr.us-east-1.amazonaws.com/my-own:latest", training_input_mode="File"
            ),
            output_data_config=shapes.OutputDataConfig(s3_output_path=s3),
            resource_config=shapes.ResourceConfig(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=5),
            stopping_condition=shapes.StoppingCondition(max_runtime_in_seconds=60),
        ),
    )
    refused(
        "pytorch",
        lambda: ModelTrainer(
            training_image=image_uris.retrieve(
                "pytorch",
                SESSION.boto_region_name,
                version="2.3",
                py_version="py311",
                instance_type="ml.m5.large",
                image_scope="training",
            ),
            role=ROLE,
            sagemaker_session=SESSION,
        ).train(input_data_config=[channel]),
    )
    pipelines = PipelineSession()
    callback = CallbackStep(
        name="Call", sqs_queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/q", inputs={"a": "b"}, outputs=[]
    )
    pipeline = Pipeline(
        name=f"sdk3-callback-{STAMP}",
        parameters=[ParameterString(name="P", default_value="x")],
        steps=[callback],
        sagemaker_session=pipelines,
    )
    refused("callback", lambda: pipeline.upsert(role_arn=ROLE))


def main() -> None:
    with TemporaryDirectory() as directory:
        for name in sys.argv[1:] or ["session", "roles", "tags", "unbound"]:
            started = time.monotonic()
            globals()[name](Path(directory))
            print(f"-- {name} {time.monotonic() - started:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
