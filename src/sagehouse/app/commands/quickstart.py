"""quickstart: the main job, end to end, with an unmodified SageMaker program."""

import subprocess
import sys
from pathlib import Path

import click

import sagehouse
from sagehouse.activation import home_directory, running_house
from sagehouse.app.commands.options import home_option
from sagehouse.app.config import DEFAULT_PORT

_REQUIREMENTS = ("sagemaker==2.257.7", "scikit-learn>=1.7", "pandas>=2.2", "rich>=13")
"""The SDK the example is written for, in an environment of its own."""


@click.command()
@home_option
@click.option(
    "--port", default=DEFAULT_PORT, envvar="SAGEHOUSE_PORT", show_default=True, help="Port of a house started now."
)
def quickstart(home: Path | None, port: int) -> None:
    """Run the quickstart example: data, pipeline, gate, registry, endpoint, prediction.

    Makes an environment with the SageMaker SDK, starts a house unless one is up, and leaves it up.
    """
    directory = home_directory(home)
    example = _examples() / "quickstart" / "pipeline.py"
    python = _sdk_environment(directory)
    command = [sys.executable, "-m", "sagehouse.app.cli"]
    at_home = ["--home", str(directory)]
    if running_house(directory) is None:
        click.echo("Starting a house …")
        started = subprocess.run([*command, "up", "--detach", "--port", str(port), *at_home], check=False)
        if started.returncode:
            raise click.ClickException("No house, no quickstart. Another port: export SAGEHOUSE_PORT=5101")
    ended = subprocess.run([*command, "run", *at_home, "--", str(python), str(example)], check=False)
    if ended.returncode == 0:
        click.echo('The house stays up. Point programs at it: eval "$(sagehouse env)"   Take it down: sagehouse down')
    sys.exit(ended.returncode)


def _examples() -> Path:
    """Return the examples: inside the installed package, or beside it in a checkout."""
    package = Path(sagehouse.__file__).parent
    for candidate in (package / "examples", package.parent.parent / "examples"):
        if candidate.is_dir():
            return candidate
    raise click.ClickException("The examples are not installed with this package.")


def _sdk_environment(directory: Path) -> Path:
    """Return the interpreter of an environment that holds the SageMaker SDK, made at the first call."""
    import os

    from uv import find_uv_bin

    environment = directory / "sdk"
    python = environment / "bin" / "python"
    ready = environment / ".ready"
    if ready.exists() and ready.read_text() == "\n".join(_REQUIREMENTS):
        return python
    click.echo("Installing the SageMaker SDK into an environment of its own …")
    uv = find_uv_bin()
    links = [part for link in os.environ.get("PIP_FIND_LINKS", "").split() for part in ("--find-links", link)]
    for arguments in (
        ["venv", "-q", "--clear", "--python", sys.executable, str(environment)],
        ["pip", "install", "-q", "--python", str(python), *links, *_REQUIREMENTS],
    ):
        if subprocess.run([uv, *arguments], check=False).returncode:
            raise click.ClickException("The SageMaker SDK could not be installed; the installer's words are above.")
    ready.write_text("\n".join(_REQUIREMENTS))
    return python
