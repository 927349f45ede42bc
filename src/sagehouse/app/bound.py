"""Every service that is bound, by botocore's name: the only list of them."""

from collections.abc import Mapping

from sagehouse.ports.house import Operation
from sagehouse.services import iam, logs, s3, sagemaker, sagemaker_runtime, sts

SERVICES: Mapping[str, Mapping[str, Operation]] = {
    "iam": iam.OPERATIONS,
    "logs": logs.OPERATIONS,
    "s3": s3.OPERATIONS,
    "sagemaker": sagemaker.OPERATIONS,
    "sagemaker-runtime": sagemaker_runtime.OPERATIONS,
    "sts": sts.OPERATIONS,
}
