"""Models: an image and the data it serves, given directly or through a model package.

The container of a stored model names its image, data and environment itself, also when they came from a package.
"""

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.resources.kind import Kind
from sagehouse.resources.listing import list_page
from sagehouse.resources.verbs import create, delete, describe
from sagehouse.services.sagemaker.image_uris import image_of
from sagehouse.services.sagemaker.members import Members
from sagehouse.services.sagemaker.registry.model_package import package_containers
from sagehouse.services.sagemaker.roles import require_role
from sagehouse.services.sagemaker.s3 import require_model_data

_CONTAINER_HONOURED = (
    "ContainerHostname",
    "Image",
    "ImageConfig.RepositoryAccessMode",
    "Mode",
    "ModelDataUrl",
    "ModelDataSource.S3DataSource.S3Uri",
    "ModelDataSource.S3DataSource.S3DataType",
    "ModelDataSource.S3DataSource.CompressionType",
    "Environment",
    "ModelPackageName",
)
_CONTAINER_REFUSED = {
    "ImageConfig.RepositoryAccessMode=Vpc": "images of private registries cannot be pulled.",
    "ImageConfig.RepositoryAuthConfig": "images of private registries cannot be pulled.",
    "Mode=MultiModel": "multi-model endpoints are not served yet; use SingleModel.",
    "InferenceSpecificationName": "the package's own InferenceSpecification is served; leave it out.",
    "MultiModelConfig": "multi-model endpoints are not served yet.",
    "ModelDataSource.S3DataSource.HubAccessConfig": "there is no model hub here.",
    "ModelDataSource.S3DataSource.ManifestS3Uri": "give the prefix of the model's files.",
    "ModelDataSource.S3DataSource.ETag": "the object of the moment is served.",
    "ModelDataSource.S3DataSource.ManifestEtag": "the objects of the moment are served.",
    "AdditionalModelDataSources": "one model per container is served.",
}
_CONTAINER_NOT_HONOURED = {
    "ModelDataSource.S3DataSource.ModelAccessConfig": "There are no gated models here.",
    "ContainerMetricsConfig": "The container's own metrics are not collected.",
}
_PREFIXES = ("PrimaryContainer.", "Containers[].")

MEMBERS = Members(
    operation="CreateModel",
    honoured=frozenset(
        {
            "ModelName",
            "ExecutionRoleArn",
            "Tags",
            "EnableNetworkIsolation",
            "InferenceExecutionConfig",
            *(prefix + path for prefix in _PREFIXES for path in _CONTAINER_HONOURED),
        }
    ),
    refused={
        **{prefix + path: why for prefix in _PREFIXES for path, why in _CONTAINER_REFUSED.items()},
        "InferenceExecutionConfig.Mode=Direct": "there is one container; use Serial.",
    },
    not_honoured={
        **{prefix + path: why for prefix in _PREFIXES for path, why in _CONTAINER_NOT_HONOURED.items()},
        "VpcConfig": "The model has the network of this machine.",
    },
)


def _check(request: Document) -> None:
    MEMBERS.refuse(request)
    if request.get("PrimaryContainer") and request.get("Containers"):
        raise Invalid("Exactly one of PrimaryContainer or Containers must be provided; both were given.")
    if not request.get("PrimaryContainer") and not request.get("Containers"):
        raise Invalid("Exactly one of PrimaryContainer or Containers must be provided; neither was given.")
    if len(request.get("Containers") or ()) > 1:
        raise Invalid(
            "CreateModel: sagehouse does not implement Containers of more than one container (inference pipelines)."
        )
    container = _given(request)
    if "Image" in container and "ModelPackageName" in container:
        raise Invalid("A container has either Image or ModelPackageName; both were given.")
    if "Image" not in container and "ModelPackageName" not in container:
        raise Invalid("A container needs Image or ModelPackageName; neither was given.")
    _check_data(container)


def _check_data(container: Document) -> None:
    if "ModelDataUrl" in container and "ModelDataSource" in container:
        raise Invalid("A container has either ModelDataUrl or ModelDataSource; both were given.")
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source and source["CompressionType"] == "Gzip" and source["S3DataType"] == "S3Prefix":
        raise Invalid("ModelDataSource: CompressionType Gzip needs S3DataType S3Object.")


def _given(request: Document) -> Document:
    """Return the one container of a request or document."""
    container: Document = request.get("PrimaryContainer") or request["Containers"][0]
    return container


def _prepare(_call: Call, document: Document) -> Document:
    return {"EnableNetworkIsolation": False, **document}


def _present(_call: Call, document: Document) -> Document:
    """Show the data of a model in both spellings, as AWS does when it was given as ModelDataUrl.

    Source: observed answers of DescribeModel, 2024 and 2025.
    """
    container = _given(document)
    if "ModelDataUrl" not in container or "ModelDataSource" in container:
        return document
    source = {"S3Uri": container["ModelDataUrl"], "S3DataType": "S3Object", "CompressionType": "Gzip"}
    shown = {**container, "ModelDataSource": {"S3DataSource": source}}
    return {**document, **({"PrimaryContainer": shown} if "PrimaryContainer" in document else {"Containers": [shown]})}


KIND = Kind(
    name="Model",
    name_member="ModelName",
    arn_member="ModelArn",
    arn_resource="model/{name}",
    summaries_member="Models",
    modified_member="",
    prepare=_prepare,
    present=_present,
)


async def create_model(house: House, call: Call, request: Document) -> Document:
    """Store a model whose image is known and whose data exists; a package's version must be approved."""
    _check(request)
    if "ExecutionRoleArn" in request:
        await require_role(house, call, request["ExecutionRoleArn"])
    container = await _resolved(house, call, _given(request))
    image_of(container["Image"])
    role = request.get("ExecutionRoleArn", "")
    if "ModelDataUrl" in container:
        await require_model_data(house, call, container["ModelDataUrl"], role=role, is_prefix=False)
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source:
        is_prefix = source["S3DataType"] == "S3Prefix"
        await require_model_data(house, call, source["S3Uri"], role=role, is_prefix=is_prefix)
    shown = {"Mode": "SingleModel", **_given(request), **container}
    containers = {"PrimaryContainer": shown} if request.get("PrimaryContainer") else {"Containers": [shown]}
    stored = await create(house, call, KIND, {**request, **containers})
    return {"ModelArn": stored.arn}


async def _resolved(house: House, call: Call, container: Document) -> Document:
    """Return Image, data and Environment of a container; the request's Environment goes before its package's."""
    members = ("Image", "ModelDataUrl", "ModelDataSource", "Environment")
    if "ModelPackageName" in container:
        name = container["ModelPackageName"]
        packaged = await package_containers(house, call, name)
        if len(packaged) != 1:
            raise Invalid(
                f"CreateModel: sagehouse does not implement model packages of {len(packaged)} containers "
                f"(inference pipelines): {name}."
            )
        environment = {**packaged[0].get("Environment", {}), **container.get("Environment", {})}
        container = {**packaged[0], **container, "Environment": environment}
        if "Image" not in container:
            raise Invalid(f"Model package {name} names no image to create a model from.")
        _check_data(container)
    resolved = {member: container[member] for member in members if member in container}
    return {"Environment": {}, **resolved}


async def describe_model(house: House, call: Call, request: Document) -> Document:
    return await describe(house, call, KIND, request)


async def list_models(house: House, call: Call, request: Document) -> Document:
    return await list_page(house, call, KIND, request)


async def delete_model(house: House, call: Call, request: Document) -> Document:
    """Delete a model; endpoints that serve it go on serving it."""
    await delete(house, call, KIND, request["ModelName"])
    return {}
