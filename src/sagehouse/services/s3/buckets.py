"""Buckets: made, listed, found, deleted."""

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.services.s3.access import check_expiry, reach
from sagehouse.services.s3.metadata import check_tags
from sagehouse.services.s3.names import HOME_REGION, bucket_arn, check_bucket_name, owner
from sagehouse.services.s3.refusals import not_implemented, refuse, refuse_acl
from sagehouse.services.s3.settings import dump_setting
from sagehouse.services.s3.tokens import read_token, write_token

BUCKET_TAGS_LIMIT = 50
BUCKETS_PAGE = 10_000


async def list_buckets(house: House, call: Call, request: Document) -> Document:
    check_expiry(call)
    prefix, region = request.get("Prefix", ""), request.get("BucketRegion")
    after = read_token(request["ContinuationToken"]) if request.get("ContinuationToken") else ""
    found = [
        bucket
        for bucket in await house.objects.buckets(call.account)
        if bucket.name > after and bucket.name.startswith(prefix) and region in (None, bucket.region)
    ]
    limit = request.get("MaxBuckets", BUCKETS_PAGE)
    document: Document = {
        "Buckets": [
            {
                "Name": bucket.name,
                "CreationDate": float(int(bucket.created_at)),
                "BucketRegion": bucket.region,
                "BucketArn": bucket_arn(bucket.name),
            }
            for bucket in found[:limit]
        ],
        "Owner": owner(call.account),
    }
    if "Prefix" in request:
        document["Prefix"] = prefix
    if len(found) > limit:
        document["ContinuationToken"] = write_token(found[limit - 1].name)
    return document


async def create_bucket(house: House, call: Call, request: Document) -> Document:
    check_expiry(call)
    name = request["Bucket"]
    check_bucket_name(name)
    refuse_acl(request)
    refuse(request, "ObjectLockEnabledForBucket")
    if request.get("BucketNamespace", "global") != "global":
        raise not_implemented("x-amz-bucket-namespace account-regional")
    configuration = request.get("CreateBucketConfiguration") or {}
    refuse(configuration, "Location", "Bucket")
    region = _region(configuration.get("LocationConstraint"), call.region)
    tags = check_tags(configuration.get("Tags") or [], limit=BUCKET_TAGS_LIMIT)
    try:
        await house.objects.create_bucket(name, account=call.account, region=region, now=call.now)
    except Conflict as error:
        # Source: API reference, CreateBucket: us-east-1 answers 200 to the owner, for compatibility.
        if error.code != "BucketAlreadyOwnedByYou" or call.region != HOME_REGION or region != HOME_REGION:
            raise
    else:
        ownership = request.get("ObjectOwnership", "BucketOwnerEnforced")
        setting = dump_setting({"Rules": [{"ObjectOwnership": ownership}]})
        await house.objects.configure_bucket(name, changes={"ownershipControls": setting}, tags=tags)
    return {"Location": f"/{name}", "BucketArn": bucket_arn(name)}


def _region(constraint: str | None, region: str) -> str:
    """Return where the bucket goes. Source: API reference, CreateBucket, IllegalLocationConstraintException."""
    wanted = {"EU": "eu-west-1"}.get(constraint or "", constraint)
    if region == HOME_REGION:
        return wanted or HOME_REGION
    if wanted is None:
        raise Invalid(
            "The unspecified location constraint is incompatible for the region specific endpoint this request was "
            "sent to.",
            code="IllegalLocationConstraintException",
        )
    if wanted != region:
        raise Invalid(
            f"The {wanted} location constraint is incompatible for the region specific endpoint this request was "
            "sent to.",
            code="IllegalLocationConstraintException",
        )
    return wanted


async def head_bucket(house: House, call: Call, request: Document) -> Document:
    bucket = await reach(house, call, request)
    return {"BucketRegion": bucket.region, "BucketArn": bucket_arn(bucket.name), "AccessPointAlias": False}


async def delete_bucket(house: House, call: Call, request: Document) -> Document:
    await reach(house, call, request)
    await house.objects.delete_bucket(request["Bucket"])
    return {}


async def get_bucket_location(house: House, call: Call, request: Document) -> Document:
    bucket = await reach(house, call, request)
    return {} if bucket.region == HOME_REGION else {"LocationConstraint": bucket.region}
