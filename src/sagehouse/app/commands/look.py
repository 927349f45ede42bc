"""ls, describe, logs, ops: looking at what the house holds and can do."""

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from sagehouse.app.client import Client, Refused
from sagehouse.app.commands.kinds import BY_KIND, KINDS, Listed, kind_of
from sagehouse.app.commands.options import client_of, home_option, region_option

_FOLLOW_PAUSE_S = 0.3
_GOING_ON = {"InProgress", "Stopping", "Creating", "Updating", "InService", "Deleting"}
"""Statuses of jobs and endpoints in which more may be logged."""


_LOG_GROUPS = {
    "TrainingJob": "/aws/sagemaker/TrainingJobs",
    "ProcessingJob": "/aws/sagemaker/ProcessingJobs",
    "TransformJob": "/aws/sagemaker/TransformJobs",
}


@click.command()
@home_option
@region_option
@click.argument("kind", required=False)
def ls(home: Path | None, region: str | None, kind: str | None) -> None:
    """List resources, newest first. KIND narrows: sagehouse ls training-jobs."""
    client = client_of(home, region)
    rows = [
        (
            listed.word,
            row[listed.name],
            row.get(listed.status, ""),
            datetime.fromtimestamp(row[listed.created], UTC).strftime("%Y-%m-%d %H:%M:%S"),
        )
        for listed in ([kind_of(kind)] if kind else KINDS)
        for row in listed.rows(client)
    ]
    if not rows:
        click.echo("nothing yet")
        return
    _print_table(("kind", "name", "status", "created"), rows)


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print whole names, whatever the width of the terminal: they are there to be copied."""
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(len(titles))]
    for row in (titles, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.secho(line, bold=row is titles)


@click.command()
@home_option
@region_option
@click.argument("name")
def describe(home: Path | None, region: str | None, name: str) -> None:
    """Print the whole document of a resource as JSON. Its name or ARN is enough, whatever its kind."""
    client = client_of(home, region)
    found = {listed.kind: listed.describe(client, name) for listed in KINDS}
    documents = [{"Kind": kind, **document} for kind, document in found.items() if document is not None]
    if not documents:
        raise click.ClickException(f"Nothing is named {name!r}; sagehouse ls shows what there is.")
    for document in documents:
        click.echo(json.dumps(document, indent=2, default=str))


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
        ended = _has_ended(client, kind, name)
        for stream in _streams(client, group, prefix):
            _print_new(client, group, stream, positions)
        if not follow or ended:
            return
        time.sleep(_FOLLOW_PAUSE_S)


def _log_of(client: Client, name: str) -> tuple[str, str, Listed]:
    """Return log group, stream prefix, and the kind whose end ends the log."""
    for kind, group in _LOG_GROUPS.items():
        if BY_KIND[kind].describe(client, name) is not None:
            return group, f"{name}/", BY_KIND[kind]
    if BY_KIND["Endpoint"].describe(client, name) is not None:
        return f"/aws/sagemaker/Endpoints/{name}", "", BY_KIND["Endpoint"]
    raise click.ClickException(f"No job or endpoint is named {name!r}; sagehouse ls shows what there is.")


def _has_ended(client: Client, listed: Listed, name: str) -> bool:
    document = listed.describe(client, name)
    return document is None or document[listed.status] not in _GOING_ON


def _streams(client: Client, group: str, prefix: str) -> list[str]:
    request: dict[str, Any] = {"logGroupName": group}
    if prefix:
        request["logStreamNamePrefix"] = prefix
    names: list[str] = []
    while True:
        try:
            answer = client.ask("logs", "DescribeLogStreams", **request)
        except Refused:  # nothing has been written yet
            return names
        names += [stream["logStreamName"] for stream in answer["logStreams"]]
        if "nextToken" not in answer:
            return names
        request["nextToken"] = answer["nextToken"]


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
    """Print every operation that is bound. And the function that does it; KIND narrows: sagehouse ops TrainingJob."""
    from sagehouse.app.bound import SERVICES

    lines = [
        f"{service:20} {operation:40} {function.__module__}.{function.__name__}"
        for service, operations in SERVICES.items()
        for operation, function in sorted(operations.items())
        if kind is None or kind.lower() in operation.lower()
    ]
    if not lines:
        raise click.ClickException(f"No operation with {kind!r} in its name is bound.")
    click.echo("\n".join(lines))
