"""Tags of objects."""

from dataclasses import replace

from sagehouse.kit.document import Document
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.ports.objects import ObjectInfo
from sagehouse.services.s3.access import reach
from sagehouse.services.s3.metadata import TAGS_LIMIT, check_tags
from sagehouse.services.s3.refusals import refuse_version


async def get_object_tagging(house: House, call: Call, request: Document) -> Document:
    info = await _found(house, call, request)
    return {"TagSet": [{"Key": name, "Value": value} for name, value in info.tags.items()]}


async def put_object_tagging(house: House, call: Call, request: Document) -> Document:
    info = await _found(house, call, request)
    tags = check_tags(request["Tagging"]["TagSet"], limit=TAGS_LIMIT)
    await house.objects.annotate(replace(info, tags=tags))
    return {}


async def delete_object_tagging(house: House, call: Call, request: Document) -> Document:
    info = await _found(house, call, request)
    await house.objects.annotate(replace(info, tags={}))
    return {}


async def _found(house: House, call: Call, request: Document) -> ObjectInfo:
    await reach(house, call, request)
    refuse_version(request)
    return await house.objects.head(request["Bucket"], request["Key"])
