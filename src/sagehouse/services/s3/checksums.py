"""Checksums of requests and responses: what the client says of its bytes, and what it is told. Pure."""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.ports.call import Call

WIDTHS: Mapping[str, int] = MappingProxyType(
    {
        "CRC32": 4,
        "CRC32C": 4,
        "CRC64NVME": 8,
        "SHA1": 20,
        "SHA256": 32,
        "SHA512": 64,
        "MD5": 16,
        "XXHASH64": 8,
        "XXHASH3": 8,
        "XXHASH128": 16,
    }
)
"""Algorithm -> bytes of its digest."""
DEFAULT = "CRC64NVME"
FULL_OBJECT_ALGORITHMS = frozenset({"CRC32", "CRC32C", "CRC64NVME"})
"""Those whose checksum of a whole follows from the checksums of its parts."""
_PREFIX = "x-amz-checksum-"


def member(algorithm: str) -> str:
    """Return the model's member that holds a checksum."""
    return f"Checksum{algorithm}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the client says of a body."""

    algorithms: tuple[str, ...]
    """To be computed, and kept with the object; empty if it names none."""
    expect: Mapping[str, str]
    """What the store is to compare, to be read after the body."""

    @property
    def is_checked(self) -> bool:
        """Whether a checksum will be compared, not the length alone."""
        return any(name != "SIZE" for name in self.expect)


class _Expected(Mapping[str, str]):
    """Values known before the body, and one that comes in its trailers."""

    def __init__(self, known: Mapping[str, str], trailing: str | None, trailers: Mapping[str, str]) -> None:
        self._known, self._trailing, self._trailers = known, trailing, trailers

    def __getitem__(self, name: str) -> str:
        if name != self._trailing:
            return self._known[name]
        value = self._trailers.get(_PREFIX + name.lower())
        if value is None:
            raise Invalid(
                f"The request announced the trailer {_PREFIX}{name.lower()} and did not send it.",
                code="MalformedTrailerError",
            )
        return value

    def __iter__(self) -> Iterator[str]:
        yield from self._known
        if self._trailing is not None:
            yield self._trailing

    def __len__(self) -> int:
        return len(self._known) + (self._trailing is not None)


def asked(call: Call, request: Document) -> Asked:
    """Return what the request says of its Body: in members, in the headers that announce trailers, and there.

    Source: S3 user guide, "Checking object integrity"; observed error texts.
    """
    stated = stated_checksums(request)
    trailing = _announced(call)
    if len(stated) + len(trailing) > 1:
        raise Invalid(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            code="InvalidRequest",
        )
    named = request.get("ChecksumAlgorithm")
    algorithms = (*stated, *trailing) or ((named,) if named else ())
    if named and named not in algorithms:
        raise Invalid("Value for x-amz-sdk-checksum-algorithm header is invalid.", code="InvalidRequest")
    known = dict(stated)
    if request.get("ContentLength") is not None:
        known["SIZE"] = str(request["ContentLength"])
    if request.get("ContentMD5") is not None:
        known["MD5"] = _content_md5(request["ContentMD5"], known.get("MD5"))
    body = request.get("Body")
    return Asked(
        algorithms=algorithms,
        expect=_Expected(known, trailing[0] if trailing else None, getattr(body, "trailers", {})),
    )


def stated_checksums(request: Document) -> dict[str, str]:
    """Return algorithm -> base64 of the checksum members a document has, each well formed."""
    stated = {name: request[member(name)] for name in WIDTHS if request.get(member(name)) is not None}
    for name, value in stated.items():
        if not _is_digest(value.partition("-")[0], WIDTHS[name]):
            raise Invalid(f"Value for {_PREFIX}{name.lower()} header is invalid.", code="InvalidRequest")
    return stated


def _announced(call: Call) -> tuple[str, ...]:
    names = [name.strip().lower() for name in call.headers.get("x-amz-trailer", "").split(",")]
    found = tuple(name.removeprefix(_PREFIX).upper() for name in names if name.startswith(_PREFIX))
    for name in found:
        if name not in WIDTHS:
            raise Invalid(f"The value specified in the x-amz-trailer header is not supported: {name}.")
    return found


def _content_md5(value: str, other: str | None) -> str:
    if not _is_digest(value, WIDTHS["MD5"]):
        raise Invalid("The Content-MD5 you specified was invalid.", code="InvalidDigest")
    if other is not None and other != value:
        raise Invalid("The Content-MD5 you specified did not match what we received.", code="BadDigest")
    return value


def _is_digest(value: str, width: int) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == width
    except (binascii.Error, ValueError):
        return False


def members(checksums: Mapping[str, str]) -> Document:
    """Return an object's or part's checksums as members of a response."""
    document: Document = {member(name): value for name, value in checksums.items() if name != "TYPE"}
    if "TYPE" in checksums:
        document["ChecksumType"] = checksums["TYPE"]
    return document


def listed(checksums: Mapping[str, str]) -> Document:
    """Return what a listing says of an object's checksums."""
    names = [name for name in checksums if name != "TYPE"]
    return {"ChecksumAlgorithm": names, "ChecksumType": checksums.get("TYPE", "FULL_OBJECT")} if names else {}


def kind_of_upload(algorithm: str | None, kind: str | None) -> str | None:
    """Return the checksum type of a new multipart upload; Invalid if the algorithm has no such type."""
    if algorithm is None:
        if kind is not None:
            raise Invalid(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
                code="InvalidRequest",
            )
        return None
    allowed: Sequence[str] = ("COMPOSITE", "FULL_OBJECT") if algorithm in FULL_OBJECT_ALGORITHMS else ("COMPOSITE",)
    if algorithm == "CRC64NVME":
        allowed = ("FULL_OBJECT",)
    if kind is not None and kind not in allowed:
        raise Invalid(
            f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm.",
            code="InvalidRequest",
        )
    return kind or allowed[0]
