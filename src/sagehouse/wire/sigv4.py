"""Who signed a request, for which service and region; and whether the signature is theirs.

Signature Version 4 in the Authorization header and in the query (presigned), and Version 2 of presigned S3 URLs.
Source: AWS General Reference, "Signature Version 4 signing process"; S3 developer guide, "query string request
authentication alternative".
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache
from posixpath import normpath
from urllib.parse import quote, unquote

from sagehouse.kit.errors import Denied
from sagehouse.wire.http import HttpRequest, parse_query

_ALGORITHM = "AWS4-HMAC-SHA256"
_EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_SIGNED_SUBRESOURCES = frozenset({
    "accelerate", "acl", "cors", "defaultObjectAcl", "delete", "lifecycle", "location", "logging", "notification",
    "partNumber", "policy", "replication", "requestPayment", "response-cache-control", "response-content-disposition",
    "response-content-encoding", "response-content-language", "response-content-type", "response-expires", "restore",
    "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a request says about its own signing. Version 2 knows no scope: date, region and service are ""."""

    version: int
    access_key: str
    date: str
    """yyyymmdd of the credential scope."""
    region: str
    service: str
    """Signing name: "sagemaker" stands for the runtime, the feature store and metrics too."""
    signed_headers: tuple[str, ...]
    value: str
    timestamp: str
    """X-Amz-Date (version 4), or Expires in seconds since the epoch (version 2)."""
    is_presigned: bool
    expires_s: int | None = None
    """How long after `timestamp` a presigned version 4 URL is good."""


def read_signature(request: HttpRequest) -> Signature | None:
    """Return what the request says of its signing; None if it is not signed, or in a way we do not know."""
    authorization = request.headers.get("authorization", "")
    if authorization.startswith(_ALGORITHM):
        return _from_header(authorization, request)
    if authorization.startswith("AWS "):
        access_key, _, value = authorization[4:].strip().partition(":")
        return _version_2(access_key, value, request.headers.get("date", ""), is_presigned=False)
    if "X-Amz-Credential=" in request.query:
        return _from_query(request)
    if "AWSAccessKeyId=" in request.query and "Signature=" in request.query:
        params = _params(request)
        if "SignatureVersion" in params:
            return None
        return _version_2(
            params.get("AWSAccessKeyId", ""), params.get("Signature", ""), params.get("Expires", ""), is_presigned=True
        )
    return None


def _params(request: HttpRequest) -> dict[str, str]:
    try:
        return {name: values[0] for name, values in parse_query(request.query).items()}
    except UnicodeDecodeError:
        return {}


def _from_header(authorization: str, request: HttpRequest) -> Signature | None:
    fields = {}
    for part in authorization[len(_ALGORITHM) :].split(","):
        name, _, value = part.strip().partition("=")
        fields[name] = value
    return _version_4(
        credential=fields.get("Credential", ""),
        signed_headers=fields.get("SignedHeaders", ""),
        value=fields.get("Signature", ""),
        timestamp=request.headers.get("x-amz-date", ""),
        expires_s=None,
    )


def _from_query(request: HttpRequest) -> Signature | None:
    params = _params(request)
    expires = params.get("X-Amz-Expires", "")
    return _version_4(
        credential=params.get("X-Amz-Credential", ""),
        signed_headers=params.get("X-Amz-SignedHeaders", ""),
        value=params.get("X-Amz-Signature", ""),
        timestamp=params.get("X-Amz-Date", ""),
        expires_s=int(expires) if expires.isascii() and expires.isdigit() and len(expires) < 10 else 0,
    )


def _version_4(
    *, credential: str, signed_headers: str, value: str, timestamp: str, expires_s: int | None
) -> Signature | None:
    parts = credential.rsplit("/", 4)
    if len(parts) != 5:
        return None
    return Signature(
        version=4,
        access_key=parts[0],
        date=parts[1],
        region=parts[2],
        service=parts[3],
        signed_headers=tuple(signed_headers.split(";")),
        value=value,
        timestamp=timestamp,
        is_presigned=expires_s is not None,
        expires_s=expires_s,
    )


def _version_2(access_key: str, value: str, timestamp: str, *, is_presigned: bool) -> Signature:
    return Signature(
        version=2,
        access_key=access_key,
        date="",
        region="",
        service="",
        signed_headers=(),
        value=value,
        timestamp=timestamp,
        is_presigned=is_presigned,
    )


def verify(request: HttpRequest, signature: Signature, secret: str) -> None:
    """Raise Denied (SignatureDoesNotMatch) unless the holder of the secret signed the request.

    Whether the date is recent is for the caller to judge, and so is the body's hash when it streams.
    """
    expected = _signature_4(request, signature, secret) if signature.version == 4 else _signature_2(request, secret)
    if not hmac.compare_digest(expected.encode(), signature.value.encode()):
        raise Denied(
            "The request signature we calculated does not match the signature you provided. Check your key and "
            "signing method.",
            code="SignatureDoesNotMatch",
        )


def _signature_4(request: HttpRequest, signature: Signature, secret: str) -> str:
    scope = f"{signature.date}/{signature.region}/{signature.service}/aws4_request"
    canonical = hashlib.sha256(_canonical_request(request, signature).encode()).hexdigest()
    to_sign = f"{_ALGORITHM}\n{signature.timestamp}\n{scope}\n{canonical}"
    key = _signing_key(secret, signature.date, signature.region, signature.service)
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=256)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical_request(request: HttpRequest, signature: Signature) -> str:
    is_s3 = signature.service == "s3"
    path = request.raw_path if is_s3 else quote(_normalize(request.raw_path), safe="/~")
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signature.signed_headers
    )
    return "\n".join(
        (
            request.method,
            path,
            _canonical_query(request.query),
            headers,
            ";".join(signature.signed_headers),
            _payload_hash(request, signature),
        )
    )


def _normalize(path: str) -> str:
    """Resolve "." and ".." and doubled slashes, keeping a trailing slash."""
    normal = "/" + normpath(path).lstrip("/") if path else "/"
    return normal if normal == "/" or not path.endswith("/") else normal + "/"


def _canonical_query(query: str) -> str:
    pairs = []
    for part in query.split("&"):
        if part and not part.startswith("X-Amz-Signature="):
            name, _, value = part.partition("=")
            pairs.append((_recode(name), _recode(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _recode(text: str) -> str:
    return quote(unquote(text, errors="surrogateescape"), safe="-_.~", errors="surrogateescape")


def _payload_hash(request: HttpRequest, signature: Signature) -> str:
    stated = request.headers.get("x-amz-content-sha256")
    if stated:
        return stated
    if signature.is_presigned and signature.service == "s3":
        return "UNSIGNED-PAYLOAD"
    return hashlib.sha256(request.body).hexdigest() if isinstance(request.body, bytes) else _EMPTY_HASH


def _signature_2(request: HttpRequest, secret: str) -> str:
    headers = request.headers
    params = _params(request)
    amazon = sorted(
        {name: value.strip() for name, value in {**params, **headers}.items() if name.startswith("x-amz-")}.items()
    )
    wanted = sorted((name, value) for name, value in params.items() if name in _SIGNED_SUBRESOURCES)
    resource = request.raw_path
    if wanted:
        resource += "?" + "&".join(f"{name}={value}" if value else name for name, value in wanted)
    to_sign = "\n".join(
        (
            request.method,
            params.get("content-md5") or headers.get("content-md5", ""),
            params.get("content-type") or headers.get("content-type", ""),
            params.get("Expires") or ("" if "x-amz-date" in headers else headers.get("date", "")),
            *(f"{name}:{value}" for name, value in amazon),
            resource,
        )
    )
    return base64.b64encode(hmac.new(secret.encode(), to_sign.encode(), hashlib.sha1).digest()).decode("ascii")
