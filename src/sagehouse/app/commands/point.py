"""env, run: pointing programs at the house."""

import os
import shlex
import sys
from pathlib import Path

import click

from sagehouse import activation
from sagehouse.activation.variables import REMOVED, variables
from sagehouse.app.commands.options import home_option, region_option, running


@click.command()
@home_option
@region_option
def env(home: Path | None, region: str | None) -> None:
    """Print what points a shell at the house. Use it like this: eval "$(sagehouse env)"."""
    directory, house = running(home)
    pointed = variables(house["url"], home=directory, region=region or house["region"], outer=os.environ)
    for name, value in pointed.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    click.echo(f"unset {' '.join(REMOVED)}")


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@home_option
@region_option
@click.option("--no-fast-polling", is_flag=True, help="Leave the SDK's waits of 5 to 30 s as they are.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(home: Path | None, region: str | None, no_fast_polling: bool, command: tuple[str, ...]) -> None:
    """Run COMMAND pointed at the house. For example: sagehouse run -- python train.py."""
    directory, house = running(home)
    environment = {name: value for name, value in os.environ.items() if name not in REMOVED}
    environment |= variables(house["url"], home=directory, region=region or house["region"], outer=os.environ)
    if not no_fast_polling:
        site = str(Path(activation.__file__).parent / "site")
        environment["PYTHONPATH"] = os.pathsep.join(part for part in (site, environment.get("PYTHONPATH")) if part)
    try:
        os.execvpe(command[0], list(command), environment)  # noqa: S606 - the user's own command
    except OSError as error:
        click.echo(f"sagehouse run: {command[0]}: {error.strerror}", err=True)
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)
