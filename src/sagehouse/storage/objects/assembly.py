"""What a multipart upload becomes: which parts, at which offset, with which ETag and checksums. Pure."""

from collections.abc import Mapping, Sequence

from sagehouse.kit.errors import Invalid
from sagehouse.ports.objects import ObjectInfo, Part, Upload
from sagehouse.storage.objects.checksums import (
    DEFAULT_ALGORITHM,
    can_combine,
    combined,
    composite,
    mismatch,
)

SMALLEST_PART_BYTES = 5 * 1024 * 1024
"""Of every part but the last. Source: S3 user guide, "Multipart upload limits"."""


def part_algorithms(upload: Upload, asked: Sequence[str]) -> tuple[str, ...]:
    """Return the checksums to compute of each part: what the whole will need and what the client sent."""
    return tuple(dict.fromkeys((upload.algorithm or DEFAULT_ALGORITHM, *asked)))


def chosen_parts(
    upload: Upload, stored: Mapping[int, Part], asked: Sequence[tuple[int, Mapping[str, str]]]
) -> list[Part]:
    """Return the parts the client lists, checked as S3 checks them.

    Source: API reference, CompleteMultipartUpload, errors.
    """
    if not asked:
        raise Invalid("You must specify at least one part.", code="MalformedXML")
    chosen: list[Part] = []
    previous = 0
    for number, digests in asked:
        if number <= previous:
            raise Invalid(
                "The list of parts was not in ascending order. The parts list must be specified in order by part "
                "number.",
                code="InvalidPartOrder",
                details={"UploadId": upload.id},
            )
        previous = number
        chosen.append(_checked_part(upload, stored.get(number), number, digests))
    for part in chosen[:-1]:
        if part.size < SMALLEST_PART_BYTES:
            raise Invalid(
                "Your proposed upload is smaller than the minimum allowed size",
                code="EntityTooSmall",
                details={
                    "ProposedSize": str(part.size),
                    "MinSizeAllowed": str(SMALLEST_PART_BYTES),
                    "PartNumber": str(part.number),
                    "ETag": part.etag,
                },
            )
    return chosen


def _checked_part(upload: Upload, part: Part | None, number: int, digests: Mapping[str, str]) -> Part:
    wrong = Invalid(
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
        "specified entity tag may not match the part's entity tag.",
        code="InvalidPart",
        details={"UploadId": upload.id, "PartNumber": str(number), "ETag": digests.get("ETAG", "")},
    )
    if part is None or digests.get("ETAG", "").strip('"') != part.etag:
        raise wrong
    if upload.checksum_type == "COMPOSITE" and upload.algorithm and upload.algorithm not in digests:
        raise Invalid(
            f"The upload was created using a {upload.algorithm.lower()} checksum. The complete request must include "
            f"the checksum for each part. It was missing for part {number} in the request.",
            code="InvalidRequest",
        )
    for name, value in digests.items():
        if name != "ETAG" and part.checksums.get(name) != value:
            raise wrong
    return part


def whole_checksums(upload: Upload, parts: Sequence[Part]) -> dict[str, str]:
    """Return the checksums of the finished object, with "TYPE"."""
    algorithm = upload.algorithm or DEFAULT_ALGORITHM
    if (upload.checksum_type or "FULL_OBJECT") == "FULL_OBJECT" and can_combine(algorithm):
        value = combined(algorithm, [(part.checksums[algorithm], part.size) for part in parts])
        return {algorithm: value, "TYPE": "FULL_OBJECT"}
    return {algorithm: composite(algorithm, [part.checksums[algorithm] for part in parts]), "TYPE": "COMPOSITE"}


def verify_whole(checksums: Mapping[str, str], size: int, expect: Mapping[str, str]) -> None:
    """Raise Invalid unless the finished object is what the client says of the whole."""
    for name, wanted in expect.items():
        if name == "SIZE":
            if int(wanted) != size:
                raise Invalid(
                    f"The provided 'x-amz-mp-object-size' header value {wanted} does not match what was computed: "
                    f"{size}.",
                    code="InvalidRequest",
                )
        elif name not in checksums or checksums[name].partition("-")[0] != wanted.partition("-")[0]:
            raise mismatch(name)


def copied_checksums(source: ObjectInfo, asked: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...], bool]:
    """Return what a copy needs: checksums it can take over, those to compute, and whether the MD5 must be computed.

    A copy is one whole object, so composite checksums and multipart ETags do not carry over.
    Source: S3 API reference, CopyObject, "Checksums".
    """
    kept = {name: value for name, value in source.checksums.items() if name != "TYPE"}
    is_whole = source.checksums.get("TYPE", "FULL_OBJECT") == "FULL_OBJECT"
    wanted = tuple(asked) or tuple(kept) or (DEFAULT_ALGORITHM,)
    known = {name: kept[name] for name in wanted if is_whole and name in kept}
    return known, tuple(name for name in wanted if name not in known), "-" in source.etag


def kept_part_checksums(checksums: Mapping[str, str], parts: Sequence[Part]) -> list[dict[str, str]]:
    """Return the parts' own checksums where S3 keeps them: for a COMPOSITE whole."""
    if checksums.get("TYPE") != "COMPOSITE":
        return []
    (algorithm,) = (name for name in checksums if name != "TYPE")
    return [{algorithm: part.checksums[algorithm]} for part in parts]
