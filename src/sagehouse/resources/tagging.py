"""Tags on resources of any kind, by ARN."""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence

from sagehouse.kit.arn import Arn
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid, LimitExceeded
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import DropTags, PutTags, Stored
from sagehouse.ports.house import House
from sagehouse.resources.kind import noun_of

MAX_TAGS = 50
"""Per resource. Source: SageMaker API reference, AddTags."""


def tags_of(listed: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the tags of a request as a mapping, in its order; Invalid for reserved or repeated keys."""
    tags: dict[str, str] = {}
    for tag in listed:
        key = tag["Key"]
        if key in tags:
            raise Invalid(f"Duplicate tag keys found: {key!r} is given more than once.")
        if key.lower().startswith("aws:"):
            raise Invalid(f"Tag key {key!r} is reserved: keys that begin with aws: are for AWS's own use.")
        tags[key] = tag.get("Value", "")
    if len(tags) > MAX_TAGS:
        raise _too_many(len(tags))
    return tags


def listed(tags: Mapping[str, str]) -> list[Document]:
    """Return tags as AWS lists them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


async def add_tags(house: House, call: Call, request: Document) -> Document:
    """Add or overwrite tags; return all of the resource's tags."""
    stored = await _tagged(house, call, request["ResourceArn"])
    added = tags_of(request["Tags"])
    after = await house.catalog.tags(stored.arn) | added
    if len(after) > MAX_TAGS:
        raise _too_many(len(after))
    await house.catalog.write(PutTags(arn=stored.arn, tags=added))
    return {"Tags": listed(after)}


async def delete_tags(house: House, call: Call, request: Document) -> Document:
    """Take tags off a resource; absent keys are no error."""
    stored = await _tagged(house, call, request["ResourceArn"])
    await house.catalog.write(DropTags(arn=stored.arn, tag_keys=_unreserved(request["TagKeys"])))
    return {}


async def list_tags(house: House, call: Call, request: Document) -> Document:
    """Return a page of a resource's tags; all of them unless MaxResults says less."""
    stored = await _tagged(house, call, request["ResourceArn"])
    tags = listed(await house.catalog.tags(stored.arn))
    start = _position(request.get("NextToken") or "", stored.arn)
    end = start + int(request.get("MaxResults") or MAX_TAGS)
    output: Document = {"Tags": tags[start:end]}
    if end < len(tags):
        output["NextToken"] = base64.urlsafe_b64encode(f"{end} {stored.arn}".encode()).decode()
    return output


async def _tagged(house: House, call: Call, arn: str) -> Stored:
    Arn.parse(arn)
    stored = await house.catalog.find(arn)
    if stored is None or (stored.key.account, stored.key.region) != (call.account, call.region):
        raise Invalid(f'Could not find {noun_of(arn)} "{arn}".')
    return stored


def _position(token: str, arn: str) -> int:
    if not token:
        return 0
    try:
        position, of = base64.urlsafe_b64decode(token).decode().split(" ", 1)
        if of == arn:
            return int(position)
    except (binascii.Error, ValueError):
        pass
    raise Invalid(f"Invalid pagination token {token!r}: it was not issued for the tags of {arn}.")


def _unreserved(tag_keys: Iterable[str]) -> list[str]:
    keys = list(tag_keys)
    for key in keys:
        if key.lower().startswith("aws:"):
            raise Invalid(f"Tag key {key!r} is reserved: keys that begin with aws: are for AWS's own use.")
    return keys


def _too_many(count: int) -> LimitExceeded:
    return LimitExceeded(f"A resource can have {MAX_TAGS} tags at most; this one would have {count}.")
