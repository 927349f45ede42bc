"""Members of requests that promise what this store does not do: refused by name, never dropped in silence."""

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid, NotBound

ENCRYPTION_BY_CUSTOMER = ("SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5")
LOCKING = (
    "ObjectLockMode",
    "ObjectLockRetainUntilDate",
    "ObjectLockLegalHoldStatus",
    "ObjectLockEventHold",
    "ObjectLockEventHoldDurationDays",
    "ObjectLockEventHoldDurationYears",
)
GRANTS = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")
READABLE_CLASSES = frozenset(
    {"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"}
)
"""Storage classes whose objects are read at once, so that recording the class is the whole truth."""


def refuse(request: Document, *members: str) -> None:
    """Raise NotImplemented naming the first of these members that the request has."""
    for member in members:
        if request.get(member) not in (None, False):
            raise not_implemented(member)


def not_implemented(member: str) -> NotBound:
    return NotBound(
        f"A header you provided implies functionality that is not implemented: {member}.",
        code="NotImplemented",
        details={"Header": member},
    )


def refuse_acl(request: Document) -> None:
    """Raise unless the access control list asked for is the one every object has: the owner's full control.

    Source: S3 user guide, "Controlling ownership of objects": buckets are made with BucketOwnerEnforced.
    """
    if request.get("ACL") not in (None, "private", "bucket-owner-full-control") or any(
        member in request for member in GRANTS
    ):
        raise Invalid("The bucket does not allow ACLs", code="AccessControlListNotSupported")


def refuse_storage_class(request: Document) -> None:
    if request.get("StorageClass", "STANDARD") not in READABLE_CLASSES:
        raise not_implemented(f"StorageClass {request['StorageClass']}")


def refuse_version(request: Document) -> None:
    """Raise unless the version asked for is the only one there is."""
    if request.get("VersionId") not in (None, "null"):
        raise Invalid(
            "Invalid version id specified",
            code="InvalidArgument",
            details={"ArgumentName": "versionId", "ArgumentValue": request["VersionId"]},
        )
