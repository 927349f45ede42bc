"""The environment variables that point a program, in any language, at a house.

Why each is needed: the SDKs call STS at a fixed https address whatever the endpoint settings say, so besides
AWS_ENDPOINT_URL a proxy catches AWS host names, and its certificate must be trusted. The user's own AWS files are
neither read nor changed: the program is shown empty ones.
Source: boto3 configuration guide; SageMaker SDK 2.257 and 3.27 sources.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

REMOVED = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCOUNT_ID",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
"""Variables that would lead a client to other credentials or past the endpoint."""

OUTER_PROXY = "SAGEHOUSE_OUTER_PROXY"
"""The https proxy the environment named before it was pointed at a house: a house started in it goes out that way."""
_LOCAL = "127.0.0.1,localhost,::1"
_AWS = re.compile(r"\*|\*?\.?(?:.+\.)?(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|api\.aws|aws)", re.IGNORECASE)
"""Entries of NO_PROXY that would let requests to AWS past the house."""


def outer_proxy(outer: Mapping[str, str]) -> str:
    """Return the https proxy of an environment; of one that is pointed at a house, the one it named before."""
    proxy = outer.get("https_proxy") or outer.get("HTTPS_PROXY") or ""
    return outer.get(OUTER_PROXY, "") if proxy and proxy == outer.get("SAGEHOUSE_URL") else proxy


def variables(url: str, *, home: Path, region: str, outer: Mapping[str, str]) -> dict[str, str]:
    """Return name -> value for a program started on this machine.

    `outer` is the environment it would have had: its NO_PROXY is kept, but for AWS's hosts. An AWS service endpoint
    set there for one service (AWS_ENDPOINT_URL_S3) is overridden, so that no request leaves the house.
    """
    bundle = str(home / "authority" / "bundle.pem")
    aws = home / "aws"
    outside = (part.strip() for part in (outer.get("NO_PROXY") or outer.get("no_proxy") or "").split(","))
    exempt = ",".join(dict.fromkeys([*_LOCAL.split(","), *(part for part in outside if part and not _is_aws(part))]))
    pointed = {
        "SAGEHOUSE_URL": url,
        "SAGEHOUSE_HOME": str(home),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": outer.get("SAGEHOUSE_ACCOUNT", "123456789012"),
        "AWS_SECRET_ACCESS_KEY": "sagehouse",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_CONFIG_FILE": str(aws / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(aws / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "HTTPS_PROXY": url,
        "https_proxy": url,
        "NO_PROXY": exempt,
        "no_proxy": exempt,
        "AWS_CA_BUNDLE": bundle,
        "REQUESTS_CA_BUNDLE": bundle,
        "CURL_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
        "NODE_EXTRA_CA_CERTS": bundle,
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(home / "sagemaker" / "config.yaml"),
        "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": str(home / "sagemaker" / "config.yaml"),
        "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
    }
    for name in outer:
        if re.fullmatch(r"AWS_ENDPOINT_URL_[A-Z0-9_]+", name):
            pointed[name] = url
    if outer_proxy(outer) not in ("", url):
        pointed[OUTER_PROXY] = outer_proxy(outer)
    return pointed


def _is_aws(entry: str) -> bool:
    return bool(_AWS.fullmatch(entry.rpartition(":")[0] if entry.rpartition(":")[2].isdigit() else entry))
