"""The kinds the command line lists and describes, and by which of SageMaker's own operations."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from sagehouse.app.client import Client, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """How a kind is listed and described."""

    kind: str
    member: str
    """Of the List operation's answer: the rows."""
    name: str
    """Member of a row that names the resource."""
    status: str = ""
    created: str = "CreationTime"
    described_by: str = ""
    """Member of the Describe request, where it is not `name`."""
    parent: str = ""
    """Kind whose resources each have a list of their own."""

    @property
    def word(self) -> str:
        """ "training-jobs", the word of the command line."""
        return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in f"{self.kind}s").lstrip("-")

    def rows(self, client: Client) -> Iterator[dict[str, Any]]:
        """Yield every row of the kind's list, or of the list of each parent."""
        if not self.parent:
            yield from client.pages(f"List{self.kind}s", self.member)
            return
        parent = BY_KIND[self.parent]
        for row in parent.rows(client):
            yield from client.pages(f"List{self.kind}s", self.member, **{parent.name: row[parent.name]})

    def describe(self, client: Client, name: str) -> dict[str, Any] | None:
        """Return the document of the resource of this name or ARN; None if this kind has none."""
        member = self.described_by or self.name
        if not member.endswith("Arn") and not self.described_by:
            name = _name_in(name, self.word.removesuffix("s"))
        try:
            return client.ask("sagemaker", f"Describe{self.kind}", **{member: name})
        except Refused:
            return None


KINDS = (
    Listed(
        kind="ProcessingJob", member="ProcessingJobSummaries", name="ProcessingJobName", status="ProcessingJobStatus"
    ),
    Listed(kind="TrainingJob", member="TrainingJobSummaries", name="TrainingJobName", status="TrainingJobStatus"),
    Listed(kind="TransformJob", member="TransformJobSummaries", name="TransformJobName", status="TransformJobStatus"),
    Listed(kind="Model", member="Models", name="ModelName"),
    Listed(kind="EndpointConfig", member="EndpointConfigs", name="EndpointConfigName"),
    Listed(kind="Endpoint", member="Endpoints", name="EndpointName", status="EndpointStatus"),
    Listed(
        kind="ModelPackageGroup",
        member="ModelPackageGroupSummaryList",
        name="ModelPackageGroupName",
        status="ModelPackageGroupStatus",
    ),
    Listed(
        kind="ModelPackage",
        member="ModelPackageSummaryList",
        name="ModelPackageArn",
        status="ModelApprovalStatus",
        described_by="ModelPackageName",
        parent="ModelPackageGroup",
    ),
    Listed(kind="Pipeline", member="PipelineSummaries", name="PipelineName"),
    Listed(
        kind="PipelineExecution",
        member="PipelineExecutionSummaries",
        name="PipelineExecutionArn",
        status="PipelineExecutionStatus",
        created="StartTime",
        parent="Pipeline",
    ),
)
BY_KIND = {listed.kind: listed for listed in KINDS}


def kind_of(word: str) -> Listed:
    """Return the kind a user means by "training-jobs", "TrainingJob" or "training_job"."""
    wanted = re.sub("[-_]", "", word.lower()).removesuffix("s")
    for listed in KINDS:
        if listed.kind.lower() == wanted:
            return listed
    raise click.ClickException(f"No kind {word!r}. Kinds: {', '.join(listed.word for listed in KINDS)}")


def _name_in(text: str, resource_type: str) -> str:
    """Return the name in an ARN of this type of resource; other texts as they are."""
    found = re.fullmatch(rf"arn:[^:]*:sagemaker:[^:]*:\d*:{resource_type}/(.+)", text)
    return found[1] if found else text
