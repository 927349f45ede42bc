"""Amazon SageMaker Runtime: asking an endpoint's model. Asynchronous and streamed invocations are not bound."""

from collections.abc import Mapping

from sagehouse.ports.house import Operation
from sagehouse.services.sagemaker_runtime.invocation import invoke_endpoint

OPERATIONS: Mapping[str, Operation] = {
    "InvokeEndpoint": invoke_endpoint,
}
