"""The first cell of every SageMaker notebook, with SDK 2.x."""

import json
from pathlib import Path

import boto3
import sagemaker
from sagemaker.sklearn import SKLearn

session = sagemaker.Session()
bucket = session.default_bucket()
role = sagemaker.get_execution_role()
Path("data").mkdir(exist_ok=True)
Path("data/train.csv").write_text("1,2\n")
uri = session.upload_data("data", key_prefix="first")
estimator = SKLearn(
    entry_point="train.py", framework_version="1.2-1", instance_type="ml.m5.large", role="SageMakerRole"
)
identity = boto3.client("sts").get_caller_identity()
print(
    json.dumps(
        {
            "bucket": bucket,
            "role": role,
            "uri": uri,
            "read": session.read_s3_file(bucket, "first/train.csv"),
            "listed": session.list_s3_files(bucket, "first"),
            "region": session.boto_region_name,
            "account": identity["Account"],
            "caller": identity["Arn"],
            "image": estimator.training_image_uri(),
        }
    )
)
