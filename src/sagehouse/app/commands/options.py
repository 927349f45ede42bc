"""What several commands share: the data directory, and the running house."""

import re
from pathlib import Path

import click

from sagehouse.activation import home_directory, running_house
from sagehouse.app.card import make_home
from sagehouse.app.client import Client


def _data_directory(_context: click.Context, _option: click.Parameter, home: Path | None) -> Path:
    try:
        return home_directory(home)
    except RuntimeError:  # neither the environment nor the machine's list of users names a home directory
        raise click.BadParameter("This user has no home directory: name a data directory.") from None


home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SAGEHOUSE_HOME",
    callback=_data_directory,
    help="Data directory.  [default: ~/.sagehouse]",
)


def check_region(_context: click.Context, _option: click.Parameter, region: str | None) -> str | None:
    """Refuse what cannot be a region's name: SDKs would fail on it later, and less clearly."""
    if region is not None and not re.fullmatch(r"[a-z]{2,3}(-[a-z]+)+-\d+", region):
        raise click.BadParameter(f"{region!r} is no AWS region; eu-central-1 is one.")
    return region


region_option = click.option(
    "--region", envvar="SAGEHOUSE_REGION", callback=check_region, help="AWS region.  [default: the house's]"
)


def made(home: Path) -> Path:
    """Return the data directory, made unless it is there; an error with what to do if it cannot be used."""
    try:
        make_home(home)
    except OSError as error:
        raise click.ClickException(str(error)) from None
    return home


def running(home: Path | None) -> tuple[Path, dict[str, str]]:
    """Return the data directory and what its house wrote; an error with the command to run if none is up."""
    directory = home_directory(home)
    house = running_house(directory)
    if house is None:
        raise click.ClickException(f"No house is up with data directory {directory}. Start one: sagehouse up --detach")
    return directory, house


def client_of(home: Path | None, region: str | None) -> Client:
    """Return a client of the running house."""
    _, house = running(home)
    return Client(house["url"], region=region or house["region"], account=house["account"])
