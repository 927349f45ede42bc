"""Functions as jobs and as pipeline steps with the SageMaker Python SDK 3.x: @remote and @step.

An ordinary program of the SDK. What it finds it prints as lines "name: JSON".
"""

import json
import sys

from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import get_execution_role
from sagemaker.core.remote_function import remote
from sagemaker.core.workflow.parameters import ParameterInteger
from sagemaker.mlops.workflow.function_step import step
from sagemaker.mlops.workflow.pipeline import Pipeline

VERSION = "1.2-1" if sys.version_info < (3, 12) else "1.9-0"
IMAGE = image_uris.retrieve("sklearn", "us-east-1", version=VERSION, instance_type="ml.m5.large")
JOB = {"instance_type": "ml.m5.large", "image_uri": IMAGE}


@remote(**JOB)
def divide(one: float, other: float) -> float:
    return one / other


@step(name="double", **JOB)
def double(numbers: list[int], times: int) -> dict[str, list[int]]:
    return {"doubled": [number * times for number in numbers]}


@step(name="add", **JOB)
def add(found: dict[str, list[int]]) -> int:
    import sklearn  # noqa: F401 - it is in the image

    return sum(found["doubled"])


def tell(name: str, value: object) -> None:
    print(f"\n{name}: {json.dumps(value, default=str)}")


def main() -> None:
    try:
        divide(1, 0)
    except ZeroDivisionError as error:
        tell("raised", str(error))
    times = ParameterInteger(name="Times", default_value=2)
    pipeline = Pipeline(name="sdk3-functions", parameters=[times], steps=[add(double([1, 2, 3], times))])
    pipeline.upsert(role_arn=get_execution_role())
    execution = pipeline.start(parameters={"Times": 7})
    execution.wait()
    tell("steps", sorted([each["StepName"], each["StepStatus"]] for each in execution.list_steps()))
    tell("result", execution.result("add"))


if __name__ == "__main__":
    main()
