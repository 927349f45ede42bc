"""Whether what a model package names can be served one day: known images, model data that exists."""

from collections.abc import Iterator

from sagehouse.kit.document import Document
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.services.sagemaker.image_uris import image_of
from sagehouse.services.sagemaker.s3 import require_model_data


async def require_containers(house: House, call: Call, request: Document) -> None:
    """Invalid, as for a model, unless every image is known and all model data exists.

    Not looked at: the images of additional specifications (other hardware), which are never served here; and nothing
    at all if the request asks to skip validation.
    """
    if request.get("SkipModelValidation") == "All":
        return
    own = request.get("InferenceSpecification", {}).get("Containers", ())
    for container in own:
        if "Image" in container:
            image_of(container["Image"])
    for container in (*own, *_additional(request)):
        if "ModelDataUrl" in container:
            await require_model_data(house, call, container["ModelDataUrl"], role=call.principal, is_prefix=False)
        source = container.get("ModelDataSource", {}).get("S3DataSource")
        if source:
            is_prefix = source["S3DataType"] == "S3Prefix"
            await require_model_data(house, call, source["S3Uri"], role=call.principal, is_prefix=is_prefix)


def _additional(request: Document) -> Iterator[Document]:
    for member in ("AdditionalInferenceSpecifications", "AdditionalInferenceSpecificationsToAdd"):
        for specification in request.get(member, ()):
            yield from specification["Containers"]
