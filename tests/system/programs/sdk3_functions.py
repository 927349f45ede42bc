"""What the SageMaker Python SDK 3.x pickles: functions as jobs and as pipeline steps, an InferenceSpec as an endpoint.

An ordinary program of the SDK. What it finds it prints as lines "name: JSON".
"""

import json
import sys
from importlib import metadata

from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import get_execution_role
from sagemaker.core.remote_function import remote
from sagemaker.core.workflow.parameters import ParameterInteger
from sagemaker.mlops.workflow.function_step import step
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.serve.builder.schema_builder import SchemaBuilder
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.serve.spec.inference_spec import InferenceSpec
from sagemaker.serve.utils.types import ModelServer

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


class Times(InferenceSpec):
    def load(self, model_dir: str) -> int:
        return 7

    def invoke(self, input_object: list[list[float]], model: int) -> list[list[float]]:
        return [[number * model for number in row] for row in input_object]


def serve() -> object:
    """Deploy the specification and ask it."""
    builder = ModelBuilder(
        inference_spec=Times(),
        schema_builder=SchemaBuilder([[1.0, 2.0]], [[7.0, 14.0]]),
        model_server=ModelServer.TORCHSERVE,
        image_uri=IMAGE,
        dependencies={"auto": False, "custom": [f"sagemaker=={metadata.version('sagemaker')}"]},
        role_arn=get_execution_role(),
    )
    builder.build(model_name="sdk3-specification")
    endpoint = builder.deploy(endpoint_name="sdk3-specification", instance_type="ml.m5.large", initial_instance_count=1)
    answer = endpoint.invoke(body=json.dumps([[1.0, 3.0]]), content_type="application/json")
    endpoint.delete()
    return json.loads(answer.body.read())


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
    tell("served", serve())


if __name__ == "__main__":
    main()
