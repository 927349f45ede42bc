"""An object's system and user metadata: from a request into the store, and from there into a response. Pure."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.ports.objects import Bucket, ObjectInfo
from sagehouse.services.s3.checksums import members as checksum_members
from sagehouse.wire.timestamps import format_rfc822, parse_timestamp

DEFAULT_CONTENT_TYPE = "binary/octet-stream"
METADATA_LIMIT_BYTES = 2048
"""Of all names and values of user metadata. Source: S3 user guide, "Working with object metadata"."""
TAGS_LIMIT = 10

CONTENT: Mapping[str, str] = MappingProxyType(
    {
        "CacheControl": "cache-control",
        "ContentDisposition": "content-disposition",
        "ContentEncoding": "content-encoding",
        "ContentLanguage": "content-language",
        "ContentType": "content-type",
        "Expires": "expires",
        "WebsiteRedirectLocation": "x-amz-website-redirect-location",
    }
)
"""What a client says of the content; replaced together by a copy that replaces metadata."""
STORAGE: Mapping[str, str] = MappingProxyType(
    {
        "StorageClass": "x-amz-storage-class",
        "ServerSideEncryption": "x-amz-server-side-encryption",
        "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
        "BucketKeyEnabled": "x-amz-server-side-encryption-bucket-key-enabled",
    }
)
"""What it says of how it is kept; a copy says it anew. Recorded: files are not encrypted, and of one class."""


def content_headers(request: Document) -> dict[str, str]:
    headers = {header: _text(member, request[member]) for member, header in CONTENT.items() if member in request}
    return {"content-type": DEFAULT_CONTENT_TYPE, **headers}


def storage_headers(request: Document, bucket: Bucket) -> dict[str, str]:
    """Return what is recorded of encryption and class: the request's, else the bucket's default."""
    stated = {header: _text(member, request[member]) for member, header in STORAGE.items() if member in request}
    if "x-amz-server-side-encryption" not in stated:
        stated = {**_default_encryption(bucket), **stated}
    if stated.get("x-amz-storage-class") == "STANDARD":
        del stated["x-amz-storage-class"]
    return stated


def _text(member: str, value: Any) -> str:
    if member == "Expires":
        return format_rfc822(value)
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _default_encryption(bucket: Bucket) -> dict[str, str]:
    configured = json.loads(bucket.configuration.get("encryption", "null"))
    for rule in (configured or {}).get("Rules", []):
        default = rule.get("ApplyServerSideEncryptionByDefault", {})
        if default.get("SSEAlgorithm", "AES256") != "AES256":
            headers = {"x-amz-server-side-encryption": default["SSEAlgorithm"]}
            if "KMSMasterKeyID" in default:
                headers["x-amz-server-side-encryption-aws-kms-key-id"] = default["KMSMasterKeyID"]
            return headers
    return {}


def user_metadata(request: Document) -> dict[str, str]:
    """Return the x-amz-meta- headers of the request, names in lower case."""
    found = {name.lower(): str(value) for name, value in request.get("Metadata", {}).items()}
    size = sum(len(name.encode()) + len(value.encode(errors="replace")) for name, value in found.items())
    if size > METADATA_LIMIT_BYTES:
        raise Invalid(
            "Your metadata headers exceed the maximum allowed metadata size",
            code="MetadataTooLarge",
            details={"Size": str(size), "MaxSizeAllowed": str(METADATA_LIMIT_BYTES)},
        )
    return found


def header_tags(request: Document) -> dict[str, str]:
    """Return the tags of the x-amz-tagging header, which spells them as a query string."""
    pairs = parse_qsl(request.get("Tagging", ""), keep_blank_values=True)
    return check_tags([{"Key": name, "Value": value} for name, value in pairs], limit=TAGS_LIMIT)


def check_tags(tags: list[Document], *, limit: int) -> dict[str, str]:
    """Return a tag set as a mapping; InvalidTag if S3 would refuse it."""
    found: dict[str, str] = {}
    for tag in tags:
        name, value = tag["Key"], tag["Value"]
        if name in found:
            raise _invalid_tag("Cannot provide multiple Tags with the same key", name)
        if not 1 <= len(name) <= 128:
            raise _invalid_tag("The TagKey you have provided is invalid", name)
        if len(value) > 256:
            raise _invalid_tag("The TagValue you have provided is invalid", name)
        if name.lower().startswith("aws:"):
            raise _invalid_tag("System tags cannot be added/updated by requester", name)
        found[name] = value
    if len(found) > limit:
        raise Invalid(f"Object tags cannot be greater than {limit}", code="BadRequest")
    return found


def _invalid_tag(text: str, name: str) -> Invalid:
    return Invalid(text, code="InvalidTag", details={"TagKey": name[:128]})


def storage_members(info: ObjectInfo) -> Document:
    """Return what every answer about an object says of its encryption."""
    headers = info.headers
    document: Document = {"ServerSideEncryption": headers.get("x-amz-server-side-encryption", "AES256")}
    if "x-amz-server-side-encryption-aws-kms-key-id" in headers:
        document["SSEKMSKeyId"] = headers["x-amz-server-side-encryption-aws-kms-key-id"]
    if headers.get("x-amz-server-side-encryption-bucket-key-enabled") == "true":
        document["BucketKeyEnabled"] = True
    return document


def storage_class(info: ObjectInfo) -> str:
    return info.headers.get("x-amz-storage-class", "STANDARD")


def written_members(info: ObjectInfo) -> Document:
    """Return what is answered to the client that wrote the object."""
    return {"ETag": etag(info), **checksum_members(info.checksums), **storage_members(info)}


def object_members(info: ObjectInfo) -> Document:
    """Return what GET and HEAD say of an object, but for its length and checksums."""
    document: Document = {member: info.headers[header] for member, header in CONTENT.items() if header in info.headers}
    if "Expires" in document:
        document["Expires"] = parse_timestamp(document["Expires"])
    if storage_class(info) != "STANDARD":
        document["StorageClass"] = storage_class(info)
    if info.tags:
        document["TagCount"] = len(info.tags)
    return document | {
        "AcceptRanges": "bytes",
        "LastModified": modified(info),
        "ETag": etag(info),
        "Metadata": dict(info.metadata),
        **storage_members(info),
    }


def etag(info: ObjectInfo) -> str:
    """Return the ETag as documents and headers write it, in quotes."""
    return f'"{info.etag}"'


def modified(info: ObjectInfo) -> float:
    """Return the date in whole seconds, as S3 answers it everywhere, so that answers compare."""
    return float(int(info.modified_at))
