"""Single objects: put, got, described, deleted."""

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid, SagehouseError
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.ports.objects import ObjectInfo
from sagehouse.ports.stream import FileSlice
from sagehouse.services.s3 import metadata
from sagehouse.services.s3.access import reach
from sagehouse.services.s3.body import body_of, check_length_is_said
from sagehouse.services.s3.checksums import DEFAULT, asked
from sagehouse.services.s3.checksums import members as checksum_members
from sagehouse.services.s3.conditions import byte_range, check_read, content_range, write_conditions
from sagehouse.services.s3.names import check_key
from sagehouse.services.s3.refusals import (
    ENCRYPTION_BY_CUSTOMER,
    LOCKING,
    refuse,
    refuse_acl,
    refuse_storage_class,
    refuse_version,
)
from sagehouse.services.s3.settings import full_control

WHOLE_LIMIT_BYTES = 5 * 1024**3
"""Of one PUT, one part, one copy. Source: S3 user guide, "Uploading objects"."""
DELETE_LIMIT = 1000


async def put_object(house: House, call: Call, request: Document) -> Document:
    bucket = await reach(house, call, request)
    refuse_acl(request)
    refuse_storage_class(request)
    refuse(request, *ENCRYPTION_BY_CUSTOMER, *LOCKING, "WriteOffsetBytes", "SSEKMSEncryptionContext")
    check_length_is_said(call, request)
    refuse_too_large(request.get("ContentLength"))
    said = asked(call, request)
    if_match, if_none_match = write_conditions(request)
    info = ObjectInfo(
        bucket=bucket.name,
        key=request["Key"],
        size=0,
        etag="",
        modified_at=call.now,
        headers=metadata.content_headers(request) | metadata.storage_headers(request, bucket),
        metadata=metadata.user_metadata(request),
        tags=metadata.header_tags(request),
    )
    stored = await house.objects.put(
        bucket.name,
        request["Key"],
        body_of(call, request, is_checked=said.is_checked),
        info=info,
        now=call.now,
        algorithms=said.algorithms or (DEFAULT,),
        expect=said.expect,
        if_match=if_match,
        if_none_match=if_none_match,
    )
    return metadata.written_members(stored)


def refuse_too_large(length: int | None) -> None:
    if length is not None and length > WHOLE_LIMIT_BYTES:
        raise Invalid(
            "Your proposed upload exceeds the maximum allowed size",
            code="EntityTooLarge",
            details={"ProposedSize": str(length), "MaxSizeAllowed": str(WHOLE_LIMIT_BYTES)},
        )


async def get_object(house: House, call: Call, request: Document) -> Document:
    await _reach_object(house, call, request)
    info, path = await house.objects.open(request["Bucket"], request["Key"])
    document, start = _described(info, request)
    body = FileSlice(path=path, start=start, length=document["ContentLength"])
    return {**document, "Body": body}


async def head_object(house: House, call: Call, request: Document) -> Document:
    await _reach_object(house, call, request)
    info = await house.objects.head(request["Bucket"], request["Key"])
    return _described(info, request)[0]


async def _reach_object(house: House, call: Call, request: Document) -> None:
    await reach(house, call, request)
    refuse(request, *ENCRYPTION_BY_CUSTOMER)
    refuse_version(request)


def _described(info: ObjectInfo, request: Document) -> tuple[Document, int]:
    """Return the answer to GET or HEAD without a body, and where in the file the body starts."""
    check_read(info, request)
    document = metadata.object_members(info) | _overrides(request)
    start, length, piece = _piece(info, request)
    document["ContentLength"] = length
    if piece:
        document["ContentRange"] = content_range(start, length, info.size)
    if request.get("PartNumber") is not None and info.parts:
        document["PartsCount"] = len(info.parts)
    if request.get("ChecksumMode") == "ENABLED":
        document |= _checksums(info, request, is_whole=not piece)
    return document, start


def _overrides(request: Document) -> Document:
    return {member: request[f"Response{member}"] for member in metadata.CONTENT if f"Response{member}" in request}


def _piece(info: ObjectInfo, request: Document) -> tuple[int, int, bool]:
    """Return (first byte, length, whether a part of the object was asked for)."""
    number = request.get("PartNumber")
    if number is not None:
        if request.get("Range"):
            raise Invalid("Cannot specify both Range header and partNumber query parameter", code="InvalidRequest")
        sizes = info.parts or (info.size,)
        if not 1 <= number <= len(sizes):
            raise Invalid(
                "The requested partnumber is not satisfiable",
                code="InvalidPartNumber",
                details={"ActualPartCount": str(len(sizes)), "PartNumberRequested": str(number)},
            )
        return sum(sizes[: number - 1]), sizes[number - 1], info.size > 0
    found = byte_range(request.get("Range"), info.size)
    return (0, info.size, False) if found is None else (*found, True)


def _checksums(info: ObjectInfo, request: Document, *, is_whole: bool) -> Document:
    """Return the checksums that hold for the bytes answered: a part's own, or the whole's."""
    number = request.get("PartNumber")
    if number is not None and info.part_checksums:
        return checksum_members({**info.part_checksums[number - 1], "TYPE": "COMPOSITE"})
    return checksum_members(info.checksums) if is_whole or (not info.parts and number is not None) else {}


async def delete_object(house: House, call: Call, request: Document) -> Document:
    await reach(house, call, request)
    refuse_version(request)
    refuse(request, "IfMatchLastModifiedTime", "IfMatchSize")
    await house.objects.delete(request["Bucket"], [request["Key"]], if_match=request.get("IfMatch"))
    return {}


async def delete_objects(house: House, call: Call, request: Document) -> Document:
    """Delete up to 1,000 keys; a key that cannot be deleted is an error of its own, not of the request."""
    await reach(house, call, request)
    asked_for = request["Delete"]["Objects"]
    if not 1 <= len(asked_for) <= DELETE_LIMIT:
        raise Invalid(
            "The XML you provided was not well-formed or did not validate against our published schema: "
            f"Delete holds 1 to {DELETE_LIMIT} objects.",
            code="MalformedXML",
        )
    plain: list[str] = []
    errors: list[Document] = []
    deleted: list[Document] = []
    for one in asked_for:
        try:
            check_key(one["Key"])
            refuse_version(one)
            refuse(one, "LastModifiedTime", "Size")
            if one.get("ETag"):
                await house.objects.delete(request["Bucket"], [one["Key"]], if_match=one["ETag"])
            else:
                plain.append(one["Key"])
        except SagehouseError as error:
            errors.append({"Key": one["Key"], "Code": error.code or "InternalError", "Message": error.message})
        else:
            deleted.append({"Key": one["Key"]})
    await house.objects.delete(request["Bucket"], plain)
    return {
        **({} if request["Delete"].get("Quiet") else {"Deleted": deleted}),
        **({"Errors": errors} if errors else {}),
    }


async def get_object_acl(house: House, call: Call, request: Document) -> Document:
    bucket = await reach(house, call, request)
    refuse_version(request)
    await house.objects.head(bucket.name, request["Key"])
    return full_control(bucket.account)


ATTRIBUTE_PARTS = 1000


async def get_object_attributes(house: House, call: Call, request: Document) -> Document:
    await _reach_object(house, call, request)
    info = await house.objects.head(request["Bucket"], request["Key"])
    wanted = set(request["ObjectAttributes"])
    document: Document = {"LastModified": metadata.modified(info)}
    if "ETag" in wanted:
        document["ETag"] = info.etag
    if "Checksum" in wanted and info.checksums:
        document["Checksum"] = checksum_members(info.checksums)
    if "ObjectParts" in wanted and info.parts:
        document["ObjectParts"] = _parts(info, request)
    if "StorageClass" in wanted:
        document["StorageClass"] = metadata.storage_class(info)
    if "ObjectSize" in wanted:
        document["ObjectSize"] = info.size
    return document


def _parts(info: ObjectInfo, request: Document) -> Document:
    """Return the parts; S3 lists them only where they have checksums of their own, and counts them always."""
    document: Document = {"TotalPartsCount": len(info.parts)}
    if not info.part_checksums:
        return document
    marker = int(request.get("PartNumberMarker") or 0)
    limit = min(request.get("MaxParts") or ATTRIBUTE_PARTS, ATTRIBUTE_PARTS)
    numbers = range(marker + 1, min(marker + limit, len(info.parts)) + 1)
    return document | {
        "PartNumberMarker": marker,
        "NextPartNumberMarker": numbers[-1] if numbers else marker,
        "MaxParts": limit,
        "IsTruncated": bool(numbers) and numbers[-1] < len(info.parts),
        "Parts": [
            {
                "PartNumber": number,
                "Size": info.parts[number - 1],
                **checksum_members(info.part_checksums[number - 1]),
            }
            for number in numbers
        ],
    }
