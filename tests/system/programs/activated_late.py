"""A notebook whose first cell used AWS, and whose second cell points it at a house."""

import boto3

print(boto3.client("s3").meta.region_name)

import sagehouse  # noqa: E402 - in the second cell

print(sagehouse.activate(region="eu-west-1"))
print(boto3.client("sts").get_caller_identity()["Account"], boto3.client("sagemaker").meta.region_name)
