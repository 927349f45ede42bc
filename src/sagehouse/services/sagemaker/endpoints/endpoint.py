"""Endpoints: what one should serve. The endpoints controller makes it so and moves it on.

While Creating, `EndpointConfigName` is the configuration to bring up; while Updating, that of
`PendingDeploymentSummary` is, and the controller takes the summary off when the update ends. The summary's
`ProductionVariants` say how many instances (DesiredInstanceCount) and which weight are wished of each.
"""

from collections.abc import Sequence

from sagehouse.domain.lifecycle import ENDPOINT
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Stored
from sagehouse.ports.house import House
from sagehouse.resources.kind import Kind
from sagehouse.resources.listing import list_page
from sagehouse.resources.transition import move
from sagehouse.resources.verbs import create, describe, load
from sagehouse.services.sagemaker.endpoints.endpoint_config import KIND as ENDPOINT_CONFIG
from sagehouse.services.sagemaker.endpoints.model import KIND as MODEL
from sagehouse.services.sagemaker.members import Members

_ALL_AT_ONCE = "endpoints are updated blue/green, all at once; leave it out."

MEMBERS = Members(
    operation="CreateEndpoint",
    honoured=frozenset({"EndpointName", "EndpointConfigName", "Tags"}),
    refused={"DeploymentConfig": _ALL_AT_ONCE},
)
UPDATE_MEMBERS = Members(
    operation="UpdateEndpoint",
    honoured=frozenset(
        {"EndpointName", "EndpointConfigName", "RetainAllVariantProperties", "ExcludeRetainedVariantProperties"}
    ),
    refused={"DeploymentConfig": _ALL_AT_ONCE, "RetainDeploymentConfig": _ALL_AT_ONCE},
)
WEIGHTS_MEMBERS = Members(
    operation="UpdateEndpointWeightsAndCapacities",
    honoured=frozenset(
        {
            "EndpointName",
            "DesiredWeightsAndCapacities[].VariantName",
            "DesiredWeightsAndCapacities[].DesiredWeight",
            "DesiredWeightsAndCapacities[].DesiredInstanceCount",
        }
    ),
    refused={"DesiredWeightsAndCapacities[].ServerlessUpdateConfig": "serverless variants are not served yet."},
)

KIND = Kind(
    name="Endpoint",
    name_member="EndpointName",
    arn_member="EndpointArn",
    arn_resource="endpoint/{name}",
    summaries_member="Endpoints",
    lifecycle=ENDPOINT,
    first_status="Creating",
)


async def create_endpoint(house: House, call: Call, request: Document) -> Document:
    """Store the endpoint with all it takes to start it, and wake its controller."""
    MEMBERS.refuse(request)
    config = await _config(house, call, request["EndpointConfigName"])
    wished = {
        **request,
        "EndpointConfigName": config["EndpointConfigName"],
        "ProductionVariants": _variants(config, current=()),
    }
    stored = await create(house, call, KIND, wished)
    return {"EndpointArn": stored.arn}


async def describe_endpoint(house: House, call: Call, request: Document) -> Document:
    return await describe(house, call, KIND, request)


async def list_endpoints(house: House, call: Call, request: Document) -> Document:
    return await list_page(house, call, KIND, request)


async def update_endpoint(house: House, call: Call, request: Document) -> Document:
    """Ask for another configuration; the endpoint serves the old one until the new one is ready."""
    UPDATE_MEMBERS.refuse(request)
    await load(house, call, KIND, request["EndpointName"])
    config = await _config(house, call, request["EndpointConfigName"])
    kept = _kept(request)

    def updating(stored: Stored) -> Document:
        _require_settled(stored)
        variants = _variants(config, current=stored.document["ProductionVariants"], kept=kept)
        return _pending(call, stored.document, config["EndpointConfigName"], variants)

    stored = await move(house, call, KIND, request["EndpointName"], updating, to="Updating")
    return {"EndpointArn": stored.arn}


async def update_endpoint_weights_and_capacities(house: House, call: Call, request: Document) -> Document:
    """Ask for another number of instances, or another weight, of variants that are served."""
    WEIGHTS_MEMBERS.refuse(request)

    def updating(stored: Stored) -> Document:
        _require_settled(stored)
        variants = [_wished(variant) for variant in stored.document["ProductionVariants"]]
        by_name = {variant["VariantName"]: variant for variant in variants}
        for wish in request["DesiredWeightsAndCapacities"]:
            if wish["VariantName"] not in by_name:
                raise Invalid(
                    f"Endpoint {stored.key.name!r} has no variant {wish['VariantName']!r}; it has {', '.join(by_name)}."
                )
            if wish.get("DesiredInstanceCount", 1) < 1:
                raise Invalid(f"The DesiredInstanceCount of {wish['VariantName']!r} must be at least 1.")
            if wish.get("DesiredWeight", 0.0) < 0:
                raise Invalid(f"The DesiredWeight of {wish['VariantName']!r} must not be negative.")
            by_name[wish["VariantName"]].update(wish)
        return _pending(call, stored.document, stored.document["EndpointConfigName"], variants)

    stored = await move(house, call, KIND, request["EndpointName"], updating, to="Updating")
    return {"EndpointArn": stored.arn}


async def delete_endpoint(house: House, call: Call, request: Document) -> Document:
    """Ask the controller to stop serving; the endpoint is gone when it has. Its configuration and models stay."""

    def deleting(stored: Stored) -> Document:
        if stored.status == "Deleting":
            raise _in_progress(stored)
        return stored.document

    await move(house, call, KIND, request["EndpointName"], deleting, to="Deleting")
    return {}


async def _config(house: House, call: Call, name: str) -> Document:
    """Return a configuration whose models all exist."""
    config = await load(house, call, ENDPOINT_CONFIG, name)
    for variant in config.document["ProductionVariants"]:
        await load(house, call, MODEL, variant["ModelName"])
    return config.document


def _variants(config: Document, *, current: Sequence[Document], kept: frozenset[str] = frozenset()) -> list[Document]:
    """Return what is wished of a configuration's variants; properties to be kept come from the current ones."""
    before = {variant["VariantName"]: variant for variant in current}
    variants = []
    for variant in config["ProductionVariants"]:
        wished: Document = {
            "VariantName": variant["VariantName"],
            "DesiredWeight": variant["InitialVariantWeight"],
            "DesiredInstanceCount": variant["InitialInstanceCount"],
            "CurrentWeight": 0.0,
            "CurrentInstanceCount": 0,
        }
        held = before.get(variant["VariantName"], {})
        wished |= {member: held[member] for member in kept if member in held}
        variants.append(wished)
    return variants


def _wished(variant: Document) -> Document:
    members = ("VariantName", "DesiredWeight", "DesiredInstanceCount", "CurrentWeight", "CurrentInstanceCount")
    return {member: variant[member] for member in members if member in variant}


def _kept(request: Document) -> frozenset[str]:
    """Return the variant properties an update leaves alone. Source: API reference, UpdateEndpoint."""
    if not request.get("RetainAllVariantProperties"):
        return frozenset()
    excluded = {one["VariantPropertyType"] for one in request.get("ExcludeRetainedVariantProperties") or ()}
    return frozenset({"DesiredInstanceCount", "DesiredWeight"} - excluded)


def _pending(call: Call, document: Document, config_name: str, variants: list[Document]) -> Document:
    summary = {"EndpointConfigName": config_name, "ProductionVariants": variants, "StartTime": call.now}
    return {**document, "PendingDeploymentSummary": summary}


def _require_settled(stored: Stored) -> None:
    if stored.status not in {"InService", "Failed"}:
        raise _in_progress(stored)


def _in_progress(stored: Stored) -> Invalid:
    """Source: wire observations of UpdateEndpoint and DeleteEndpoint."""
    return Invalid(f'Cannot update in-progress endpoint "{stored.arn}".')
