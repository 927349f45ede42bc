"""ls, describe, logs, ops: looking at what the house holds and can do."""

import json
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from sagehouse.app.client import Client, Refused
from sagehouse.app.commands.options import client_of, home_option, region_option

_FOLLOW_PAUSE_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """How a kind is listed and described through SageMaker's own operations."""

    kind: str
    operation: str
    member: str
    name: str
    status: str = ""

    @property
    def word(self) -> str:
        """ "training-jobs", the word of the command line."""
        return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in f"{self.kind}s").lstrip("-")


_KINDS = tuple(
    _Listed(kind=kind, operation=f"List{kind}s", member=member, name=name, status=status)
    for kind, member, name, status in (
        ("ProcessingJob", "ProcessingJobSummaries", "ProcessingJobName", "ProcessingJobStatus"),
        ("TrainingJob", "TrainingJobSummaries", "TrainingJobName", "TrainingJobStatus"),
        ("TransformJob", "TransformJobSummaries", "TransformJobName", "TransformJobStatus"),
        ("Model", "Models", "ModelName", ""),
        ("EndpointConfig", "EndpointConfigs", "EndpointConfigName", ""),
        ("Endpoint", "Endpoints", "EndpointName", "EndpointStatus"),
        ("ModelPackageGroup", "ModelPackageGroupSummaryList", "ModelPackageGroupName", "ModelPackageGroupStatus"),
        ("Pipeline", "PipelineSummaries", "PipelineName", ""),
    )
)
_LOG_GROUPS = {
    "TrainingJob": "/aws/sagemaker/TrainingJobs",
    "ProcessingJob": "/aws/sagemaker/ProcessingJobs",
    "TransformJob": "/aws/sagemaker/TransformJobs",
}


def _kind(word: str) -> _Listed:
    wanted = word.lower().replace("-", "").replace("_", "").rstrip("s")
    for listed in _KINDS:
        if listed.kind.lower() == wanted:
            return listed
    raise click.ClickException(f"No kind {word!r}. Kinds: {', '.join(listed.word for listed in _KINDS)}")


@click.command()
@home_option
@region_option
@click.argument("kind", required=False)
def ls(home: Path | None, region: str | None, kind: str | None) -> None:
    """List resources, newest first: every kind, or one (sagehouse ls training-jobs)."""
    from rich.console import Console
    from rich.table import Table

    client = client_of(home, region)
    table = Table("kind", "name", "status", "created", box=None, header_style="bold")
    for listed in [_kind(kind)] if kind else _KINDS:
        for row in client.pages(listed.operation, listed.member):
            created = datetime.fromtimestamp(row["CreationTime"], UTC).strftime("%Y-%m-%d %H:%M:%S")
            table.add_row(listed.word, row[listed.name], row.get(listed.status, ""), created)
    Console().print(table if table.row_count else "nothing yet")


@click.command()
@home_option
@region_option
@click.argument("name")
def describe(home: Path | None, region: str | None, name: str) -> None:
    """Print the whole document of a resource, whatever its kind, as JSON."""
    client = client_of(home, region)
    found = {}
    for listed in _KINDS:
        try:
            found[listed.kind] = client.ask("sagemaker", f"Describe{listed.kind}", **{listed.name: name})
        except Refused:
            continue
    if not found:
        raise click.ClickException(f"Nothing is named {name!r}; sagehouse ls shows what there is.")
    for kind, document in found.items():
        click.echo(json.dumps({"Kind": kind, **document}, indent=2, default=str))


@click.command()
@home_option
@region_option
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.argument("name")
def logs(home: Path | None, region: str | None, follow: bool, name: str) -> None:
    """Print the log lines of a job or an endpoint."""
    client = client_of(home, region)
    group, prefix, kind = _log_of(client, name)
    positions: dict[str, str] = {}
    while True:
        ended = kind is None or _has_ended(client, kind, name)
        for stream in _streams(client, group, prefix):
            _print_new(client, group, stream, positions)
        if not follow or ended:
            return
        time.sleep(_FOLLOW_PAUSE_S)


def _log_of(client: Client, name: str) -> tuple[str, str, _Listed | None]:
    """Return log group, stream prefix, and the kind whose end ends the log (None: it has no end to wait for)."""
    for listed in _KINDS:
        if listed.kind not in {*_LOG_GROUPS, "Endpoint"}:
            continue
        try:
            client.ask("sagemaker", f"Describe{listed.kind}", **{listed.name: name})
        except Refused:
            continue
        if listed.kind == "Endpoint":
            return f"/aws/sagemaker/Endpoints/{name}", "", listed
        return _LOG_GROUPS[listed.kind], f"{name}/", listed
    raise click.ClickException(f"No job or endpoint is named {name!r}.")


def _has_ended(client: Client, listed: _Listed, name: str) -> bool:
    status = client.ask("sagemaker", f"Describe{listed.kind}", **{listed.name: name})[listed.status]
    return status not in {"InProgress", "Stopping", "Creating", "Updating", "InService", "Deleting"}


def _streams(client: Client, group: str, prefix: str) -> list[str]:
    request: dict[str, Any] = {"logGroupName": group}
    if prefix:
        request["logStreamNamePrefix"] = prefix
    try:
        answer = client.ask("logs", "DescribeLogStreams", **request)
    except Refused:
        return []
    return [stream["logStreamName"] for stream in answer["logStreams"]]


def _print_new(client: Client, group: str, stream: str, positions: dict[str, str]) -> None:
    while True:
        request: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
        if stream in positions:
            request["nextToken"] = positions[stream]
        answer = client.ask("logs", "GetLogEvents", **request)
        for event in answer["events"]:
            moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
            click.echo(f"{moment} {event['message']}")
        positions[stream] = answer["nextForwardToken"]
        if not answer["events"]:
            return
        sys.stdout.flush()


@click.command()
@click.argument("kind", required=False)
def ops(kind: str | None) -> None:
    """Print every operation that is bound and the function that does it; KIND narrows (sagehouse ops TrainingJob)."""
    from sagehouse.app.bound import SERVICES

    for service, operations in SERVICES.items():
        for operation, function in sorted(operations.items()):
            if kind is None or kind.lower() in operation.lower():
                click.echo(f"{service:20} {operation:40} {function.__module__}.{function.__name__}")
