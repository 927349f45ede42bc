"""The first cell of a SageMaker notebook, with SDK 3.x."""

import json
from pathlib import Path

import boto3
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role

session = Session()
bucket = session.default_bucket()
role = get_execution_role()
Path("data").mkdir(exist_ok=True)
Path("data/train.csv").write_text("1,2\n")
uri = session.upload_data("data", bucket=bucket, key_prefix="first")
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
            "image": image_uris.retrieve("sklearn", session.boto_region_name, version="1.2-1"),
        }
    )
)
