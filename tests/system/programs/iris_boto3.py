"""The script-mode lab in plain boto3: train, deploy, predict, batch transform, clean up."""

import io
import sys
import tarfile
import uuid
from pathlib import Path

import boto3
import pandas as pd
from sagemaker import image_uris
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from waiting import wait

SOURCE = Path(sys.argv[1]) / "source"
session = boto3.Session()
region = session.region_name
sagemaker, s3, runtime = (session.client(name) for name in ("sagemaker", "s3", "sagemaker-runtime"))
role = session.client("iam").get_role(RoleName="SageMakerRole")["Role"]["Arn"]
name = f"iris-boto3-{uuid.uuid4().hex[:8]}"
image = image_uris.retrieve("sklearn", region, version="1.2-1", instance_type="ml.m5.large")
s3.create_bucket(Bucket=name)

table = load_iris(as_frame=True).frame
train, test = train_test_split(table, test_size=0.2, random_state=3, stratify=table["target"])
features = test.drop(columns="target").to_csv(index=False, header=False)
s3.put_object(Bucket=name, Key="train/train.csv", Body=train.to_csv(index=False).encode())
s3.put_object(Bucket=name, Key="batch/batch.csv", Body=features.encode())
archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w:gz") as tar:
    tar.add(SOURCE / "train.py", arcname="train.py")
s3.put_object(Bucket=name, Key="code/sourcedir.tar.gz", Body=archive.getvalue())

sagemaker.create_training_job(
    TrainingJobName=name,
    AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
    RoleArn=role,
    HyperParameters={
        "n-estimators": "50",
        "max-depth": "4",
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": f'"s3://{name}/code/sourcedir.tar.gz"',
    },
    InputDataConfig=[
        {
            "ChannelName": "train",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{name}/train"}},
        }
    ],
    OutputDataConfig={"S3OutputPath": f"s3://{name}/output"},
    ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
    StoppingCondition={"MaxRuntimeInSeconds": 600},
)
job = wait(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus", "Completed")
print("transitions:", [step["Status"] for step in job["SecondaryStatusTransitions"]])
print("outputs:", sorted(row["Key"] for row in s3.list_objects_v2(Bucket=name, Prefix="output/")["Contents"]))

sagemaker.create_model(
    ModelName=name,
    ExecutionRoleArn=role,
    PrimaryContainer={
        "Image": image,
        "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"],
        "Environment": {
            "SAGEMAKER_PROGRAM": "train.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": f"s3://{name}/code/sourcedir.tar.gz",
        },
    },
)
sagemaker.create_endpoint_config(
    EndpointConfigName=name,
    ProductionVariants=[
        {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    ],
)
sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
wait(lambda: sagemaker.describe_endpoint(EndpointName=name), "EndpointStatus", "InService")
answer = runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Accept="text/csv", Body=features)
predicted = [int(float(value)) for value in answer["Body"].read().decode().replace("\n", ",").split(",") if value]
print(f"endpoint accuracy: {sum(a == b for a, b in zip(predicted, test['target'], strict=True)) / len(test):.3f}")

sagemaker.create_transform_job(
    TransformJobName=name,
    ModelName=name,
    TransformInput={
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{name}/batch"}},
        "ContentType": "text/csv",
        "SplitType": "Line",
    },
    TransformOutput={"S3OutputPath": f"s3://{name}/transformed", "Accept": "text/csv", "AssembleWith": "Line"},
    TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
)
wait(lambda: sagemaker.describe_transform_job(TransformJobName=name), "TransformJobStatus", "Completed")
output = s3.get_object(Bucket=name, Key="transformed/batch.csv.out")["Body"]
batch = pd.read_csv(output, header=None).to_numpy().ravel().astype(int).tolist()
print("batch transform agrees with the endpoint:", batch == predicted)

sagemaker.delete_endpoint(EndpointName=name)
sagemaker.delete_endpoint_config(EndpointConfigName=name)
sagemaker.delete_model(ModelName=name)
print("cleaned up")
