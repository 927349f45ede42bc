"""quickstart: the main job, end to end, with an unmodified SageMaker program."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click

import sagehouse
from sagehouse.activation import home_directory, running_house
from sagehouse.app.commands.options import home_option, made
from sagehouse.app.config import DEFAULT_PORT, environments_directory

SDK = ("sagemaker==2.257.7", "scikit-learn>=1.7", "pandas>=2.2", "rich>=13")
"""The SDK the example is written for, in an environment of its own."""


@click.command()
@home_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    envvar="SAGEHOUSE_PORT",
    show_default=True,
    help="Port of a house started now.",
)
def quickstart(home: Path | None, port: int) -> None:
    """Run the quickstart example.

    Data, pipeline, gate, registry, endpoint, prediction. Makes an environment with the SageMaker SDK, starts a house
    unless one is up, and leaves it up.
    """
    directory = made(home_directory(home))
    _check_jobs_can_run(directory)
    example = _examples() / "quickstart" / "pipeline.py"
    python = _sdk_environment(directory)
    command = [sys.executable, "-m", "sagehouse.app.cli"]
    at_home = ["--home", str(directory)]
    if running_house(directory) is None:
        click.echo("Starting a house …")
        started = subprocess.run([*command, "up", "--detach", "--port", str(port), *at_home], check=False)
        if started.returncode:
            raise click.ClickException("No house, no quickstart. Another port: export SAGEHOUSE_PORT=5101")
    if not environments_directory(directory).exists():
        click.echo("The first jobs wait until their Python environments are installed, half a minute each …")
    ended = subprocess.run([*command, "run", *at_home, "--", str(python), str(example)], check=False)
    if ended.returncode == 0:
        click.echo(_what_next(directory))
    sys.exit(ended.returncode)


def _check_jobs_can_run(directory: Path) -> None:
    """Say what is missing before anything is installed."""
    from sagehouse.runtimes.process.doctor import doctor

    for finding in doctor(directory / "jobs"):
        if finding.is_needed and not finding.is_fine:
            raise click.ClickException(f"{finding.text}\n{finding.fix}")


def _what_next(directory: Path) -> str:
    """Name the next commands as they have to be typed here: a checkout's are not on PATH."""
    command, here = Path(sys.executable).with_name("sagehouse"), Path.cwd()
    if shutil.which("sagehouse") == str(command):
        typed = "sagehouse"
    else:
        typed = shlex.quote(str(command.relative_to(here) if command.is_relative_to(here) else command))
    at_home = "" if directory == home_directory() else f" --home {shlex.quote(str(directory))}"
    lines = {
        f'eval "$({typed} env{at_home})"': "point programs of this shell at it, in any language",
        f"{typed} ls{at_home}": "list what is in it",
        f"{typed} down{at_home}": "take it down",
    }
    width = max(map(len, lines))
    return "\n".join(["The house stays up.", *(f"  {line:<{width}}  {words}" for line, words in lines.items())])


def _examples() -> Path:
    """Return the examples: inside the installed package, or beside it in a checkout."""
    package = Path(sagehouse.__file__).parent
    for candidate in (package / "examples", package.parent.parent / "examples"):
        if candidate.is_dir():
            return candidate
    raise click.ClickException("The examples are not installed with this package.")


def _sdk_environment(directory: Path) -> Path:
    """Return the interpreter of an environment that holds the SageMaker SDK, made at the first call."""
    from uv import find_uv_bin

    from sagehouse.runtimes.indexes import pip_settings, uv_environment, uv_options

    environment = directory / "sdk"
    python = environment / "bin" / "python"
    ready = environment / ".ready"
    if python.exists() and ready.exists() and ready.read_text() == "\n".join(SDK):
        return python
    click.echo("Installing the SageMaker SDK into an environment of its own …")
    shutil.rmtree(environment, ignore_errors=True)  # uv clears only what is whole
    uv, settings = find_uv_bin(), pip_settings()
    variables = uv_environment(settings, cache=directory / "sdk-cache")
    for arguments in (
        ["venv", "-q", "--python", sys.executable, str(environment)],
        ["pip", "install", "-q", "--compile-bytecode", "--python", str(python), *uv_options(settings), *SDK],
    ):
        if subprocess.run([uv, *arguments], env=variables, cwd=directory, check=False).returncode:
            raise click.ClickException("The SageMaker SDK could not be installed; see above.")
    ready.write_text("\n".join(SDK))
    return python
