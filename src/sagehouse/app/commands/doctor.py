"""doctor: what is missing on this machine, and how to fix it."""

import shutil
import socket
import sys
from pathlib import Path

import click

from sagehouse.activation import home_directory, running_house
from sagehouse.app.commands.options import home_option
from sagehouse.app.config import DEFAULT_PORT

_ENOUGH_DISK_BYTES = 5 * 1024**3


@click.command()
@home_option
def doctor(home: Path | None) -> None:
    """Check this machine; exit status 1 if jobs cannot run here."""
    from sagehouse.runtimes.process.doctor import doctor as runtime_doctor

    directory = home_directory(home)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    findings = [_python(), _port(directory), _disk(directory)]
    objects = directory / "objects"
    objects.mkdir(exist_ok=True)
    found = runtime_doctor(directory / "jobs", linked=[objects])
    findings += [(finding.is_fine or not finding.is_needed, finding.text, finding.fix) for finding in found]
    for is_fine, text, fix in findings:
        click.echo(f"{click.style('ok  ', fg='green') if is_fine else click.style('FIX ', fg='red')} {text}")
        if fix:
            click.echo(f"     {fix}")
    sys.exit(0 if all(is_fine for is_fine, _, _ in findings) else 1)


def _python() -> tuple[bool, str, str]:
    version = ".".join(map(str, sys.version_info[:3]))
    fine = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return fine, f"Python {version}", "" if fine else "Use Python 3.11, 3.12 or 3.13."


def _port(directory: Path) -> tuple[bool, str, str]:
    house = running_house(directory)
    if house is not None:
        return True, f"A house is up at {house['url']}", ""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            return False, f"Port {DEFAULT_PORT} is taken", "Start with another: sagehouse up --port 5101"
    return True, f"Port {DEFAULT_PORT} is free", ""


def _disk(directory: Path) -> tuple[bool, str, str]:
    free = shutil.disk_usage(directory).free
    fine = free >= _ENOUGH_DISK_BYTES
    return fine, f"{free / 1024**3:.1f} GiB free for {directory}", "" if fine else "Job environments need a few GiB."
