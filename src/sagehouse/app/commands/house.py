"""up, down, status, reset: the house itself."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click

from sagehouse.activation import HOUSE_FILE, home_directory, lock, running_house
from sagehouse.app.client import Client, Refused
from sagehouse.app.commands.options import check_region, home_option, made, running
from sagehouse.app.config import DEFAULT_PORT, LOOPBACK, config_from

_START_LIMIT_S = 20.0
_STOP_LIMIT_S = 15.0
_ASK_LIMIT_S = 2.0
_LOG_TAIL = 2000
_WORKLOADS = {
    "ProcessingJob": "processing job",
    "TrainingJob": "training job",
    "TransformJob": "transform job",
    "Endpoint": "endpoint",
}
_ENDED = frozenset({"Completed", "Stopped", "Failed"})
_LEAST_ROOM_BYTES = 1024 * 1024
"""A house that did not start with less than this did so for want of it, and could not say so in its log."""


@click.command()
@home_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; loopback only.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    envvar="SAGEHOUSE_PORT",
    show_default=True,
    help="TCP port; 0 takes a free one.",
)
@click.option(
    "--region",
    envvar="SAGEHOUSE_REGION",
    callback=check_region,
    help="Region of programs that name none.  [default: us-east-1]",
)
@click.option("--detach", is_flag=True, help="Return once the house answers; its log is in the data directory.")
@click.option("--allow-reset", is_flag=True, help="Answer POST /_sagehouse/reset, which empties the house.")
@click.option(
    "--strict-versions", is_flag=True, help="Refuse images whose exact framework version cannot be installed here."
)
def up(
    home: Path | None,
    host: str,
    port: int,
    region: str | None,
    detach: bool,
    allow_reset: bool,
    strict_versions: bool,
) -> None:
    """Start the house and stay in the foreground."""
    if sys.getfilesystemencoding() != "utf-8":  # keys and log lines become file names and text in any language
        arguments = [sys.executable, "-X", "utf8", "-m", "sagehouse.app.cli", *sys.argv[1:]]
        os.execv(sys.executable, arguments)  # noqa: S606 - ourselves again
    if host not in LOOPBACK:
        raise click.ClickException(
            f"Refusing to listen on {host}: requests are not authenticated yet, so only loopback addresses are safe."
        )
    config = config_from(
        home=home, host=host, port=port, may_reset=allow_reset, is_strict=strict_versions, region=region
    )
    house = running_house(config.home)
    if house is not None:
        click.echo(f"A house is up already: {house['url']} (pid {house['pid']})")
        return
    if detach:
        click.echo(_start_detached(config.home))
        return
    from sagehouse.app.serve import serve

    sys.exit(serve(config))


def _start_detached(home: Path) -> str:
    log = home / "house.log"
    made(home)
    before = log.stat().st_size if log.exists() else 0
    arguments = [argument for argument in sys.argv[1:] if argument != "--detach"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sagehouse.app.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline:
        has_ended = process.poll() is not None
        house = running_house(home)
        # A killed house's card is believed from when the new one has the lock until it has removed it.
        if house is not None and (has_ended or int(house["pid"]) == process.pid):
            return f"{house['url']} (pid {house['pid']}, log {log})"
        if has_ended and not lock.is_held(home / lock.LOCK_FILE):
            break  # held: another house, started in the same moment, is about to say where it answers
        time.sleep(0.02)
    said = log.read_bytes()[before:][-_LOG_TAIL:].decode(errors="replace").strip()
    room = os.statvfs(home)
    if room.f_bavail * room.f_frsize < _LEAST_ROOM_BYTES:
        raise click.ClickException(f"No space left on device: a house needs room in {home} to start.")
    raise click.ClickException(f"The house did not start; {log} says:\n{said}")


@click.command()
@home_option
def down(home: Path | None) -> None:
    """Stop the house. Jobs and endpoints it started go on and are adopted at the next start."""
    directory, house = running(home)
    running_on = _still_running(house)
    os.kill(int(house["pid"]), signal.SIGTERM)
    deadline = time.monotonic() + _STOP_LIMIT_S
    while lock.is_held(directory / lock.LOCK_FILE):
        if time.monotonic() > deadline:
            raise click.ClickException(f"pid {house['pid']} is still stopping after {_STOP_LIMIT_S:.0f} s.")
        time.sleep(0.02)
    click.echo(f"down; {running_on}" if running_on else "down")


def _still_running(house: dict[str, str]) -> str:
    """Say what the house leaves running, "" if nothing or if it does not answer."""
    try:
        client = Client(house["url"], region=house["region"], account=house["account"])
        resources = client.admin("health", timeout_s=_ASK_LIMIT_S)["resources"]
    except click.ClickException:
        return ""
    counts = {
        words: sum(count for status, count in resources.get(kind, {}).items() if status not in _ENDED)
        for kind, words in _WORKLOADS.items()
    }
    left = ", ".join(f"{count} {words}{'s' if count > 1 else ''}" for words, count in counts.items() if count)
    return f"{left} left running until the next sagehouse up, or sagehouse reset" if left else ""


@click.command()
@home_option
def status(home: Path | None) -> None:
    """Say whether the house is up and what it holds. Exit status 3 if it is down."""
    directory = home_directory(home)
    house = running_house(directory)
    if house is None:
        click.echo(f"down (data directory {directory})")
        sys.exit(3)
    health = Client(house["url"], region=house["region"], account=house["account"]).admin("health")
    click.echo(f"up    {house['url']}  pid {house['pid']}  since {health['started_at']}")
    click.echo(f"data  {directory}")
    for kind, statuses in sorted(health["resources"].items()):
        counted = ", ".join(f"{count} {name}" if name else str(count) for name, count in sorted(statuses.items()))
        click.echo(f"      {kind}: {counted}")


@click.command()
@home_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(home: Path | None, yes: bool) -> None:
    """Empty the house. Stops what runs and deletes every bucket, job, model and log."""
    directory = home_directory(home)
    if not yes:
        click.confirm(f"Delete everything in {directory}?", abort=True)
    house = running_house(directory)
    if house is not None:
        client = Client(house["url"], region=house["region"], account=house["account"])
        try:
            client.admin("reset", method="POST")
        except Refused as error:
            raise click.ClickException(f"{error} Or take the house down first: sagehouse down") from None
    else:
        _delete_data(directory)
    click.echo("empty")


def _delete_data(directory: Path) -> None:
    """Stop what a house left running and remove what it keeps; environments and the certificate authority stay."""
    from sagehouse.app.rooms import WORKPLACES
    from sagehouse.runtimes.process.removal import remove_tree
    from sagehouse.runtimes.process.runtime import ProcessRuntime

    asyncio.run(ProcessRuntime().kill_all([directory / name for name in WORKPLACES]))
    for name in ("catalog", "objects", "streams", "jobs", "endpoints", "models", "run"):
        remove_tree(directory / name)
    (directory / HOUSE_FILE).unlink(missing_ok=True)
