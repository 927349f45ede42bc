"""Lists of unfinished uploads and of their parts."""

from collections.abc import Sequence

from sagehouse.kit.document import Document
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.ports.objects import Upload
from sagehouse.services.s3.access import reach
from sagehouse.services.s3.checksums import members as checksum_members
from sagehouse.services.s3.listing import encoded, page_size
from sagehouse.services.s3.metadata import storage_class
from sagehouse.services.s3.names import owner
from sagehouse.services.s3.refusals import ENCRYPTION_BY_CUSTOMER, refuse


async def list_parts(house: House, call: Call, request: Document) -> Document:
    bucket = await reach(house, call, request)
    refuse(request, *ENCRYPTION_BY_CUSTOMER)
    upload = await house.uploads.upload(request["Bucket"], request["Key"], request["UploadId"])
    parts = await house.uploads.parts(request["Bucket"], request["Key"], request["UploadId"])
    marker = int(request.get("PartNumberMarker") or 0)
    limit = page_size(request.get("MaxParts"), "max-parts")
    following = [part for part in parts if part.number > marker]
    page = following[:limit]
    return {
        "Bucket": bucket.name,
        "Key": request["Key"],
        "UploadId": upload.id,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": page[-1].number if page else marker,
        "MaxParts": limit,
        "IsTruncated": len(following) > len(page) > 0,
        "Parts": [
            {
                "PartNumber": part.number,
                "LastModified": float(int(part.modified_at)),
                "ETag": f'"{part.etag}"',
                "Size": part.size,
                **checksum_members({n: v for n, v in part.checksums.items() if n == upload.algorithm}),
            }
            for part in page
        ],
        **_told(upload, bucket.account),
    }


def _told(upload: Upload, account: str) -> Document:
    """Return what both lists say of an upload."""
    document: Document = {
        "StorageClass": storage_class(upload.info),
        "Owner": owner(account),
        "Initiator": owner(account),
    }
    if upload.algorithm:
        document |= {"ChecksumAlgorithm": upload.algorithm, "ChecksumType": upload.checksum_type}
    return document


async def list_multipart_uploads(house: House, call: Call, request: Document) -> Document:
    bucket = await reach(house, call, request)
    limit = page_size(request.get("MaxUploads"), "max-uploads")
    found = await house.uploads.uploads(bucket.name, prefix=request.get("Prefix", ""))
    entries = _after(_folded(found, request), request)
    page = entries[:limit]
    document: Document = {
        "Bucket": bucket.name,
        "KeyMarker": encoded(request.get("KeyMarker", ""), request),
        "UploadIdMarker": request.get("UploadIdMarker", ""),
        "Prefix": encoded(request.get("Prefix", ""), request),
        "MaxUploads": limit,
        "IsTruncated": len(entries) > len(page) > 0,
        "Uploads": [
            {
                "UploadId": upload.id,
                "Key": encoded(upload.info.key, request),
                "Initiated": float(int(upload.info.modified_at)),
                **_told(upload, bucket.account),
            }
            for _, upload in page
            if upload is not None
        ],
        "CommonPrefixes": [{"Prefix": encoded(name, request)} for name, upload in page if upload is None],
    }
    if request.get("Delimiter"):
        document["Delimiter"] = encoded(request["Delimiter"], request)
    if "EncodingType" in request:
        document["EncodingType"] = request["EncodingType"]
    if document["IsTruncated"]:
        name, upload = page[-1]
        document["NextKeyMarker"] = encoded(name, request)
        document["NextUploadIdMarker"] = upload.id if upload is not None else ""
    return document


def _folded(uploads: Sequence[Upload], request: Document) -> list[tuple[str, Upload | None]]:
    """Return (key, upload), with the keys that share a prefix up to the delimiter as one (prefix, None)."""
    delimiter, start = request.get("Delimiter", ""), len(request.get("Prefix", ""))
    entries: dict[tuple[str, str], tuple[str, Upload | None]] = {}
    for upload in uploads:
        key = upload.info.key
        end = key.find(delimiter, start) if delimiter else -1
        name = key if end < 0 else key[: end + len(delimiter)]
        entries[name, upload.id if end < 0 else ""] = (name, upload if end < 0 else None)
    return list(entries.values())


def _after(entries: Sequence[tuple[str, Upload | None]], request: Document) -> list[tuple[str, Upload | None]]:
    """Return what follows the markers; the upload marker counts only beside a key marker, within that key."""
    key, upload_id = request.get("KeyMarker", ""), request.get("UploadIdMarker", "")
    if not key:
        return list(entries)
    names = [upload.id for name, upload in entries if name == key and upload is not None]
    passed = names[: names.index(upload_id) + 1] if upload_id in names else names
    is_resuming = upload_id in names
    return [
        (name, upload)
        for name, upload in entries
        if name.encode() > key.encode()
        or (is_resuming and name == key and upload is not None and upload.id not in passed)
    ]
