"""The managed policies of AWS that the house knows: what they grant here, in outline.

AWS's own documents are longer and change; these grant the same services. Any other `arn:aws:iam::aws:policy/...` may
be attached too, and grants nothing in a simulation.
"""

import json
from collections.abc import Mapping

_GRANTS: Mapping[str, tuple[str, ...]] = {
    "AdministratorAccess": ("*",),
    "PowerUserAccess": ("*",),
    "AmazonSageMakerFullAccess": ("*",),
    "AmazonSageMakerReadOnly": ("sagemaker:Describe*", "sagemaker:List*", "sagemaker:Get*", "sagemaker:Search"),
    "AmazonSageMakerFeatureStoreAccess": ("s3:PutObject", "s3:GetBucketAcl", "s3:PutObjectAcl", "glue:*"),
    "AmazonSageMakerPipelinesIntegrations": ("lambda:*", "sqs:*", "events:*", "elasticmapreduce:*"),
    "AmazonS3FullAccess": ("s3:*", "s3-object-lambda:*"),
    "AmazonS3ReadOnlyAccess": ("s3:Get*", "s3:List*", "s3:Describe*"),
    "AmazonAthenaFullAccess": ("athena:*", "glue:*", "s3:*"),
    "AmazonEC2ContainerRegistryFullAccess": ("ecr:*",),
    "AmazonEC2ContainerRegistryReadOnly": ("ecr:Get*", "ecr:List*", "ecr:Describe*", "ecr:BatchGetImage"),
    "CloudWatchFullAccess": ("cloudwatch:*", "logs:*"),
    "CloudWatchLogsFullAccess": ("logs:*",),
    "IAMFullAccess": ("iam:*",),
    "AWSLambda_FullAccess": ("lambda:*",),
}
_PREFIX = "arn:aws:iam::aws:policy/"


def is_managed_by_aws(arn: str) -> bool:
    return arn.startswith(_PREFIX)


def managed_document(arn: str) -> str | None:
    """Return the policy text of a managed policy of AWS, None if the house does not know it."""
    actions = _GRANTS.get(arn.rsplit("/", 1)[-1]) if is_managed_by_aws(arn) else None
    if actions is None:
        return None
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def known_managed() -> list[str]:
    """Return the ARNs of the managed policies of AWS that the house knows."""
    return [_PREFIX + name for name in _GRANTS]
