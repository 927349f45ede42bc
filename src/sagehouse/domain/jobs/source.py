"""Where in S3 inputs come from: URIs, manifests, and the part of them that each host gets."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote

from sagehouse.kit.errors import Invalid
from sagehouse.kit.json_text import read_json

_S3_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?", re.IGNORECASE)
"""bucket.s3.amazonaws.com, bucket.s3.eu-west-1.amazonaws.com, bucket.s3-eu-west-1.amazonaws.com; or without bucket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Uri:
    bucket: str
    key: str
    """A key or a string prefix; may be empty."""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the bucket and key of s3://bucket/key or of S3's https address of it; Invalid for anything else.

        Source: API reference, the pattern of S3 URIs: `(https|s3)://([^/]+)/?(.*)`; S3 user guide, "Virtual hosting of
        buckets".
        """
        scheme, _, place = text.partition("://")
        if scheme.lower() == "https":
            place = _of_address(place)
        bucket, _, key = place.partition("/")
        if scheme.lower() not in {"s3", "https"} or not bucket:
            raise Invalid(f"Invalid S3 URI {text!r}: expected s3://bucket/key.")
        return cls(bucket=bucket, key=key)

    @classmethod
    def directory(cls, text: str) -> Self:
        """Return the prefix below which names are appended: the key of `text` with a closing "/"."""
        uri = cls.parse(text)
        return cls(bucket=uri.bucket, key=uri.key if not uri.key or uri.key.endswith("/") else f"{uri.key}/")


def _of_address(address: str) -> str:
    """Return "bucket/key" of an https address without its scheme; "" if it is not S3's."""
    host, _, path = address.partition("/")
    if not (named := _S3_HOST.fullmatch(host)):
        return ""
    return f"{named['bucket']}/{unquote(path)}" if named["bucket"] else unquote(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The objects a ManifestFile names: `names` relative to `prefix`; with no names, everything below the prefix."""

    prefix: S3Uri
    names: Sequence[str]


def read_manifest(text: str, *, uri: str) -> Manifest:
    """Return what a manifest `[{"prefix": "s3://bucket/p/"}, "a", "b"]` names; Invalid, naming it, if it is none.

    Source: API reference, S3DataSource, ManifestFile.
    """
    try:
        entries = read_json(text)
        prefix = S3Uri.parse(entries[0]["prefix"])
        names = [name for name in entries[1:] if isinstance(name, str)]
    except (ValueError, LookupError, TypeError, Invalid) as problem:
        raise Invalid(f"The manifest {uri} is not a list that begins with an S3 prefix: {problem}.") from problem
    if len(names) != len(entries) - 1:
        raise Invalid(f"The manifest {uri} holds an entry that is no object name.")
    return Manifest(prefix=prefix, names=names)


def shard(names: Sequence[str], *, host: int, hosts: int) -> tuple[str, ...]:
    """Return the names host number `host` (from 0) of `hosts` gets: every one to exactly one host, sizes apart by one.

    Source: API reference, S3DataSource, S3DataDistributionType.
    """
    return tuple(names[host::hosts])
