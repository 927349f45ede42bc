"""Documents of jobs as their services store them."""

from sagehouse.kit.document import Document

ACCOUNT, REGION = "123456789012", "us-east-1"
BUCKET = "sagemaker-us-east-1-123456789012"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"


def a_training_job(name: str = "job", **changes) -> Document:
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{name.lower()}"
    return {
        "TrainingJobName": name,
        "TrainingJobArn": arn,
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
        "SecondaryStatusTransitions": [
            {"Status": "Starting", "StartTime": 1_700_000_000.0, "StatusMessage": "Starting the training job"}
        ],
        "CreationTime": 1_700_000_000.0,
        "LastModifiedTime": 1_700_000_000.0,
        "HyperParameters": {"epochs": "10"},
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/SageMakerRole",
        "InputDataConfig": [a_channel("train", "data/train/")],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out", "KmsKeyId": ""},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        **changes,
    }


def a_channel(name: str, prefix: str, **source) -> Document:
    config = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{prefix}", **source}
    return {"ChannelName": name, "DataSource": {"S3DataSource": config}}


def a_processing_job(name: str = "job", **changes) -> Document:
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:processing-job/{name.lower()}"
    return {
        "ProcessingJobName": name,
        "ProcessingJobArn": arn,
        "ProcessingJobStatus": "InProgress",
        "CreationTime": 1_700_000_000.0,
        "LastModifiedTime": 1_700_000_000.0,
        "AppSpecification": {
            "ImageUri": IMAGE,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/pre.py"],
            "ContainerArguments": ["--ratio", "0.2"],
        },
        "ProcessingInputs": [an_input("code", "code/pre.py", "/opt/ml/processing/input/code")],
        "ProcessingOutputConfig": {"Outputs": [an_output("train", "/opt/ml/processing/train", "made/train")]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
        },
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/SageMakerRole",
        **changes,
    }


def an_input(name: str, prefix: str, path: str, **source) -> Document:
    config = {"S3Uri": f"s3://{BUCKET}/{prefix}", "LocalPath": path, "S3DataType": "S3Prefix", **source}
    return {"InputName": name, "AppManaged": False, "S3Input": {"S3InputMode": "File", **config}}


def an_output(name: str, path: str, prefix: str, mode: str = "EndOfJob") -> Document:
    target = {"S3Uri": f"s3://{BUCKET}/{prefix}", "LocalPath": path, "S3UploadMode": mode}
    return {"OutputName": name, "AppManaged": False, "S3Output": target}
