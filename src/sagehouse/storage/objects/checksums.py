"""Digests over streams: the MD5 of an ETag and S3's additional checksums, whole and of multipart objects. Pure."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from awscrt import checksums as crt

from sagehouse.kit.errors import Invalid

DEFAULT_ALGORITHM = "CRC64NVME"
"""What S3 keeps of an object whose client asked for nothing. Source: S3 user guide, "Checking object integrity"."""


class _Running(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc:
    """A cyclic redundancy check with hashlib's interface."""

    def __init__(self, step: Callable[[bytes, int], int], width_bytes: int) -> None:
        self._step, self._width, self._value = step, width_bytes, 0

    def update(self, data: bytes, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._width, "big")


class _XxHash:
    """awscrt's xxHash with hashlib's interface; it can be finished only once."""

    def __init__(self, hasher: crt.XXHash) -> None:
        self._hasher = hasher
        self._digest: bytes | None = None

    def update(self, data: bytes, /) -> None:
        self._hasher.update(data)

    def digest(self) -> bytes:
        if self._digest is None:
            self._digest = bytes(self._hasher.finalize())
        return self._digest


_FACTORIES: Mapping[str, Callable[[], _Running]] = MappingProxyType(
    {
        "CRC32": lambda: _Crc(crt.crc32, 4),
        "CRC32C": lambda: _Crc(crt.crc32c, 4),
        "CRC64NVME": lambda: _Crc(crt.crc64nvme, 8),
        "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
        "SHA256": hashlib.sha256,
        "SHA512": hashlib.sha512,
        "MD5": lambda: hashlib.md5(usedforsecurity=False),
        "XXHASH64": lambda: _XxHash(crt.XXHash.new_xxhash64()),
        "XXHASH3": lambda: _XxHash(crt.XXHash.new_xxhash3_64()),
        "XXHASH128": lambda: _XxHash(crt.XXHash.new_xxhash3_128()),
    }
)

_COMBINE: Mapping[str, tuple[Callable[[int, int, int], int], int]] = MappingProxyType(
    {
        "CRC32": (crt.combine_crc32, 4),
        "CRC32C": (crt.combine_crc32c, 4),
        "CRC64NVME": (crt.combine_crc64nvme, 8),
    }
)


class Digests:
    """The MD5 and the asked checksums of one stream, fed in order from one thread at a time."""

    def __init__(self, algorithms: Iterable[str] = ()) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._running = {name: _FACTORIES[name]() for name in algorithms if name != "MD5"}
        self._keeps_md5 = "MD5" in set(algorithms)

    def update(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            self._md5.update(chunk)
            for running in self._running.values():
                running.update(chunk)

    @property
    def etag(self) -> str:
        return self._md5.hexdigest()

    def checksums(self) -> dict[str, str]:
        """Return algorithm -> base64 of the asked checksums."""
        found = {name: _text(running.digest()) for name, running in self._running.items()}
        if self._keeps_md5:
            found["MD5"] = _text(self._md5.digest())
        return found

    def value(self, algorithm: str) -> str | None:
        """Return one checksum in base64; None if it was not asked for (MD5 always is)."""
        if algorithm == "MD5":
            return _text(self._md5.digest())
        running = self._running.get(algorithm)
        return None if running is None else _text(running.digest())


def verify(digests: Digests, size: int, expect: Mapping[str, str]) -> None:
    """Raise Invalid with S3's code and text unless the bytes are what the client said they are."""
    for name, wanted in expect.items():
        if name == "SIZE":
            if int(wanted) != size:
                raise Invalid(
                    "You did not provide the number of bytes specified by the Content-Length HTTP header: "
                    f"announced {wanted}, received {size}.",
                    code="IncompleteBody",
                )
        elif digests.value(name) != wanted:
            raise mismatch(name)


def mismatch(algorithm: str) -> Invalid:
    """Return the error for a checksum the client sent and the bytes do not have."""
    if algorithm == "MD5":
        return Invalid("The Content-MD5 you specified did not match what we received.", code="BadDigest")
    return Invalid(f"The {algorithm} you specified did not match the calculated checksum.", code="BadDigest")


def multipart_etag(etags: Sequence[str]) -> str:
    """Return the MD5 of the parts' MD5s and their number. Source: observed S3 behaviour."""
    whole = hashlib.md5(b"".join(bytes.fromhex(etag) for etag in etags), usedforsecurity=False)
    return f"{whole.hexdigest()}-{len(etags)}"


def composite(algorithm: str, values: Sequence[str]) -> str:
    """Return the checksum of the parts' checksums and their number.

    Source: S3 user guide, "Checking object integrity", composite checksums.
    """
    running = _FACTORIES[algorithm]()
    running.update(b"".join(base64.b64decode(value) for value in values))
    return f"{_text(running.digest())}-{len(values)}"


def combined(algorithm: str, parts: Sequence[tuple[str, int]]) -> str:
    """Return the checksum of the whole from (base64 checksum, size) of its parts, without reading a byte."""
    combine, width = _COMBINE[algorithm]
    total = 0
    for value, size in parts:
        total = combine(total, int.from_bytes(base64.b64decode(value), "big"), size)
    return _text(total.to_bytes(width, "big"))


def can_combine(algorithm: str) -> bool:
    """Whether a FULL_OBJECT checksum of a multipart object exists for the algorithm."""
    return algorithm in _COMBINE


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")
