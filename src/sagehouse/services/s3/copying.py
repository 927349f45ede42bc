"""Copies within the store: whole objects, and ranges of them as parts."""

from urllib.parse import parse_qs, unquote

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.ports.objects import Bucket, ObjectInfo
from sagehouse.services.s3 import metadata
from sagehouse.services.s3.access import check_owner, reach
from sagehouse.services.s3.checksums import members as checksum_members
from sagehouse.services.s3.conditions import byte_range, check_copy, write_conditions
from sagehouse.services.s3.names import check_key
from sagehouse.services.s3.objects import WHOLE_LIMIT_BYTES
from sagehouse.services.s3.refusals import (
    ENCRYPTION_BY_CUSTOMER,
    LOCKING,
    not_implemented,
    refuse,
    refuse_acl,
    refuse_storage_class,
    refuse_version,
)

SOURCE_ENCRYPTION = tuple(f"CopySource{member}" for member in ENCRYPTION_BY_CUSTOMER)


async def copy_object(house: House, call: Call, request: Document) -> Document:
    bucket = await reach(house, call, request)
    refuse_acl(request)
    refuse_storage_class(request)
    refuse(request, *ENCRYPTION_BY_CUSTOMER, *SOURCE_ENCRYPTION, *LOCKING, "SSEKMSEncryptionContext")
    source = await find_source(house, request)
    if source.size > WHOLE_LIMIT_BYTES:
        raise Invalid(
            f"The specified copy source is larger than the maximum allowable size for a copy source: "
            f"{WHOLE_LIMIT_BYTES}",
            code="InvalidRequest",
        )
    _refuse_change_of_nothing(source, request)
    if_match, if_none_match = write_conditions(request)
    asked = request.get("ChecksumAlgorithm")
    stored = await house.objects.copy(
        source,
        info=_copy_of(source, request, bucket, now=call.now),
        now=call.now,
        algorithms=(asked,) if asked else (),
        if_match=if_match,
        if_none_match=if_none_match,
    )
    result = {
        "ETag": metadata.etag(stored),
        "LastModified": metadata.modified(stored),
        **checksum_members(stored.checksums),
    }
    return {"CopyObjectResult": result, **metadata.storage_members(stored)}


async def upload_part_copy(house: House, call: Call, request: Document) -> Document:
    await reach(house, call, request)
    refuse(request, *ENCRYPTION_BY_CUSTOMER, *SOURCE_ENCRYPTION)
    check_part_number(request["PartNumber"])
    upload = await house.uploads.upload(request["Bucket"], request["Key"], request["UploadId"])
    source = await find_source(house, request)
    start, length = _source_range(request.get("CopySourceRange"), source)
    part = await house.uploads.copy_part(
        request["Bucket"],
        request["Key"],
        request["UploadId"],
        request["PartNumber"],
        source,
        start=start,
        length=length,
        now=call.now,
    )
    kept = {name: value for name, value in part.checksums.items() if name == upload.algorithm}
    result = {
        "ETag": f'"{part.etag}"',
        "LastModified": float(int(part.modified_at)),
        **checksum_members(kept),
    }
    return {"CopyPartResult": result, **metadata.storage_members(upload.info)}


def check_part_number(number: int) -> None:
    if not 1 <= number <= 10_000:
        raise Invalid(
            "Part number must be an integer between 1 and 10000, inclusive",
            code="InvalidArgument",
            details={"ArgumentName": "partNumber", "ArgumentValue": str(number)},
        )


async def find_source(house: House, request: Document) -> ObjectInfo:
    """Return the object CopySource names, if it is as the request's conditions want it."""
    bucket_name, key = _parse_source(request["CopySource"])
    check_key(key)
    check_owner(await house.objects.bucket(bucket_name), request.get("ExpectedSourceBucketOwner"))
    source = await house.objects.head(bucket_name, key)
    check_copy(source, request)
    return source


def _parse_source(text: str) -> tuple[str, str]:
    """Return (bucket, key) of "bucket/key?versionId=...", percent-encoded, a leading "/" allowed."""
    if text.startswith("arn:"):
        raise not_implemented("x-amz-copy-source with the ARN of an access point")
    path, _, query = text.partition("?versionId=")
    if query:
        refuse_version({"VersionId": parse_qs(f"versionId={query}")["versionId"][0]})
    try:
        decoded = unquote(path, errors="strict").removeprefix("/")
    except UnicodeDecodeError as error:
        raise Invalid("Couldn't parse the specified URI: the copy source is not UTF-8.", code="InvalidURI") from error
    bucket, _, key = decoded.partition("/")
    if not bucket or not key:
        raise Invalid(
            f"Copy Source must mention the source bucket and key: sourcebucket/sourcekey, not {text!r}",
            code="InvalidArgument",
            details={"ArgumentName": "x-amz-copy-source", "ArgumentValue": text},
        )
    return bucket, key


def _refuse_change_of_nothing(source: ObjectInfo, request: Document) -> None:
    """Source: API reference, CopyObject: a copy onto itself must change something."""
    changes = ("StorageClass", "WebsiteRedirectLocation", "ServerSideEncryption", "SSEKMSKeyId", "ChecksumAlgorithm")
    if (
        (source.bucket, source.key) == (request["Bucket"], request["Key"])
        and request.get("MetadataDirective", "COPY") == "COPY"
        and not any(member in request for member in changes)
    ):
        raise Invalid(
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
            code="InvalidRequest",
        )


def _copy_of(source: ObjectInfo, request: Document, bucket: Bucket, *, now: float) -> ObjectInfo:
    """Return the copy's headers, metadata and tags by the directives; encryption and class are always stated anew."""
    if request.get("MetadataDirective", "COPY") == "REPLACE":
        content, user = metadata.content_headers(request), metadata.user_metadata(request)
    else:
        content = {name: source.headers[name] for name in metadata.CONTENT.values() if name in source.headers}
        content.pop("x-amz-website-redirect-location", None)
        if "WebsiteRedirectLocation" in request:
            content["x-amz-website-redirect-location"] = request["WebsiteRedirectLocation"]
        user = dict(source.metadata)
    is_retagged = request.get("TaggingDirective", "COPY") == "REPLACE"
    return ObjectInfo(
        bucket=request["Bucket"],
        key=request["Key"],
        size=0,
        etag="",
        modified_at=now,
        headers=content | metadata.storage_headers(request, bucket),
        metadata=user,
        tags=metadata.header_tags(request) if is_retagged else source.tags,
    )


def _source_range(text: str | None, source: ObjectInfo) -> tuple[int, int]:
    """Return (first byte, length); S3 wants both ends of the range, within the object."""
    if text is None:
        start, length = 0, source.size
    else:
        first, dash, last = text.removeprefix("bytes=").partition("-")
        found = byte_range(text, source.size) if first and dash and last else None
        if found is None or not text.startswith("bytes="):
            raise Invalid(
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                "zero-based offsets of the first and last bytes to copy",
                code="InvalidArgument",
                details={"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": text},
            )
        start, length = found
        if int(last) >= source.size:
            raise Invalid(
                f"Range specified is not valid for source object of size: {source.size}",
                code="InvalidArgument",
                details={"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": text},
            )
    if length > WHOLE_LIMIT_BYTES:
        raise Invalid("The specified copy source is larger than a part may be.", code="InvalidRequest")
    return start, length
