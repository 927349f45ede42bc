"""Endpoint configurations: which model on how many instances. One instance variant each, for now."""

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.resources.kind import Kind
from sagehouse.resources.listing import list_page
from sagehouse.resources.verbs import create, delete, describe, load
from sagehouse.services.sagemaker.endpoints.model import KIND as MODEL
from sagehouse.services.sagemaker.members import Members

MEMBERS = Members(
    operation="CreateEndpointConfig",
    honoured=frozenset(
        {
            "EndpointConfigName",
            "ProductionVariants[].VariantName",
            "ProductionVariants[].ModelName",
            "ProductionVariants[].InitialInstanceCount",
            "ProductionVariants[].InstanceType",
            "ProductionVariants[].InitialVariantWeight",
            "ProductionVariants[].ContainerStartupHealthCheckTimeoutInSeconds",
            "DataCaptureConfig.EnableCapture",
            "EnableNetworkIsolation",
            "Tags",
        }
    ),
    refused={
        "ProductionVariants[].ServerlessConfig": "serverless variants are not served yet; give InstanceType.",
        "ProductionVariants[].InstancePools": "give one InstanceType.",
        "ProductionVariants[].AcceleratorType": "there is no Elastic Inference here; leave it out.",
        "ProductionVariants[].CoreDumpConfig": "core dumps are not collected; leave it out.",
        "ProductionVariants[].ManagedInstanceScaling": "instances are not scaled automatically yet; leave it out.",
        "ProductionVariants[].CapacityReservationConfig": "there are no capacity reservations here.",
        "ProductionVariants[].AcceleratorPartitionLayouts": "accelerators are not partitioned; leave it out.",
        "ProductionVariants[].RoutingConfig.RoutingStrategy=PREFIX_AWARE": "use LEAST_OUTSTANDING_REQUESTS.",
        "ProductionVariants[].RoutingConfig.RoutingStrategy=KV_AWARE": "use LEAST_OUTSTANDING_REQUESTS.",
        "ProductionVariants[].RoutingConfig.PrefixAwareRoutingConfig": "use LEAST_OUTSTANDING_REQUESTS.",
        "DataCaptureConfig.EnableCapture=True": "data is not captured yet; leave DataCaptureConfig out.",
        "AsyncInferenceConfig": "asynchronous endpoints are not served yet.",
        "ExplainerConfig": "endpoints do not explain predictions yet.",
        "ShadowProductionVariants": "shadow variants are not served yet.",
        "ExecutionRoleArn": "it belongs to inference components, which are not served yet.",
        "CrossRegionTrafficConfig": "there is one machine.",
    },
    not_honoured={
        "ProductionVariants[].VariantInstanceProvisionTimeoutInSeconds": "Instances need no provisioning.",
        "ProductionVariants[].VolumeSizeInGB": "The model may use the disk of this machine.",
        "ProductionVariants[].ModelDataDownloadTimeoutInSeconds": "Model data is on this machine already.",
        "ProductionVariants[].EnableSSMAccess": "There is no remote access to the container.",
        "ProductionVariants[].RoutingConfig.RoutingStrategy": "Requests always go to the least busy replica.",
        "ProductionVariants[].InferenceAmiVersion": "There are no machine images here.",
        "DataCaptureConfig.InitialSamplingPercentage": "Capture is off.",
        "DataCaptureConfig.DestinationS3Uri": "Capture is off.",
        "DataCaptureConfig.KmsKeyId": "Capture is off.",
        "DataCaptureConfig.CaptureOptions": "Capture is off.",
        "DataCaptureConfig.CaptureContentTypeHeader": "Capture is off.",
        "KmsKeyId": "The instances' disks are not encrypted.",
        "VpcConfig": "The endpoint has the network of this machine.",
        "MetricsConfig": "Metrics are not published.",
    },
)


def _check(_call: Call, request: Document) -> None:
    MEMBERS.refuse(request)
    variants = request["ProductionVariants"]
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) < len(names):
        raise Invalid(f"The names of production variants must be unique, not {', '.join(names)}.")
    if len(variants) > 1:
        raise Invalid(
            "CreateEndpointConfig: sagehouse does not implement ProductionVariants of more than one variant yet; "
            f"give one of {', '.join(names)}."
        )
    for variant in variants:
        _check_variant(variant)


def _check_variant(variant: Document) -> None:
    name = variant["VariantName"]
    if not variant.get("ModelName"):
        raise Invalid(
            f"ProductionVariants: {name!r} has no ModelName; sagehouse does not implement inference components yet."
        )
    if not variant.get("InstanceType"):
        raise Invalid(f"ProductionVariants: {name!r} has no InstanceType.")
    if not variant.get("InitialInstanceCount"):
        raise Invalid(f"ProductionVariants: {name!r} has no InitialInstanceCount.")


def _prepare(_call: Call, document: Document) -> Document:
    variants = [{"InitialVariantWeight": 1.0, **variant} for variant in document["ProductionVariants"]]
    return {"EnableNetworkIsolation": False, **document, "ProductionVariants": variants}


KIND = Kind(
    name="EndpointConfig",
    name_member="EndpointConfigName",
    arn_member="EndpointConfigArn",
    arn_resource="endpoint-config/{name}",
    summaries_member="EndpointConfigs",
    modified_member="",
    missing=lambda arn, _name: Invalid(f'Could not find endpoint configuration "{arn}".'),
    taken=lambda arn, _name: Invalid(f'Cannot create already existing endpoint configuration "{arn}".'),
    check=_check,
    prepare=_prepare,
)


async def create_endpoint_config(house: House, call: Call, request: Document) -> Document:
    """Store a configuration whose models exist."""
    KIND.check(call, request)
    for variant in request["ProductionVariants"]:
        await load(house, call, MODEL, variant["ModelName"])
    stored = await create(house, call, KIND, request)
    return {"EndpointConfigArn": stored.arn}


async def describe_endpoint_config(house: House, call: Call, request: Document) -> Document:
    return await describe(house, call, KIND, request)


async def list_endpoint_configs(house: House, call: Call, request: Document) -> Document:
    return await list_page(house, call, KIND, request)


async def delete_endpoint_config(house: House, call: Call, request: Document) -> Document:
    """Delete a configuration; endpoints made from it stay as they are."""
    await delete(house, call, KIND, request["EndpointConfigName"])
    return {}
