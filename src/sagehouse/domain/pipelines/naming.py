"""Names and times an execution makes up."""

import hashlib
import re
from datetime import UTC, datetime

from sagehouse.domain.pipelines.definition import Step
from sagehouse.domain.pipelines.execution import Facts
from sagehouse.kit.document import Document

_MAX_NAME = 63
"""Characters of a job or model name. Source: the service model."""


def child_name(facts: Facts, step: Step, *, attempt: int, prefix: object = None) -> str:
    """Return the name of an attempt's child, always the same: `pipelines-{execution id}-{step}-{10 characters}`.

    With a prefix, the name that the step's arguments hold, `{prefix}-{execution id}-{10 characters}`, as the SDK's
    custom job prefixes ask.
    """
    digest = hashlib.sha256(f"{facts.arn}/{step.name}/{attempt}".encode()).hexdigest()[:10]
    if isinstance(prefix, str) and prefix:
        head = f"{_plain(prefix)[: _MAX_NAME - len(facts.id) - 12].strip('-')}-{facts.id}"
    else:
        head = f"pipelines-{facts.id}-{_plain(step.name)}"
    return f"{head[: _MAX_NAME - 11].rstrip('-')}-{digest}"


def client_token(facts: Facts, step: Step, *, attempt: int) -> str:
    """Return the token by which asking twice for an attempt's model package gives one package."""
    return hashlib.sha256(f"{facts.arn}/{step.name}/{attempt}/token".encode()).hexdigest()[:36]


def child_tags(facts: Facts, step: str) -> list[Document]:
    """Return the tags that say whose child a job is. Source: tags AWS puts on jobs of pipelines."""
    return [
        {"Key": "sagemaker:pipeline-execution-arn", "Value": facts.arn},
        {"Key": "sagemaker:pipeline-name", "Value": facts.pipeline_name},
        {"Key": "sagemaker:pipeline-step-name", "Value": step},
    ]


def with_tags(request: Document, tags: list[Document]) -> list[Document]:
    """Return the request's own tags and these."""
    return [*request.get("Tags", []), *tags]


def iso_time(at: float) -> str:
    """Return UTC seconds as 2024-01-31T12:00:00.000Z."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(text: str) -> str:
    return re.sub(r"-+", "-", re.sub(r"[^A-Za-z0-9-]", "-", text)).strip("-")
