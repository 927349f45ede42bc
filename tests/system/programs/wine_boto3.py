"""Process, train and deploy the wine model in plain boto3, as the modern SDK's example does."""

import io
import json
import sys
import tarfile
import uuid
from pathlib import Path

import boto3
from sagemaker.core import image_uris
from sklearn.datasets import load_wine
from waiting import wait

SOURCE = Path(sys.argv[1]) / "source"
session = boto3.Session()
sagemaker, s3, runtime = (session.client(name) for name in ("sagemaker", "s3", "sagemaker-runtime"))
role = session.client("iam").get_role(RoleName="SageMakerRole")["Role"]["Arn"]
name = f"wine-boto3-{uuid.uuid4().hex[:8]}"
image = image_uris.retrieve("sklearn", session.region_name, version="1.2-1", instance_type="ml.m5.large")
s3.create_bucket(Bucket=name)
s3.put_object(Bucket=name, Key="raw/wine.csv", Body=load_wine(as_frame=True).frame.to_csv(index=False).encode())
s3.upload_file(str(SOURCE / "split.py"), name, "code/split.py")


def s3_input(key: str, uri: str, path: str) -> dict:
    return {
        "InputName": key,
        "S3Input": {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"},
    }


def s3_output(key: str) -> dict:
    path = f"/opt/ml/processing/{key}"
    output = {"S3Uri": f"s3://{name}/{key}", "LocalPath": path, "S3UploadMode": "EndOfJob"}
    return {"OutputName": key, "S3Output": output}


sagemaker.create_processing_job(
    ProcessingJobName=name,
    RoleArn=role,
    AppSpecification={
        "ImageUri": image,
        "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/split.py"],
    },
    ProcessingResources={"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}},
    ProcessingInputs=[
        s3_input("raw", f"s3://{name}/raw", "/opt/ml/processing/input/raw"),
        s3_input("code", f"s3://{name}/code/split.py", "/opt/ml/processing/input/code"),
    ],
    ProcessingOutputConfig={"Outputs": [s3_output("train"), s3_output("test")]},
)
wait(lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus", "Completed")

archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w:gz") as tar:
    for script in ("train.py", "inference.py"):
        tar.add(SOURCE / script, arcname=script)
s3.put_object(Bucket=name, Key="code/sourcedir.tar.gz", Body=archive.getvalue())
sagemaker.create_training_job(
    TrainingJobName=name,
    AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
    RoleArn=role,
    HyperParameters={
        "n-estimators": "60",
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": f"s3://{name}/code/sourcedir.tar.gz",
    },
    InputDataConfig=[
        {
            "ChannelName": "train",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{name}/train"}},
        }
    ],
    OutputDataConfig={"S3OutputPath": f"s3://{name}/models"},
    ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
    StoppingCondition={"MaxRuntimeInSeconds": 600},
)
job = wait(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus", "Completed")

sagemaker.create_model(
    ModelName=name,
    ExecutionRoleArn=role,
    Containers=[
        {
            "Image": image,
            "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"],
            "Environment": {
                "SAGEMAKER_PROGRAM": "inference.py",
                "SAGEMAKER_SUBMIT_DIRECTORY": f"s3://{name}/code/sourcedir.tar.gz",
            },
        }
    ],
)
sagemaker.create_endpoint_config(
    EndpointConfigName=name,
    ProductionVariants=[
        {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    ],
)
sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
wait(lambda: sagemaker.describe_endpoint(EndpointName=name), "EndpointStatus", "InService")

test = s3.get_object(Bucket=name, Key="test/test.csv")["Body"].read().decode().splitlines()[1:]
rows = [line.split(",") for line in test]
answer = runtime.invoke_endpoint(
    EndpointName=name,
    ContentType="application/json",
    Accept="application/json",
    Body=json.dumps([[float(value) for value in row[:-1]] for row in rows]),
)
predicted = json.loads(answer["Body"].read())
right = sum(int(guess) == int(row[-1]) for guess, row in zip(predicted, rows, strict=True))
print(f"endpoint accuracy: {right / len(rows):.3f} on {len(rows)} wines")

sagemaker.delete_endpoint(EndpointName=name)
sagemaker.delete_endpoint_config(EndpointConfigName=name)
sagemaker.delete_model(ModelName=name)
print("cleaned up")
