"""Who asks what, when: the part of a request that is not its document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to one operation of one service."""

    service: str
    """botocore's service name: "sagemaker", "s3", "logs"."""
    operation: str
    region: str
    account: str
    principal: str
    """ARN of the caller, an assumed role: arn:aws:sts::123456789012:assumed-role/SageMakerRole/session."""
    request_id: str
    now: float
    """UTC seconds since the epoch; operations never read a clock."""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Request headers, names in lower case, for the few operations whose model does not carry them all."""
