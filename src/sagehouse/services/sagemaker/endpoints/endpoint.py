"""Endpoints: what one should serve. The endpoints controller makes it so and moves it on.

While Creating, `EndpointConfigName` is the configuration to bring up; while Updating, that of
`PendingDeploymentSummary` is, and the controller takes the summary off when the update ends.
"""

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
from sagehouse.services.sagemaker.quotas import check_instances

_ALL_AT_ONCE = "endpoints are updated blue/green, all at once; leave it out."

MEMBERS = Members(
    operation="CreateEndpoint",
    honoured=frozenset({"EndpointName", "EndpointConfigName", "Tags"}),
    refused={"DeploymentConfig": _ALL_AT_ONCE},
)
UPDATE_MEMBERS = Members(
    operation="UpdateEndpoint",
    honoured=frozenset({"EndpointName", "EndpointConfigName"}),
    refused={
        "RetainAllVariantProperties": "the new configuration says how many instances there are.",
        "ExcludeRetainedVariantProperties": "it belongs to RetainAllVariantProperties.",
        "DeploymentConfig": _ALL_AT_ONCE,
        "RetainDeploymentConfig": _ALL_AT_ONCE,
    },
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
        "ProductionVariants": _variants(config),
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

    def updating(stored: Stored) -> Document:
        if stored.status not in {"InService", "Failed"}:
            raise _in_progress(stored)
        summary = {
            "EndpointConfigName": config["EndpointConfigName"],
            "ProductionVariants": _variants(config),
            "StartTime": call.now,
        }
        return {**stored.document, "PendingDeploymentSummary": summary}

    stored = await move(house, call, KIND, request["EndpointName"], updating, to="Updating")
    return {"EndpointArn": stored.arn}


async def delete_endpoint(house: House, call: Call, request: Document) -> Document:
    """Ask the controller to stop serving; the endpoint is gone when it has. Its configuration and models stay.

    An endpoint that is being created, updated or deleted is refused. Source: wire observations of DeleteEndpoint.
    """

    def deleting(stored: Stored) -> Document:
        if stored.status not in {"InService", "Failed", "OutOfService", "UpdateRollbackFailed"}:
            raise _in_progress(stored)
        return stored.document

    await move(house, call, KIND, request["EndpointName"], deleting, to="Deleting")
    return {}


async def _config(house: House, call: Call, name: str) -> Document:
    """Return a configuration whose models all exist, and that asks for no more than there may be."""
    config = await load(house, call, ENDPOINT_CONFIG, name)
    variants = config.document["ProductionVariants"]
    check_instances(((one["InstanceType"], one["InitialInstanceCount"]) for one in variants), usage="endpoint")
    for variant in variants:
        await load(house, call, MODEL, variant["ModelName"])
    return config.document


def _variants(config: Document) -> list[Document]:
    """Return what a configuration's variants are to become; nothing of them runs yet."""
    return [
        {
            "VariantName": variant["VariantName"],
            "DesiredWeight": variant["InitialVariantWeight"],
            "DesiredInstanceCount": variant["InitialInstanceCount"],
            "CurrentWeight": 0.0,
            "CurrentInstanceCount": 0,
        }
        for variant in config["ProductionVariants"]
    ]


def _in_progress(stored: Stored) -> Invalid:
    """Source: wire observations of UpdateEndpoint and DeleteEndpoint."""
    return Invalid(f'Cannot update in-progress endpoint "{stored.arn}".')
