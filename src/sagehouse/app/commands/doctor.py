"""doctor: what is missing on this machine, and how to fix it."""

import shutil
import socket
import sys
from pathlib import Path

import click

from sagehouse.activation import home_directory, running_house
from sagehouse.app.commands.options import home_option, made
from sagehouse.app.config import DEFAULT_PORT, environments_directory

_ENOUGH_DISK_BYTES = 2 * 1024**3
"""What the quickstart keeps for good, measured: two environments for jobs and the SDK's."""


@click.command()
@home_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    envvar="SAGEHOUSE_PORT",
    show_default=True,
    help="Port a house is to have.",
)
def doctor(home: Path | None, port: int) -> None:
    """Check this machine, and say how to fix it. Exit status 1 if something has to be."""
    from sagehouse.runtimes.process.doctor import doctor as runtime_doctor

    directory = made(home_directory(home))
    findings = [_python(), _port(directory, port), _disk(environments_directory(directory))]
    objects = directory / "objects"
    objects.mkdir(exist_ok=True)
    found = runtime_doctor(directory / "jobs", linked=[objects])
    findings += [(finding.is_fine or not finding.is_needed, finding.text, finding.fix) for finding in found]
    for is_fine, text, fix in findings:
        mark = click.style("FIX ", fg="red") if not is_fine else click.style("note" if fix else "ok  ", fg="green")
        click.echo(f"{mark} {text}")
        if fix:
            click.echo(f"     {fix}")
    sys.exit(0 if all(is_fine for is_fine, _, _ in findings) else 1)


def _python() -> tuple[bool, str, str]:
    version = ".".join(map(str, sys.version_info[:3]))
    fine = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return fine, f"Python {version}", "" if fine else "Use Python 3.11, 3.12 or 3.13."


def _port(directory: Path, port: int) -> tuple[bool, str, str]:
    house = running_house(directory)
    if house is not None:
        return True, f"A house is up at {house['url']}", ""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            fix = f"Start with another, now and always: export SAGEHOUSE_PORT={port + 1 if port < 65535 else 0}"
            return False, f"Port {port} cannot be had: {error.strerror}", fix
    return True, f"Port {port} is free", ""


def _disk(directory: Path) -> tuple[bool, str, str]:
    there = next(each for each in (directory, *directory.parents) if each.exists())
    free = shutil.disk_usage(there).free
    fine = free >= _ENOUGH_DISK_BYTES
    return fine, f"{free / 1024**3:.1f} GiB free for {directory}", "" if fine else "Job environments need some 2 GiB."
