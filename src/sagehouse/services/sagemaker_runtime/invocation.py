"""InvokeEndpoint: bytes and headers to a model, bytes and headers back. The payload is never read."""

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid, NotFound, Unavailable
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Key
from sagehouse.ports.house import House
from sagehouse.ports.serving import EndpointKey
from sagehouse.services.sagemaker_runtime import refusal

_TO_MODEL = (
    ("ContentType", "content-type"),
    ("Accept", "accept"),
    ("CustomAttributes", "x-amzn-sagemaker-custom-attributes"),
    ("TargetVariant", "x-amzn-sagemaker-target-variant"),
    ("InferenceId", "x-amzn-sagemaker-inference-id"),
)
"""Request member -> header of the container. Source: developer guide, "How containers serve inference requests"."""
_SERVING = frozenset({"InService", "Updating", "SystemUpdating", "RollingBack"})


async def invoke_endpoint(house: House, call: Call, request: Document) -> Document:
    """Return what the model says.

    A model's own error is a ModelError with its status and words. An endpoint that exists but has no replica to answer
    (all restarting, or the house itself just started) is ServiceUnavailable, which clients retry.
    """
    refusal.check_members(call, request)
    name, variant = request["EndpointName"], request.get("TargetVariant")
    key = EndpointKey(account=call.account, region=call.region, name=name.lower())
    headers = {header: request[member] for member, header in _TO_MODEL if member in request}
    try:
        answer = await house.serving.invoke(key, variant=variant, headers=headers, body=request.get("Body", b""))
    except NotFound as missing:
        if await _is_serving(house, call, name):
            raise refusal.not_ready(call, name) from missing
        raise refusal.no_such_endpoint(call, name) from missing
    except Invalid as missing:
        raise refusal.no_such_variant(call, name, variant or "") from missing
    except Unavailable as silence:
        raise refusal.of_silence(call, silence, name=name, log_group=_log_group(house, key, name)) from silence
    if not 200 <= answer.status < 300:
        raise refusal.of_answer(call, answer, log_group=_log_group(house, key, name))
    response: Document = {"Body": answer.body, "InvokedProductionVariant": answer.variant}
    if "content-type" in answer.headers:
        response["ContentType"] = answer.headers["content-type"]
    if "x-amzn-sagemaker-custom-attributes" in answer.headers:
        response["CustomAttributes"] = answer.headers["x-amzn-sagemaker-custom-attributes"]
    return response


async def _is_serving(house: House, call: Call, name: str) -> bool:
    """Whether the catalog knows it as serving: asked only once the data plane knew nothing of it."""
    stored = await house.catalog.get(Key(account=call.account, region=call.region, kind="Endpoint", name=name))
    return stored is not None and stored.status in _SERVING


def _log_group(house: House, key: EndpointKey, name: str) -> str:
    routed = next((route.log_group for route in house.serving.routes() if route.key == key), None)
    return routed or f"/aws/sagemaker/Endpoints/{name}"
