"""Pointing programs at a running house: environment variables, and shorter waits.

Runs in the user's own interpreter, beside any SDK, so it uses the standard library alone and imports nothing else of
sagehouse.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from sagehouse.activation import lock
from sagehouse.activation.variables import REMOVED, variables

HOUSE_FILE = "house.json"
"""Written into the data directory by a running house: url, pid, region, account."""


def home_directory(home: str | os.PathLike[str] | None = None) -> Path:
    """Return the data directory: the argument, else SAGEHOUSE_HOME, else ~/.sagehouse."""
    return Path(home or os.environ.get("SAGEHOUSE_HOME") or "~/.sagehouse").expanduser().absolute()


def running_house(home: Path) -> dict[str, str] | None:
    """Return what the running house wrote about itself, None if none runs there.

    One that was killed has left its card behind; its lock went with it.
    """
    try:
        if not lock.is_held(home / lock.LOCK_FILE):
            return None
        house: dict[str, str] = json.loads((home / HOUSE_FILE).read_text())
    except (OSError, ValueError):
        return None
    return house


def activate(
    *, home: str | os.PathLike[str] | None = None, region: str | None = None, fast_polling: bool = True
) -> str:
    """Do what `sagehouse.activate` promises."""
    directory = home_directory(home)
    house = running_house(directory)
    if house is None:
        raise RuntimeError(f"No house is running with data directory {directory}; start one: sagehouse up --detach")
    os.environ.update(variables(house["url"], home=directory, region=region or house["region"], outer=os.environ))
    for name in REMOVED:
        os.environ.pop(name, None)
    boto3 = sys.modules.get("boto3")
    if boto3 is not None:
        boto3.DEFAULT_SESSION = None  # type: ignore[attr-defined]  # it may hold other credentials already
    if fast_polling:
        from sagehouse.activation import polling, sdk

        polling.install(house["url"])
        sdk.install()
    return house["url"]
