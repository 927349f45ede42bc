"""Conditions of a write, and the errors of things that are not there, with S3's codes and texts. Pure."""

from sagehouse.kit.errors import Conflict, NotFound
from sagehouse.ports.objects import ObjectInfo


def no_such_bucket(name: str) -> NotFound:
    return NotFound("The specified bucket does not exist", code="NoSuchBucket", details={"BucketName": name})


def no_such_key(key: str) -> NotFound:
    return NotFound("The specified key does not exist.", code="NoSuchKey", details={"Key": key})


def no_such_upload(upload_id: str) -> NotFound:
    return NotFound(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed.",
        code="NoSuchUpload",
        details={"UploadId": upload_id},
    )


def bucket_not_empty(name: str) -> Conflict:
    return Conflict("The bucket you tried to delete is not empty", code="BucketNotEmpty", details={"BucketName": name})


def bucket_exists(name: str, *, is_own: bool) -> Conflict:
    if is_own:
        return Conflict(
            "Your previous request to create the named bucket succeeded and you already own it.",
            code="BucketAlreadyOwnedByYou",
            details={"BucketName": name},
        )
    return Conflict(
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
        "Please select a different name and try again.",
        code="BucketAlreadyExists",
        details={"BucketName": name},
    )


def was_overwritten(key: str) -> Conflict:
    return Conflict(
        f"A conflicting conditional operation is currently in progress against this resource, {key!r}: it was "
        "overwritten meanwhile. Please try again.",
        code="OperationAborted",
    )


def check_write(current: ObjectInfo | None, key: str, *, if_match: str | None, if_none_match: bool) -> None:
    """Raise unless the object now at `key` (or its absence) is what the writer expects.

    Source: S3 user guide, "How to prevent object overwrites with conditional writes".
    """
    if if_none_match and current is not None:
        raise _failed("If-None-Match")
    if if_match is None:
        return
    if current is None:
        raise no_such_key(key)
    if if_match != "*" and if_match.strip('"') != current.etag:
        raise _failed("If-Match")


def _failed(condition: str) -> Conflict:
    return Conflict(
        "At least one of the pre-conditions you specified did not hold",
        code="PreconditionFailed",
        details={"Condition": condition},
    )
