"""Which AWS service and which bucket a host name means, and S3 requests brought to one form.

A virtual-hosted request (`bucket.s3.us-east-1.amazonaws.com/key`) becomes path style; headers that a presigned URL
carries in its query return to the headers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sagehouse.wire.http import HttpRequest, parse_query

_AWS_HOST = re.compile(r"(?:.+\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws|aws|amazonaws\.eu)", re.IGNORECASE)
_SUFFIX = re.compile(r"\.(?:amazonaws\.com(?:\.cn)?|api\.aws|amazonaws\.eu)$")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
_S3_HOST = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3(?:-fips)?(?:\.dualstack)?(?:[.-](?P<region>[a-z]{2}(?:-[a-z]+)+-\d))?"
    r"\.(?:amazonaws\.com(?:\.cn)?|localhost|sagehouse\.internal)"
)
_LOCAL_BUCKET = re.compile(r"(.+)\.localhost")
"""How clients that put the bucket before the host reach one at http://localhost: a name of this machine everywhere."""
_SERVICES: Mapping[str, str] = {
    "api.sagemaker": "sagemaker",
    "featurestore-runtime.sagemaker": "sagemaker-featurestore-runtime",
    "metrics.sagemaker": "sagemaker-metrics",
    "monitoring": "cloudwatch",
    "runtime.sagemaker": "sagemaker-runtime",
}


@dataclass(frozen=True, slots=True)
class Place:
    """What a host name says; "" where it says nothing."""

    service: str = ""
    region: str = ""
    bucket: str = ""


_NOWHERE = Place()


def is_aws_host(host: str) -> bool:
    """Whether a host (without port) is AWS's own."""
    return bool(_AWS_HOST.fullmatch(host.rstrip(".")))


def read_host(host: str) -> Place:
    """Return the service, region and bucket that a Host header names."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.lower().rstrip(".")
    s3 = _S3_HOST.fullmatch(name)
    if s3:
        return Place("s3", s3["region"] or "", s3["bucket"] or "")
    local = _LOCAL_BUCKET.fullmatch(name)
    if local:
        return Place("s3", "", local[1])
    if not _SUFFIX.search(name):
        return _NOWHERE
    stem = _SUFFIX.sub("", name)
    region = _REGION.search(stem)
    service = stem[: region.start()].rstrip(".-") if region else stem
    service = service.removesuffix("-fips")
    return Place(_SERVICES.get(service, service), region[0] if region else "", "")


def to_path_style(request: HttpRequest, bucket: str) -> HttpRequest:
    """Return the S3 request with the host's bucket in its path, and hoisted headers back in place."""
    changes: dict[str, object] = {}
    if bucket:
        changes["raw_path"] = f"/{bucket}{request.raw_path}"
    hoisted = _hoisted_headers(request)
    if hoisted:
        changes["headers"] = {**hoisted, **request.headers}
    return replace(request, **changes) if changes else request  # type: ignore[arg-type]  # names come from above


def _hoisted_headers(request: HttpRequest) -> dict[str, str]:
    """Return headers that signing moved into a presigned URL's query: x-amz-*, and with version 2 the content's."""
    query = request.query
    if "Signature=" not in query or ("x-amz-" not in query.lower() and "content-" not in query):
        return {}
    try:
        params = parse_query(query)
    except UnicodeDecodeError:
        return {}
    found = {}
    for name, values in params.items():
        if name.startswith("x-amz-") or name in {"content-type", "content-md5"}:
            found[name] = values[0]
    return found
