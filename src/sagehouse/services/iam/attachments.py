"""Policies of roles: managed ones attached, inline ones put."""

from urllib.parse import quote

from sagehouse.domain.policies import parse_policy
from sagehouse.kit.document import Document
from sagehouse.kit.errors import NotFound
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.services.iam.managed import is_managed_by_aws
from sagehouse.services.iam.paging import paged
from sagehouse.services.iam.policies import load_policy
from sagehouse.services.iam.roles import amend_role, load_role


async def attach_role_policy(house: House, call: Call, request: Document) -> Document:
    """Attach a managed policy; any of AWS's own is accepted. Attaching twice is no error."""
    arn = request["PolicyArn"]
    if not is_managed_by_aws(arn):
        arn = (await load_policy(house, call, arn)).arn

    def attached(role: Document) -> Document:
        return {**role, "_attached": list(dict.fromkeys([*role["_attached"], arn]))}

    await amend_role(house, call, request["RoleName"], attached)
    return {}


async def detach_role_policy(house: House, call: Call, request: Document) -> Document:
    arn = request["PolicyArn"]

    def detached(role: Document) -> Document:
        if arn not in role["_attached"]:
            raise NotFound(f"Policy {arn} was not found.")
        return {**role, "_attached": [other for other in role["_attached"] if other != arn]}

    await amend_role(house, call, request["RoleName"], detached)
    return {}


async def list_attached_role_policies(house: House, call: Call, request: Document) -> Document:
    stored = await load_role(house, call, request["RoleName"])
    prefix = request.get("PathPrefix", "/")
    rows = [
        {"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn}
        for arn in stored.document["_attached"]
        if arn.split(":policy", 1)[-1].startswith(prefix)
    ]
    return paged(request, "AttachedPolicies", rows)


async def put_role_policy(house: House, call: Call, request: Document) -> Document:
    """Add or replace an inline policy."""
    name, text = request["PolicyName"], request["PolicyDocument"]
    parse_policy(text, id=name)
    await amend_role(
        house, call, request["RoleName"], lambda role: {**role, "_inline": {**role["_inline"], name: text}}
    )
    return {}


async def get_role_policy(house: House, call: Call, request: Document) -> Document:
    stored = await load_role(house, call, request["RoleName"])
    name = request["PolicyName"]
    if name not in stored.document["_inline"]:
        raise _no_inline(name)
    return {
        "RoleName": stored.document["RoleName"],
        "PolicyName": name,
        "PolicyDocument": quote(stored.document["_inline"][name], safe=""),
    }


async def list_role_policies(house: House, call: Call, request: Document) -> Document:
    stored = await load_role(house, call, request["RoleName"])
    return paged(request, "PolicyNames", sorted(stored.document["_inline"]))


async def delete_role_policy(house: House, call: Call, request: Document) -> Document:
    name = request["PolicyName"]

    def without(role: Document) -> Document:
        if name not in role["_inline"]:
            raise _no_inline(name)
        return {**role, "_inline": {other: text for other, text in role["_inline"].items() if other != name}}

    await amend_role(house, call, request["RoleName"], without)
    return {}


def _no_inline(name: str) -> NotFound:
    return NotFound(f"The role policy with name {name} cannot be found.")
