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

REMOVED = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
"""Variables that would lead a client to other credentials."""

_LOCAL = "127.0.0.1,localhost,::1"


def variables(url: str, *, home: Path, region: str, outer: Mapping[str, str]) -> dict[str, str]:
    """Return name -> value for a program started on this machine.

    `outer` is the environment it would have had: its NO_PROXY is kept. An AWS service endpoint set there for one
    service (AWS_ENDPOINT_URL_S3) is overridden, so that no request leaves the house.
    """
    bundle = str(home / "authority" / "bundle.pem")
    aws = home / "aws"
    outside = outer.get("NO_PROXY") or outer.get("no_proxy") or ""
    exempt = ",".join(dict.fromkeys(part for part in f"{_LOCAL},{outside}".split(",") if part))
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
        "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
    }
    for name in outer:
        if re.fullmatch(r"AWS_ENDPOINT_URL_[A-Z0-9_]+", name):
            pointed[name] = url
    return pointed
