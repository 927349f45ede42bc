"""Managed policies: the account's own, and those of AWS that the house knows. Each has one version, v1."""

import base64
import hashlib
from urllib.parse import quote

from sagehouse.domain.policies import parse_policy
from sagehouse.kit.arn import Arn
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, InUse, NotFound
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Delete, Insert, Key, Query, Stored
from sagehouse.ports.house import House
from sagehouse.resources.tagging import listed, tags_of
from sagehouse.services.iam.managed import is_managed_by_aws, known_managed, managed_document
from sagehouse.services.iam.paging import paged
from sagehouse.services.iam.roles import ROLE

POLICY = "iam:Policy"
_VERSION = "v1"
_ALL = 1000
_AWS_SINCE = 1_423_166_400.0
"""2015-02-06, the day managed policies appeared."""


async def create_policy(house: House, call: Call, request: Document) -> Document:
    """Create a managed policy of the account."""
    name, path = request["PolicyName"], request.get("Path", "/")
    parse_policy(request["PolicyDocument"], id=name)
    arn = str(Arn(service="iam", region="", account=call.account, resource=f"policy{path}{name}"))
    document = {
        "PolicyName": name,
        "PolicyId": _policy_id(arn),
        "Arn": arn,
        "Path": path,
        "DefaultVersionId": _VERSION,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": call.now,
        "UpdateDate": call.now,
        "_document": request["PolicyDocument"],
    }
    if "Description" in request:
        document["Description"] = request["Description"]
    insert = Insert(
        key=Key(account=call.account, region="", kind=POLICY, name=name),
        arn=arn,
        document=document,
        now=call.now,
        tags=tags_of(request.get("Tags", [])),
        who=call.principal,
        why=call.operation,
    )
    try:
        (stored,) = await house.catalog.write(insert)
    except Conflict as error:
        if error.code != "AlreadyExists":
            raise
        raise InUse(f"A policy called {name} already exists. Duplicate names are not allowed.") from error
    return {"Policy": await _shown(house, call, stored)}


def _policy_id(arn: str) -> str:
    return "ANPA" + base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:17]


async def policy_text(house: House, arn: str) -> str | None:
    """Return the text of a managed policy, None if the house does not know what it says."""
    if is_managed_by_aws(arn):
        return managed_document(arn)
    stored = await house.catalog.find(arn)
    return None if stored is None or stored.key.kind != POLICY else str(stored.document["_document"])


async def load_policy(house: House, call: Call, arn: str) -> Stored:
    stored = await house.catalog.find(arn)
    if stored is None or (stored.key.kind, stored.key.account) != (POLICY, call.account):
        raise _missing(arn)
    return stored


def _missing(arn: str) -> NotFound:
    return NotFound(f"Policy {arn} does not exist or is not attachable.")


async def _shown(house: House, call: Call, stored: Stored) -> Document:
    policy = {member: value for member, value in stored.document.items() if not member.startswith("_")}
    policy["AttachmentCount"] = len(await roles_with(house, call, stored.arn))
    tags = await house.catalog.tags(stored.arn)
    if tags:
        policy["Tags"] = listed(tags)
    return policy


async def _shown_managed(house: House, call: Call, arn: str) -> Document:
    return {
        "PolicyName": arn.rsplit("/", 1)[-1],
        "PolicyId": _policy_id(arn),
        "Arn": arn,
        "Path": "/",
        "DefaultVersionId": _VERSION,
        "AttachmentCount": len(await roles_with(house, call, arn)),
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": _AWS_SINCE,
        "UpdateDate": _AWS_SINCE,
    }


async def roles_with(house: House, call: Call, policy_arn: str) -> list[str]:
    """Return the names of the roles a managed policy is attached to."""
    return [role.key.name for role in await _all(house, call, ROLE) if policy_arn in role.document["_attached"]]


async def _all(house: House, call: Call, kind: str) -> list[Stored]:
    found: list[Stored] = []
    token: str | None = None
    while True:
        query = Query(
            account=call.account, region="", kind=kind, sort_by="name", descending=False, limit=_ALL, token=token
        )
        page = await house.catalog.page(query)
        found += page.items
        token = page.next_token
        if token is None:
            return found


async def get_policy(house: House, call: Call, request: Document) -> Document:
    arn = request["PolicyArn"]
    if managed_document(arn) is not None:
        return {"Policy": await _shown_managed(house, call, arn)}
    return {"Policy": await _shown(house, call, await load_policy(house, call, arn))}


async def get_policy_version(house: House, call: Call, request: Document) -> Document:
    arn, version = request["PolicyArn"], request["VersionId"]
    text = await policy_text(house, arn)
    if text is None:
        raise _missing(arn)
    if version != _VERSION:
        raise NotFound(f"Policy {arn} version {version} does not exist or is not attachable.")
    return {"PolicyVersion": {"Document": quote(text, safe=""), **await _version(house, call, arn)}}


async def list_policy_versions(house: House, call: Call, request: Document) -> Document:
    return paged(request, "Versions", [await _version(house, call, request["PolicyArn"])])


async def _version(house: House, call: Call, arn: str) -> Document:
    is_known = managed_document(arn) is not None
    created_at = _AWS_SINCE if is_known else (await load_policy(house, call, arn)).created_at
    return {"VersionId": _VERSION, "IsDefaultVersion": True, "CreateDate": created_at}


async def list_policies(house: House, call: Call, request: Document) -> Document:
    """List managed policies: the account's own ("Local"), those of AWS, or all."""
    scope, prefix = request.get("Scope", "All"), request.get("PathPrefix", "/")
    rows: list[Document] = []
    if request.get("PolicyUsageFilter") != "PermissionsBoundary":
        if scope in {"All", "Local"}:
            rows += [await _shown(house, call, stored) for stored in await _all(house, call, POLICY)]
        if scope in {"All", "AWS"}:
            rows += [await _shown_managed(house, call, arn) for arn in known_managed()]
    wanted = [
        {member: value for member, value in row.items() if member not in {"Tags", "Description"}}
        for row in rows
        if row["Path"].startswith(prefix) and (row["AttachmentCount"] or not request.get("OnlyAttached"))
    ]
    return paged(request, "Policies", wanted)


async def delete_policy(house: House, call: Call, request: Document) -> Document:
    """Delete a managed policy of the account that no role has any more."""
    stored = await load_policy(house, call, request["PolicyArn"])
    roles = await roles_with(house, call, stored.arn)
    if roles:
        raise Conflict(f"Cannot delete a policy attached to entities: {', '.join(roles)}.")
    await house.catalog.write(Delete(key=stored.key, now=call.now, who=call.principal, why=call.operation))
    return {}
