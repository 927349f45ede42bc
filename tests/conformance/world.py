"""A house with some data in it, and one request per kind of resource to create in it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fakes.house import ACCOUNT, REGION, a_call, a_house

from sagehouse.gateway.dispatcher import Dispatcher
from sagehouse.kit.document import Document
from sagehouse.ports.house import House
from sagehouse.services import sagemaker

ROLE = f"arn:aws:iam::{ACCOUNT}:role/SageMakerRole"
BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"
SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
INSTANCE = "ml.m5.large"


DISPATCH = Dispatcher({"sagemaker": sagemaker.OPERATIONS})
"""Reads and compiles the service model once for all tests; opened in one house after the other."""


class World:
    """Asks operations as an SDK would, validated against the service model; the clock moves one second a request."""

    def __init__(self) -> None:
        self.house: House = a_house()
        self.now = 1_000_000.0
        DISPATCH.open(self.house)
        asyncio.run(self._furnish())

    def ask(self, operation: str, /, **request: Any) -> Document:
        self.now += 1
        return asyncio.run(DISPATCH(a_call(operation, now=self.now), request))

    def put(self, key: str, data: bytes = b"1,2\n") -> str:
        asyncio.run(self._put(key, data))
        return f"s3://{BUCKET}/{key}"

    async def _furnish(self) -> None:
        await self.house.objects.create_bucket(BUCKET, account=ACCOUNT, region=REGION, now=0.0)
        for key in ("data/train/a.csv", "model/model.tar.gz"):
            await self._put(key, b"1,2\n")
        requests: list[tuple[str, Document]] = [
            ("CreateModel", a_model("the-model")),
            ("CreateEndpointConfig", an_endpoint_config("the-config")),
            ("CreateModelPackageGroup", {"ModelPackageGroupName": "the-group"}),
        ]
        for operation, request in requests:
            await DISPATCH(a_call(operation, now=self.now), request)

    async def _put(self, key: str, data: bytes) -> None:
        await self.house.objects.write(BUCKET, key, data, content_type="text/csv", now=0.0)


def a_training_job(name: str, **more: Any) -> Document:
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": SKLEARN, "TrainingInputMode": "File"},
        "HyperParameters": {"sagemaker_program": '"train.py"', "depth": "3"},
        "RoleArn": ROLE,
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/data/train"},
                },
                "ContentType": "text/csv",
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out"},
        "ResourceConfig": {"InstanceType": INSTANCE, "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "Environment": {"A": "b"},
        **more,
    }


def a_processing_job(name: str, **more: Any) -> Document:
    return {
        "ProcessingJobName": name,
        "ProcessingInputs": [
            {
                "InputName": "code",
                "S3Input": {
                    "S3Uri": f"s3://{BUCKET}/data/train/a.csv",
                    "LocalPath": "/opt/ml/processing/input/code",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "train",
                    "S3Output": {
                        "S3Uri": f"s3://{BUCKET}/processed",
                        "LocalPath": "/opt/ml/processing/train",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": INSTANCE, "VolumeSizeInGB": 30}},
        "AppSpecification": {"ImageUri": SKLEARN, "ContainerEntrypoint": ["python3", "x.py"]},
        "RoleArn": ROLE,
        **more,
    }


def a_transform_job(name: str, **more: Any) -> Document:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/data/"}}
    return {
        "TransformJobName": name,
        "ModelName": "the-model",
        "TransformInput": {"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/predictions"},
        "TransformResources": {"InstanceType": INSTANCE, "InstanceCount": 1},
        **more,
    }


def a_model(name: str, **more: Any) -> Document:
    return {
        "ModelName": name,
        "PrimaryContainer": {
            "Image": SKLEARN,
            "ModelDataUrl": f"s3://{BUCKET}/model/model.tar.gz",
            "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
        },
        "ExecutionRoleArn": ROLE,
        **more,
    }


def a_variant(**more: Any) -> Document:
    return {
        "VariantName": "AllTraffic",
        "ModelName": "the-model",
        "InitialInstanceCount": 1,
        "InstanceType": INSTANCE,
        **more,
    }


def an_endpoint_config(name: str, **more: Any) -> Document:
    return {"EndpointConfigName": name, "ProductionVariants": [a_variant()], **more}


def an_endpoint(name: str, **more: Any) -> Document:
    return {"EndpointName": name, "EndpointConfigName": "the-config", **more}


def a_specification() -> Document:
    container = {"Image": XGBOOST, "ModelDataUrl": f"s3://{BUCKET}/model/model.tar.gz"}
    return {
        "Containers": [container],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }


def a_model_package(name: str, **more: Any) -> Document:
    return {"ModelPackageName": name, "InferenceSpecification": a_specification(), **more}


def a_version(**more: Any) -> Document:
    return {"ModelPackageGroupName": "the-group", "InferenceSpecification": a_specification(), **more}


def a_pipeline(name: str, **more: Any) -> Document:
    steps = [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "enough"}}]
    definition = {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": steps}
    return {
        "PipelineName": name,
        "PipelineDefinition": json.dumps(definition),
        "RoleArn": ROLE,
        "ClientRequestToken": f"token-{name}-{'0' * 32}",
        **more,
    }


@dataclass(frozen=True, kw_only=True)
class Walk:
    """One kind, and the operations to walk it through."""

    noun: str
    """"TrainingJob" of CreateTrainingJob, DescribeTrainingJob, ..."""
    request: Callable[[str], Document]
    plural: str = ""
    summaries: str
    status: str = ""
    """Of a new one, where the List operation filters by status."""
    deletes: str = ""
    """The Delete operation that takes effect at once."""

    @property
    def name(self) -> str:
        return f"{self.noun}Name"

    @property
    def arn(self) -> str:
        return f"{self.noun}Arn"

    @property
    def lists(self) -> str:
        return f"List{self.plural or self.noun + 's'}"


WALKS = (
    Walk(
        noun="TrainingJob",
        request=a_training_job,
        summaries="TrainingJobSummaries",
        status="InProgress",
    ),
    Walk(
        noun="ProcessingJob",
        request=a_processing_job,
        summaries="ProcessingJobSummaries",
        status="InProgress",
    ),
    Walk(noun="TransformJob", request=a_transform_job, summaries="TransformJobSummaries", status="InProgress"),
    Walk(noun="Model", request=a_model, summaries="Models", deletes="DeleteModel"),
    Walk(
        noun="EndpointConfig",
        request=an_endpoint_config,
        summaries="EndpointConfigs",
        deletes="DeleteEndpointConfig",
    ),
    Walk(noun="Endpoint", request=an_endpoint, summaries="Endpoints", status="Creating"),
    Walk(
        noun="ModelPackageGroup",
        request=lambda name: {"ModelPackageGroupName": name, "ModelPackageGroupDescription": "about it"},
        summaries="ModelPackageGroupSummaryList",
        deletes="DeleteModelPackageGroup",
    ),
    Walk(
        noun="ModelPackage",
        request=a_model_package,
        summaries="ModelPackageSummaryList",
        deletes="DeleteModelPackage",
    ),
    Walk(noun="Pipeline", request=a_pipeline, summaries="PipelineSummaries", deletes="DeletePipeline"),
)
