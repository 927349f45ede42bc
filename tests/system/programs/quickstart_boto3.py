"""The quickstart in plain boto3: the same pipeline, its definition written by hand."""

import io
import json
import sys
import time
import uuid
from pathlib import Path

import boto3
import numpy as np
import pandas as pd
from sagemaker import image_uris
from waiting import wait

EXAMPLE = Path(sys.argv[1])
sys.path.insert(0, str(EXAMPLE))
from pipeline import raw_table  # noqa: E402

session = boto3.Session()
region = session.region_name
sagemaker, s3, runtime = (session.client(name) for name in ("sagemaker", "s3", "sagemaker-runtime"))
account = session.client("sts").get_caller_identity()["Account"]
role = session.client("iam").get_role(RoleName="SageMakerRole")["Role"]["Arn"]
bucket = f"sagemaker-{region}-{account}"
name = f"quickstart-boto3-{uuid.uuid4().hex[:8]}"
xgboost = image_uris.retrieve("xgboost", region, version="3.0-5")
sklearn = image_uris.retrieve("sklearn", region, version="1.2-1", instance_type="ml.m5.large")


def processing(image: str, script: str, inputs: dict, outputs: dict, arguments: list) -> dict:
    """Return the arguments of a processing step: the raw request of CreateProcessingJob without the job's name."""
    code = {"code": f"s3://{bucket}/{name}/code/{script}"}
    destination = {"code": "/opt/ml/processing/input/code"}
    return {
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
        },
        "AppSpecification": {
            "ImageUri": image,
            "ContainerEntrypoint": ["python3", f"/opt/ml/processing/input/code/{script}"],
            "ContainerArguments": arguments,
        },
        "RoleArn": role,
        "ProcessingInputs": [
            {
                "InputName": key,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": destination.get(key, f"/opt/ml/processing/{key}"),
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3DataDistributionType": "FullyReplicated",
                    "S3CompressionType": "None",
                },
            }
            for key, uri in {**inputs, **code}.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": key,
                    "S3Output": {
                        "S3Uri": uri,
                        "LocalPath": f"/opt/ml/processing/{key}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for key, uri in outputs.items()
            ]
        },
    }


def definition() -> dict:
    split = {part: f"s3://{bucket}/{name}/{part}" for part in ("train", "validation", "test")}
    output = {
        part: {"Get": f"Steps.Preprocess.ProcessingOutputConfig.Outputs['{part}'].S3Output.S3Uri"} for part in split
    }
    artifacts = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
    steps = [
        {
            "Name": "Preprocess",
            "Type": "Processing",
            "Arguments": processing(
                sklearn, "preprocessing.py", {"input": {"Get": "Parameters.InputData"}}, split, ["--target", "benign"]
            ),
        },
        {
            "Name": "Train",
            "Type": "Training",
            "Arguments": {
                "AlgorithmSpecification": {"TrainingImage": xgboost, "TrainingInputMode": "File"},
                "RoleArn": role,
                "HyperParameters": {
                    "objective": "binary:logistic",
                    "num_round": {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.Rounds"}]}},
                    "max_depth": "3",
                },
                "InputDataConfig": [
                    {
                        "ChannelName": part,
                        "ContentType": "text/csv",
                        "DataSource": {
                            "S3DataSource": {
                                "S3DataType": "S3Prefix",
                                "S3Uri": output[part],
                                "S3DataDistributionType": "FullyReplicated",
                            }
                        },
                    }
                    for part in ("train", "validation")
                ],
                "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/{name}/models"},
                "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
                "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            },
        },
        {
            "Name": "Evaluate",
            "Type": "Processing",
            "Arguments": processing(
                xgboost,
                "evaluation.py",
                {"model": artifacts, "test": output["test"]},
                {"evaluation": f"s3://{bucket}/{name}/evaluation"},
                ["unused"],
            ),
            "PropertyFiles": [
                {"PropertyFileName": "Report", "OutputName": "evaluation", "FilePath": "evaluation.json"}
            ],
        },
        {
            "Name": "GoodEnough",
            "Type": "Condition",
            "Arguments": {
                "Conditions": [
                    {
                        "Type": "GreaterThanOrEqualTo",
                        "LeftValue": {
                            "Std:JsonGet": {
                                "PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Report"},
                                "Path": "binary_classification_metrics.accuracy.value",
                            }
                        },
                        "RightValue": {"Get": "Parameters.Threshold"},
                    }
                ],
                "IfSteps": [
                    {
                        "Name": "Register",
                        "Type": "RegisterModel",
                        "Arguments": {
                            "ModelPackageGroupName": name,
                            "ModelApprovalStatus": "PendingManualApproval",
                            "InferenceSpecification": {
                                "Containers": [{"Image": xgboost, "ModelDataUrl": artifacts}],
                                "SupportedContentTypes": ["text/csv"],
                                "SupportedResponseMIMETypes": ["text/csv"],
                            },
                        },
                    }
                ],
                "ElseSteps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "Not good enough"}}],
            },
        },
    ]
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [
            {"Name": "InputData", "Type": "String"},
            {"Name": "Rounds", "Type": "Integer", "DefaultValue": 40},
            {"Name": "Threshold", "Type": "Float", "DefaultValue": 0.9},
        ],
        "Steps": steps,
    }


if region == "us-east-1":
    s3.create_bucket(Bucket=bucket)
else:
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
raw = io.StringIO()
raw_table().to_csv(raw, index=False)
s3.put_object(Bucket=bucket, Key=f"{name}/raw/raw.csv", Body=raw.getvalue().encode())
for script in ("preprocessing.py", "evaluation.py"):
    s3.upload_file(str(EXAMPLE / script), bucket, f"{name}/code/{script}")

sagemaker.create_model_package_group(ModelPackageGroupName=name)
sagemaker.create_pipeline(
    PipelineName=name, PipelineDefinition=json.dumps(definition()), RoleArn=role, ClientRequestToken=uuid.uuid4().hex
)
execution = sagemaker.start_pipeline_execution(
    PipelineName=name,
    PipelineParameters=[{"Name": "InputData", "Value": f"s3://{bucket}/{name}/raw"}],
    ClientRequestToken=uuid.uuid4().hex,
)["PipelineExecutionArn"]
wait(
    lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution),
    "PipelineExecutionStatus",
    "Succeeded",
)
steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution)["PipelineExecutionSteps"]
print("steps:", {step["StepName"]: step["StepStatus"] for step in steps})

package = sagemaker.list_model_packages(ModelPackageGroupName=name)["ModelPackageSummaryList"][0]["ModelPackageArn"]
sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer={"ModelPackageName": package})
sagemaker.create_endpoint_config(
    EndpointConfigName=name,
    ProductionVariants=[
        {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    ],
)
sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
wait(lambda: sagemaker.describe_endpoint(EndpointName=name), "EndpointStatus", "InService")

test = pd.read_csv(s3.get_object(Bucket=bucket, Key=f"{name}/test/test.csv")["Body"], header=None)
body = test.iloc[:, 1:].to_csv(header=False, index=False)
answer = runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Accept="text/csv", Body=body)
text = answer["Body"].read().decode().replace("\n", ",")
scores = np.array([value for value in text.split(",") if value.strip()], dtype=float)
print(f"accuracy: {float(((scores >= 0.5) == (test[0] == 1)).mean()):.3f} on {len(test)} rows")

sagemaker.delete_endpoint(EndpointName=name)
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    try:
        sagemaker.describe_endpoint(EndpointName=name)
    except sagemaker.exceptions.ClientError as error:
        print("deleted:", error.response["Error"]["Code"], error.response["Error"]["Message"][:24])
        break
    time.sleep(0.1)
