"""Hosting: models, endpoint configurations, endpoints."""

from collections.abc import Mapping

from sagehouse.ports.house import Operation
from sagehouse.services.sagemaker.endpoints.endpoint import (
    create_endpoint,
    delete_endpoint,
    describe_endpoint,
    list_endpoints,
    update_endpoint,
)
from sagehouse.services.sagemaker.endpoints.endpoint_config import (
    create_endpoint_config,
    delete_endpoint_config,
    describe_endpoint_config,
    list_endpoint_configs,
)
from sagehouse.services.sagemaker.endpoints.model import create_model, delete_model, describe_model, list_models

OPERATIONS: Mapping[str, Operation] = {
    "CreateEndpoint": create_endpoint,
    "CreateEndpointConfig": create_endpoint_config,
    "CreateModel": create_model,
    "DeleteEndpoint": delete_endpoint,
    "DeleteEndpointConfig": delete_endpoint_config,
    "DeleteModel": delete_model,
    "DescribeEndpoint": describe_endpoint,
    "DescribeEndpointConfig": describe_endpoint_config,
    "DescribeModel": describe_model,
    "ListEndpointConfigs": list_endpoint_configs,
    "ListEndpoints": list_endpoints,
    "ListModels": list_models,
    "UpdateEndpoint": update_endpoint,
}
