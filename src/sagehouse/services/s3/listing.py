"""Lists of objects: version 1, version 2, and the versions of a bucket that keeps none."""

from urllib.parse import quote

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid, NotBound
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.ports.objects import Listing, ObjectInfo
from sagehouse.services.s3.access import reach
from sagehouse.services.s3.checksums import listed
from sagehouse.services.s3.metadata import etag, modified, storage_class
from sagehouse.services.s3.names import owner
from sagehouse.services.s3.tokens import read_token, write_token

PAGE = 1000


def encoded(text: str, request: Document) -> str:
    """Return a key or prefix as the client asked for it: percent-encoded but for "/", or as it is."""
    return quote(text, safe="/", errors="surrogatepass") if request.get("EncodingType") == "url" else text


def page_size(value: int | None, name: str) -> int:
    """Return how many to list at most; InvalidArgument for less than none."""
    if value is None:
        return PAGE
    if value < 0:
        raise Invalid(
            f"Argument {name} must be an integer between 0 and 2147483647",
            code="InvalidArgument",
            details={"ArgumentName": name, "ArgumentValue": str(value)},
        )
    return min(value, PAGE)


async def list_objects(house: House, call: Call, request: Document) -> Document:
    bucket = await reach(house, call, request)
    listing = await _listing(house, request, after=request.get("Marker", ""))
    document = _page(listing, request) | {
        "Marker": encoded(request.get("Marker", ""), request),
        "Contents": [_entry(info, request) | {"Owner": owner(bucket.account)} for info in listing.objects],
    }
    if listing.is_truncated and request.get("Delimiter"):
        # Without a delimiter the last key is the marker. Source: API reference, ListObjects, NextMarker.
        document["NextMarker"] = encoded(listing.last or "", request)
    return document


async def list_objects_v2(house: House, call: Call, request: Document) -> Document:
    bucket = await reach(house, call, request)
    token = request.get("ContinuationToken")
    after = read_token(token) if token is not None else request.get("StartAfter", "")
    listing = await _listing(house, request, after=after)
    who = {"Owner": owner(bucket.account)} if request.get("FetchOwner") else {}
    document = _page(listing, request) | {
        "Contents": [_entry(info, request) | who for info in listing.objects],
        "KeyCount": len(listing.objects) + len(listing.prefixes),
    }
    if token is not None:
        document["ContinuationToken"] = token
    if "StartAfter" in request:
        document["StartAfter"] = encoded(request["StartAfter"], request)
    if listing.is_truncated:
        document["NextContinuationToken"] = write_token(listing.last or "")
    return document


async def list_object_versions(house: House, call: Call, request: Document) -> Document:
    """Answer every object as its only version, "null", as S3 does of a bucket that never kept versions."""
    bucket = await reach(house, call, request)
    if request.get("VersionIdMarker") not in (None, "", "null"):
        raise Invalid("Invalid version id specified", code="InvalidArgument")
    listing = await _listing(house, request, after=request.get("KeyMarker", ""))
    document = _page(listing, request) | {
        "KeyMarker": encoded(request.get("KeyMarker", ""), request),
        "VersionIdMarker": request.get("VersionIdMarker", ""),
        "Versions": [
            _entry(info, request) | {"VersionId": "null", "IsLatest": True, "Owner": owner(bucket.account)}
            for info in listing.objects
        ],
    }
    if listing.is_truncated:
        document["NextKeyMarker"] = encoded(listing.last or "", request)
        document["NextVersionIdMarker"] = "null"
    return document


async def _listing(house: House, request: Document, *, after: str) -> Listing:
    if request.get("OptionalObjectAttributes") not in (None, [], ["RestoreStatus"]):
        raise NotBound("Only RestoreStatus is an optional attribute of a listing.", code="NotImplemented")
    return await house.objects.list(
        request["Bucket"],
        prefix=request.get("Prefix", ""),
        delimiter=request.get("Delimiter", ""),
        after=after,
        limit=page_size(request.get("MaxKeys"), "max-keys"),
    )


def _page(listing: Listing, request: Document) -> Document:
    document: Document = {
        "IsTruncated": listing.is_truncated,
        "Name": request["Bucket"],
        "Prefix": encoded(request.get("Prefix", ""), request),
        "MaxKeys": page_size(request.get("MaxKeys"), "max-keys"),
        "CommonPrefixes": [{"Prefix": encoded(prefix, request)} for prefix in listing.prefixes],
    }
    if request.get("Delimiter"):
        document["Delimiter"] = encoded(request["Delimiter"], request)
    if "EncodingType" in request:
        document["EncodingType"] = request["EncodingType"]
    return document


def _entry(info: ObjectInfo, request: Document) -> Document:
    return {
        "Key": encoded(info.key, request),
        "LastModified": modified(info),
        "ETag": etag(info),
        "Size": info.size,
        "StorageClass": storage_class(info),
        **listed(info.checksums),
    }
