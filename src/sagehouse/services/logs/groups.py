"""Log groups: created, listed, deleted, their retention and tags."""

from collections.abc import Mapping

from sagehouse.kit.document import Document
from sagehouse.kit.errors import NotFound
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import DropTags, PutTags
from sagehouse.ports.house import House
from sagehouse.ports.streams import LogGroup
from sagehouse.services.logs.members import (
    group_arn,
    group_named,
    invalid,
    read_token,
    refuse,
    scope_of,
    write_token,
)

RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
"""Source: API reference, PutRetentionPolicy."""
_PAGE = 50
_MAX_TAGS = 50
"""Source: API reference, TagResource."""


async def create_log_group(house: House, call: Call, request: Document) -> Document:
    refuse(request, "kmsKeyId", "deletionProtectionEnabled")
    if request.get("logGroupClass", "STANDARD") != "STANDARD":
        refuse(request, "logGroupClass")
    _check_tag_keys(request.get("tags") or {})
    group = request["logGroupName"]
    await house.streams.create_group(scope_of(call), group, now=call.now)
    if request.get("tags"):
        await house.catalog.write(PutTags(arn=group_arn(call, group), tags=request["tags"]))
    return {}


async def delete_log_group(house: House, call: Call, request: Document) -> Document:
    group = request["logGroupName"]
    await house.streams.delete_group(scope_of(call), group)
    arn = group_arn(call, group)
    tags = await house.catalog.tags(arn)
    if tags:
        await house.catalog.write(DropTags(arn=arn, tag_keys=list(tags)))
    return {}


async def describe_log_groups(house: House, call: Call, request: Document) -> Document:
    refuse(request, "includeLinkedAccounts")
    if request.get("logGroupNamePrefix") and request.get("logGroupNamePattern"):
        raise invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
    if request.get("logGroupIdentifiers"):
        return await _describe_named(house, call, request)
    if request.get("logGroupClass", "STANDARD") != "STANDARD":
        return {"logGroups": []}
    limit, pattern = request.get("limit", _PAGE), request.get("logGroupNamePattern", "")
    resumed = read_token(request.get("nextToken"), str)
    after = resumed[0] if resumed else None
    found: list[LogGroup] = []
    while len(found) <= limit:
        page = await house.streams.groups(
            scope_of(call), prefix=request.get("logGroupNamePrefix", ""), limit=limit + 1, token=after
        )
        found += [group for group in page.items if pattern in group.name]
        after = page.next_token
        if after is None:
            break
    described: Document = {"logGroups": [_described(call, group) for group in found[:limit]]}
    if len(found) > limit:
        described["nextToken"] = write_token(found[limit - 1].name)
    return described


async def _describe_named(house: House, call: Call, request: Document) -> Document:
    wanted = sorted({group_named(identifier) for identifier in request["logGroupIdentifiers"]})
    found = []
    for name in wanted:
        page = await house.streams.groups(scope_of(call), prefix=name, limit=1)
        found += [_described(call, group) for group in page.items if group.name == name]
    return {"logGroups": found}


def _described(call: Call, group: LogGroup) -> Document:
    arn = group_arn(call, group.name)
    retention = {} if group.retention_days is None else {"retentionInDays": group.retention_days}
    return {
        "logGroupName": group.name,
        "creationTime": int(group.created_at * 1000),
        **retention,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "storedBytes": group.stored_bytes,
        "logGroupClass": "STANDARD",
    }


async def put_retention_policy(house: House, call: Call, request: Document) -> Document:
    days = request["retentionInDays"]
    if days not in RETENTION_DAYS:
        raise invalid(f"retentionInDays {days} is not one of {', '.join(map(str, RETENTION_DAYS))}.")
    await house.streams.set_retention(scope_of(call), request["logGroupName"], days)
    return {}


async def delete_retention_policy(house: House, call: Call, request: Document) -> Document:
    await house.streams.set_retention(scope_of(call), request["logGroupName"], None)
    return {}


async def tag_resource(house: House, call: Call, request: Document) -> Document:
    arn = await _existing_arn(house, call, group_named(request["resourceArn"]))
    return await _tag(house, arn, request["tags"])


async def untag_resource(house: House, call: Call, request: Document) -> Document:
    arn = await _existing_arn(house, call, group_named(request["resourceArn"]))
    await house.catalog.write(DropTags(arn=arn, tag_keys=request["tagKeys"]))
    return {}


async def list_tags_for_resource(house: House, call: Call, request: Document) -> Document:
    arn = await _existing_arn(house, call, group_named(request["resourceArn"]))
    return {"tags": await house.catalog.tags(arn)}


async def tag_log_group(house: House, call: Call, request: Document) -> Document:
    arn = await _existing_arn(house, call, request["logGroupName"])
    return await _tag(house, arn, request["tags"])


async def untag_log_group(house: House, call: Call, request: Document) -> Document:
    arn = await _existing_arn(house, call, request["logGroupName"])
    await house.catalog.write(DropTags(arn=arn, tag_keys=request["tags"]))
    return {}


async def list_tags_log_group(house: House, call: Call, request: Document) -> Document:
    arn = await _existing_arn(house, call, request["logGroupName"])
    return {"tags": await house.catalog.tags(arn)}


async def _tag(house: House, arn: str, tags: Mapping[str, str]) -> Document:
    _check_tag_keys(tags)
    if len({**await house.catalog.tags(arn), **tags}) > _MAX_TAGS:
        raise invalid(f"A log group can have at most {_MAX_TAGS} tags.")
    await house.catalog.write(PutTags(arn=arn, tags=tags))
    return {}


def _check_tag_keys(tags: Mapping[str, str]) -> None:
    for key in tags:
        if key.lower().startswith("aws:"):
            raise invalid(f"Tag key {key!r} is reserved: keys that begin with aws: are for AWS's own use.")


async def _existing_arn(house: House, call: Call, group: str) -> str:
    try:
        await house.streams.retention(scope_of(call), group)
    except NotFound as missing:
        raise NotFound("The specified log group does not exist.", code="ResourceNotFoundException") from missing
    return group_arn(call, group)
