"""Definitions for the tests: small ones built here, real ones as the SDKs compiled them."""

import json
from pathlib import Path
from typing import Any

COMPILED = Path(__file__).parent.parent / "domain_pipelines" / "definitions"
EVALUATION = (
    "s3://sagemaker-us-east-1-123456789012/sagemaker-xgboost-2026-01-01-08-09-57-472/output/evaluation/evaluation.json"
)
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"


def compiled(name: str) -> str:
    return (COMPILED / f"{name}.json").read_text()


def a_definition(*steps: dict[str, Any], parameters: list[dict[str, Any]] | None = None, **more: Any) -> str:
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters or [], "Steps": steps, **more})


def a_processing(name: str, *, arguments: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
            },
            "AppSpecification": {"ImageUri": IMAGE, "ContainerArguments": arguments or ["x"]},
            "RoleArn": ROLE,
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "out",
                        "S3Output": {
                            "S3Uri": f"s3://bucket/{name}",
                            "LocalPath": "/opt/ml/processing/out",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        },
        **more,
    }


def a_condition(
    name: str, left: Any, right: Any, *, then: list[Any], otherwise: list[Any], **more: Any
) -> dict[str, Any]:
    conditions = [{"Type": "GreaterThan", "LeftValue": left, "RightValue": right}]
    arguments = {"Conditions": conditions, "IfSteps": then, "ElseSteps": otherwise}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **more}
