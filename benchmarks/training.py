"""A warm training job of the scikit-learn image, as boto3 asks for it."""

import io
import tarfile
import time
from typing import Any

from benchmarks.house import House

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
BUCKET = "benchmark"


def prepare(house: House, name: str, script: str) -> None:
    """Upload a script as the SDK does, as `name`/sourcedir.tar.gz, and one object for its channel."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("train.py")
        member.size = len(script.encode())
        tar.addfile(member, io.BytesIO(script.encode()))
    s3 = house.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=f"{name}/sourcedir.tar.gz", Body=archive.getvalue())
    s3.put_object(Bucket=BUCKET, Key="train/train.csv", Body=b"1,2,3\n" * 100)


def request(name: str, *, source: str, channel: str = "train/") -> dict[str, Any]:
    """Return the request for a job of this name that runs a prepared script."""
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{channel}"}}
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": "arn:aws:iam::123456789012:role/SageMakerRole",
        "HyperParameters": {
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": f'"s3://{BUCKET}/{source}/sourcedir.tar.gz"',
        },
        "InputDataConfig": [{"ChannelName": "train", "DataSource": data}],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }


def run(house: House, sagemaker: Any, asked: dict[str, Any]) -> tuple[float, float, dict[str, Any]]:
    """Run a job to its end: when it was asked for, when its end was seen (UTC s), and its description."""
    name = asked["TrainingJobName"]
    began = time.time()
    sagemaker.create_training_job(**asked)
    while True:
        house.await_change(name)
        ended = time.time()
        job = sagemaker.describe_training_job(TrainingJobName=name)
        if job["TrainingJobStatus"] == "Completed":
            return began, ended, job
        if job["TrainingJobStatus"] != "InProgress":
            raise RuntimeError(f"{name}: {job['TrainingJobStatus']}: {job.get('FailureReason')}")


def log(house: House, name: str) -> list[str]:
    """Return what a job has printed."""
    logs = house.client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name)["logStreams"]
    found = logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"], startFromHead=True)
    return [event["message"] for event in found["events"]]
