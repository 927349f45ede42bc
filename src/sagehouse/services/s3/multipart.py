"""Multipart uploads: begun, fed, completed, aborted."""

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.ports.objects import ObjectInfo, Upload
from sagehouse.services.s3 import metadata
from sagehouse.services.s3.access import reach
from sagehouse.services.s3.body import body_of, check_length_is_said
from sagehouse.services.s3.checksums import asked, kind_of_upload, stated_checksums
from sagehouse.services.s3.checksums import members as checksum_members
from sagehouse.services.s3.conditions import write_conditions
from sagehouse.services.s3.copying import check_part_number
from sagehouse.services.s3.objects import refuse_too_large
from sagehouse.services.s3.refusals import (
    ENCRYPTION_BY_CUSTOMER,
    LOCKING,
    refuse,
    refuse_acl,
    refuse_storage_class,
)


async def create_multipart_upload(house: House, call: Call, request: Document) -> Document:
    bucket = await reach(house, call, request)
    refuse_acl(request)
    refuse_storage_class(request)
    refuse(request, *ENCRYPTION_BY_CUSTOMER, *LOCKING, "SSEKMSEncryptionContext")
    algorithm = request.get("ChecksumAlgorithm")
    kind = kind_of_upload(algorithm, request.get("ChecksumType"))
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
    upload_id = await house.uploads.create_upload(info, now=call.now, algorithm=algorithm, checksum_type=kind)
    return {
        "Bucket": bucket.name,
        "Key": request["Key"],
        "UploadId": upload_id,
        **({"ChecksumAlgorithm": algorithm, "ChecksumType": kind} if algorithm else {}),
        **metadata.storage_members(info),
    }


async def upload_part(house: House, call: Call, request: Document) -> Document:
    await reach(house, call, request)
    refuse(request, *ENCRYPTION_BY_CUSTOMER)
    check_part_number(request["PartNumber"])
    check_length_is_said(call, request)
    refuse_too_large(request.get("ContentLength"))
    upload = await house.uploads.upload(request["Bucket"], request["Key"], request["UploadId"])
    said = asked(call, request)
    if upload.algorithm and said.algorithms and upload.algorithm not in said.algorithms:
        raise Invalid(
            f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm.lower()}, actual checksum "
            f"Type: {said.algorithms[0].lower()}",
            code="InvalidRequest",
        )
    part = await house.uploads.put_part(
        request["Bucket"],
        request["Key"],
        request["UploadId"],
        request["PartNumber"],
        body_of(call, request, is_checked=said.is_checked),
        now=call.now,
        size=request.get("ContentLength"),
        algorithms=said.algorithms,
        expect=said.expect,
    )
    told = {
        name: value for name, value in part.checksums.items() if name in said.algorithms or name == upload.algorithm
    }
    return {"ETag": f'"{part.etag}"', **checksum_members(told), **metadata.storage_members(upload.info)}


async def complete_multipart_upload(house: House, call: Call, request: Document) -> Document:
    await reach(house, call, request)
    refuse(request, *ENCRYPTION_BY_CUSTOMER)
    parts = (request.get("MultipartUpload") or {}).get("Parts") or []
    if_match, if_none_match = write_conditions(request)
    expect = stated_checksums(request)
    if request.get("MpuObjectSize") is not None:
        expect["SIZE"] = str(request["MpuObjectSize"])
    await _check_kind(house, request)
    stored = await house.uploads.complete_upload(
        request["Bucket"],
        request["Key"],
        request["UploadId"],
        [(part.get("PartNumber", 0), {"ETAG": part.get("ETag", ""), **stated_checksums(part)}) for part in parts],
        now=call.now,
        expect=expect,
        if_match=if_match,
        if_none_match=if_none_match,
    )
    host = call.headers.get("host", "s3.amazonaws.com")
    return {
        "Location": f"http://{host}/{stored.bucket}/{stored.key}",
        "Bucket": stored.bucket,
        "Key": stored.key,
        **metadata.written_members(stored),
    }


async def _check_kind(house: House, request: Document) -> None:
    kind = request.get("ChecksumType")
    if kind is None:
        return
    upload = await house.uploads.upload(request["Bucket"], request["Key"], request["UploadId"])
    if kind != (upload.checksum_type or "FULL_OBJECT"):
        raise Invalid(
            f"The upload was created using the {upload.checksum_type or 'FULL_OBJECT'} checksum mode. The complete "
            "request must use the same checksum mode.",
            code="InvalidRequest",
        )


async def abort_multipart_upload(house: House, call: Call, request: Document) -> Document:
    await reach(house, call, request)
    wanted = request.get("IfMatchInitiatedTime")
    upload: Upload = await house.uploads.upload(request["Bucket"], request["Key"], request["UploadId"])
    if wanted is not None and int(wanted) != int(upload.info.modified_at):
        raise Conflict("At least one of the pre-conditions you specified did not hold", code="PreconditionFailed")
    await house.uploads.abort_upload(request["Bucket"], request["Key"], request["UploadId"])
    return {}
