"""Roles. They are global to the account; answers carry policy documents URL-encoded, as IAM's do.

The role SageMakerRole is always there. Documents keep attached policies under "_attached" (ARNs) and inline ones under
"_inline" (name -> text).
"""

import base64
import hashlib
import json
from collections.abc import Callable
from urllib.parse import quote

from sagehouse.domain.policies import parse_policy
from sagehouse.kit.arn import Arn
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, Denied, InUse, Invalid, NotFound
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Delete, DropTags, Insert, Key, PutTags, Query, Replace, Stored
from sagehouse.ports.house import House
from sagehouse.resources.tagging import listed, tags_of
from sagehouse.resources.verbs import ATTEMPTS
from sagehouse.services.iam.paging import DEFAULT_ITEMS, paged

ROLE = "iam:Role"
DEFAULT_ROLE = "SageMakerRole"
FULL_ACCESS = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
_SESSION_S = 3_600
_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def role_key(call: Call, name: str) -> Key:
    return Key(account=call.account, region="", kind=ROLE, name=name)


async def create_role(house: House, call: Call, request: Document) -> Document:
    """Create a role; EntityAlreadyExists if the name is taken, in any case."""
    parse_policy(request["AssumeRolePolicyDocument"], id="trust")
    if request["RoleName"].lower() == DEFAULT_ROLE.lower():
        await load_role(house, call, DEFAULT_ROLE)
    stored = await _insert(house, call, request)
    return {"Role": await _shown(house, stored)}


async def _insert(house: House, call: Call, request: Document) -> Stored:
    name, path = request["RoleName"], request.get("Path", "/")
    arn = str(Arn(service="iam", region="", account=call.account, resource=f"role{path}{name}"))
    document = {
        "Path": path,
        "RoleName": name,
        "RoleId": "AROA" + base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:17],
        "Arn": arn,
        "CreateDate": call.now,
        "AssumeRolePolicyDocument": request["AssumeRolePolicyDocument"],
        "MaxSessionDuration": request.get("MaxSessionDuration", _SESSION_S),
        "_attached": request.get("_attached", []),
        "_inline": {},
    }
    if "Description" in request:
        document["Description"] = request["Description"]
    if "PermissionsBoundary" in request:
        document["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": request["PermissionsBoundary"],
        }
    insert = Insert(
        key=role_key(call, name),
        arn=arn,
        document=document,
        now=call.now,
        tags=tags_of(request.get("Tags", [])),
        who=call.principal,
        why=call.operation,
    )
    try:
        return (await house.catalog.write(insert))[0]
    except Conflict as error:
        if error.code != "AlreadyExists":
            raise
        raise InUse(f"Role with name {name} already exists.") from error


async def ensure_role(house: House, call: Call, arn: str) -> Stored:
    """Return the role of an ARN; one of the caller's account comes into being when a program names it."""
    parsed = Arn.parse(arn)
    if parsed.service != "iam" or not parsed.resource.startswith("role/"):
        raise Invalid(f"{arn} is not the ARN of a role; users and groups do not exist here.", code="InvalidInput")
    path, _, name = parsed.resource.removeprefix("role").rpartition("/")
    if parsed.account != call.account:
        raise _missing(name)
    stored = await house.catalog.get(role_key(call, name))
    return stored if stored is not None else await _spring(house, call, name, f"{path}/")


async def load_role(house: House, call: Call, name: str) -> Stored:
    """Return the role of a name; NoSuchEntity if there is none. SageMakerRole always is."""
    stored = await house.catalog.get(role_key(call, name))
    if stored is not None:
        return stored
    if name.lower() != DEFAULT_ROLE.lower():
        raise _missing(name)
    return await _spring(house, call, DEFAULT_ROLE, "/")


def _missing(name: str) -> NotFound:
    return NotFound(f"The role with name {name} cannot be found.")


async def _spring(house: House, call: Call, name: str, path: str) -> Stored:
    request = {
        "RoleName": name,
        "Path": path,
        "AssumeRolePolicyDocument": _TRUST,
        "Description": "Made by the house because a program named it.",
        "_attached": [FULL_ACCESS],
    }
    try:
        return await _insert(house, call, request)
    except InUse:
        stored = await house.catalog.get(role_key(call, name))
        if stored is None:
            raise
        return stored


async def amend_role(house: House, call: Call, name: str, change: Callable[[Document], Document]) -> Stored:
    """Load, change and store a role, again from the start if somebody else wrote in between."""
    for attempt in range(ATTEMPTS):
        stored = await load_role(house, call, name)
        replacement = Replace(
            key=stored.key,
            document=change(stored.document),
            status="",
            expect_version=stored.version,
            now=call.now,
            who=call.principal,
            why=call.operation,
        )
        try:
            return (await house.catalog.write(replacement))[0]
        except Conflict as error:
            if error.code != "VersionChanged" or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


async def _shown(house: House, stored: Stored) -> Document:
    role = {member: value for member, value in stored.document.items() if not member.startswith("_")}
    role["AssumeRolePolicyDocument"] = quote(role["AssumeRolePolicyDocument"], safe="")
    tags = await house.catalog.tags(stored.arn)
    if tags:
        role["Tags"] = listed(tags)
    return role


async def get_role(house: House, call: Call, request: Document) -> Document:
    return {"Role": await _shown(house, await load_role(house, call, request["RoleName"]))}


async def list_roles(house: House, call: Call, request: Document) -> Document:
    """List roles by name; a page may hold fewer than MaxItems when PathPrefix leaves some out."""
    await load_role(house, call, DEFAULT_ROLE)
    page = await house.catalog.page(
        Query(
            account=call.account,
            region="",
            kind=ROLE,
            sort_by="name",
            descending=False,
            limit=request.get("MaxItems", DEFAULT_ITEMS),
            token=request.get("Marker") or None,
        )
    )
    prefix = request.get("PathPrefix", "/")
    roles = [await _shown(house, stored) for stored in page.items if stored.document["Path"].startswith(prefix)]
    for role in roles:
        role.pop("Tags", None)
    output: Document = {"Roles": roles, "IsTruncated": page.next_token is not None}
    if page.next_token is not None:
        output["Marker"] = page.next_token
    return output


async def update_role(house: House, call: Call, request: Document) -> Document:
    changes: Document = {
        member: request[member] for member in ("Description", "MaxSessionDuration") if member in request
    }
    await amend_role(house, call, request["RoleName"], lambda role: {**role, **changes})
    return {}


async def update_assume_role_policy(house: House, call: Call, request: Document) -> Document:
    text = request["PolicyDocument"]
    parse_policy(text, id="trust")
    await amend_role(house, call, request["RoleName"], lambda role: {**role, "AssumeRolePolicyDocument": text})
    return {}


async def delete_role(house: House, call: Call, request: Document) -> Document:
    """Delete a role that has no policies any more; SageMakerRole stays."""
    stored = await load_role(house, call, request["RoleName"])
    if stored.key.name.lower() == DEFAULT_ROLE.lower():
        raise Denied(f"The role {DEFAULT_ROLE} is the house's own and stays.", code="UnmodifiableEntity")
    if stored.document["_attached"]:
        raise Conflict("Cannot delete entity, must detach all policies first.")
    if stored.document["_inline"]:
        raise Conflict("Cannot delete entity, must delete policies first.")
    await house.catalog.write(Delete(key=stored.key, now=call.now, who=call.principal, why=call.operation))
    return {}


async def tag_role(house: House, call: Call, request: Document) -> Document:
    stored = await load_role(house, call, request["RoleName"])
    await house.catalog.write(PutTags(arn=stored.arn, tags=tags_of(request["Tags"])))
    return {}


async def untag_role(house: House, call: Call, request: Document) -> Document:
    stored = await load_role(house, call, request["RoleName"])
    await house.catalog.write(DropTags(arn=stored.arn, tag_keys=request["TagKeys"]))
    return {}


async def list_role_tags(house: House, call: Call, request: Document) -> Document:
    stored = await load_role(house, call, request["RoleName"])
    return paged(request, "Tags", listed(await house.catalog.tags(stored.arn)))
