"""Sub-resources of buckets. All but tags and versioning are kept and answered as given, and not acted on.

Nothing here is enforced: no request is refused because of a policy, no origin because of CORS rules, no object expires
because of a lifecycle. Only the default encryption shows, on the objects written after it.
"""

import json
from typing import Any

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid, NotFound
from sagehouse.kit.json_text import read_json
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.services.s3.access import reach
from sagehouse.services.s3.metadata import check_tags
from sagehouse.services.s3.names import owner

BUCKET_TAGS_LIMIT = 50
POLICY_LIMIT_BYTES = 20 * 1024
_DEFAULT_ENCRYPTION = {
    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
}
_PUBLIC_ACCESS_BLOCK = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
"""Of every new bucket. Source: S3 user guide, "Blocking public access"."""
_DELETED = "null"
"""Kept where a bucket is born with a setting, to tell that it was deleted."""


def dump_setting(document: Document) -> str:
    return json.dumps(document, separators=(",", ":"))


async def _get(house: House, call: Call, request: Document, name: str, default: Any = None) -> Any:
    bucket = await reach(house, call, request)
    kept = bucket.configuration.get(name)
    return default if kept is None else json.loads(kept)


async def _set(house: House, call: Call, request: Document, name: str, text: str | None) -> Document:
    await reach(house, call, request)
    await house.objects.configure_bucket(request["Bucket"], changes={name: text})
    return {}


def _absent(code: str, text: str, request: Document) -> NotFound:
    return NotFound(text, code=code, details={"BucketName": request["Bucket"]})


async def get_bucket_policy(house: House, call: Call, request: Document) -> Document:
    policy = await _get(house, call, request, "policy")
    if policy is None:
        raise _absent("NoSuchBucketPolicy", "The bucket policy does not exist", request)
    return {"Policy": policy["Text"]}


async def put_bucket_policy(house: House, call: Call, request: Document) -> Document:
    text = request["Policy"]
    try:
        is_policy = isinstance(read_json(text), dict) and len(text.encode()) <= POLICY_LIMIT_BYTES
    except ValueError:
        is_policy = False
    if not is_policy:
        raise Invalid("Policies must be valid JSON and the first byte must be '{'", code="MalformedPolicy")
    return await _set(house, call, request, "policy", dump_setting({"Text": text}))


async def delete_bucket_policy(house: House, call: Call, request: Document) -> Document:
    return await _set(house, call, request, "policy", None)


async def get_bucket_cors(house: House, call: Call, request: Document) -> Document:
    cors = await _get(house, call, request, "cors")
    if cors is None:
        raise _absent("NoSuchCORSConfiguration", "The CORS configuration does not exist", request)
    return {"CORSRules": cors["CORSRules"]}


async def put_bucket_cors(house: House, call: Call, request: Document) -> Document:
    return await _set(house, call, request, "cors", dump_setting(request["CORSConfiguration"]))


async def delete_bucket_cors(house: House, call: Call, request: Document) -> Document:
    return await _set(house, call, request, "cors", None)


async def get_bucket_lifecycle_configuration(house: House, call: Call, request: Document) -> Document:
    lifecycle = await _get(house, call, request, "lifecycle")
    if lifecycle is None:
        raise _absent("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", request)
    return dict(lifecycle)


async def put_bucket_lifecycle_configuration(house: House, call: Call, request: Document) -> Document:
    size = request.get("TransitionDefaultMinimumObjectSize", "all_storage_classes_128K")
    rules = (request.get("LifecycleConfiguration") or {}).get("Rules", [])
    kept = {"Rules": rules, "TransitionDefaultMinimumObjectSize": size}
    await _set(house, call, request, "lifecycle", dump_setting(kept))
    return {"TransitionDefaultMinimumObjectSize": size}


async def delete_bucket_lifecycle(house: House, call: Call, request: Document) -> Document:
    return await _set(house, call, request, "lifecycle", None)


async def get_bucket_encryption(house: House, call: Call, request: Document) -> Document:
    encryption = await _get(house, call, request, "encryption", _DEFAULT_ENCRYPTION)
    return {"ServerSideEncryptionConfiguration": encryption}


async def put_bucket_encryption(house: House, call: Call, request: Document) -> Document:
    kept = dump_setting(request["ServerSideEncryptionConfiguration"])
    return await _set(house, call, request, "encryption", kept)


async def delete_bucket_encryption(house: House, call: Call, request: Document) -> Document:
    return await _set(house, call, request, "encryption", None)


async def get_public_access_block(house: House, call: Call, request: Document) -> Document:
    block = await _get(house, call, request, "publicAccessBlock", _PUBLIC_ACCESS_BLOCK)
    if block is None:
        raise _absent(
            "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found", request
        )
    return {"PublicAccessBlockConfiguration": block}


async def put_public_access_block(house: House, call: Call, request: Document) -> Document:
    given = request["PublicAccessBlockConfiguration"]
    kept = {member: bool(given.get(member, False)) for member in _PUBLIC_ACCESS_BLOCK}
    return await _set(house, call, request, "publicAccessBlock", dump_setting(kept))


async def delete_public_access_block(house: House, call: Call, request: Document) -> Document:
    return await _set(house, call, request, "publicAccessBlock", _DELETED)


async def get_bucket_ownership_controls(house: House, call: Call, request: Document) -> Document:
    controls = await _get(house, call, request, "ownershipControls")
    if controls is None:
        raise _absent("OwnershipControlsNotFoundError", "The bucket ownership controls were not found", request)
    return {"OwnershipControls": controls}


async def put_bucket_ownership_controls(house: House, call: Call, request: Document) -> Document:
    return await _set(house, call, request, "ownershipControls", dump_setting(request["OwnershipControls"]))


async def delete_bucket_ownership_controls(house: House, call: Call, request: Document) -> Document:
    return await _set(house, call, request, "ownershipControls", None)


async def get_bucket_versioning(house: House, call: Call, request: Document) -> Document:
    """Answer what S3 answers of a bucket that never had versions; PutBucketVersioning is not bound."""
    await reach(house, call, request)
    return {}


async def get_bucket_acl(house: House, call: Call, request: Document) -> Document:
    bucket = await reach(house, call, request)
    return full_control(bucket.account)


def full_control(account: str) -> Document:
    """Return the access control list every bucket and object has: its owner's full control."""
    holder = owner(account)
    return {
        "Owner": holder,
        "Grants": [{"Grantee": {**holder, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}],
    }


async def get_bucket_tagging(house: House, call: Call, request: Document) -> Document:
    bucket = await reach(house, call, request)
    if not bucket.tags:
        raise _absent("NoSuchTagSet", "The TagSet does not exist", request)
    return {"TagSet": [{"Key": name, "Value": value} for name, value in bucket.tags.items()]}


async def put_bucket_tagging(house: House, call: Call, request: Document) -> Document:
    await reach(house, call, request)
    tags = check_tags(request["Tagging"]["TagSet"], limit=BUCKET_TAGS_LIMIT)
    await house.objects.configure_bucket(request["Bucket"], tags=tags)
    return {}


async def delete_bucket_tagging(house: House, call: Call, request: Document) -> Document:
    await reach(house, call, request)
    await house.objects.configure_bucket(request["Bucket"], tags={})
    return {}
