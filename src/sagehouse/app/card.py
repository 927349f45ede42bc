"""What a house writes about itself into its data directory: who holds it, where it answers."""

import json
import os
from pathlib import Path
from typing import IO

from sagehouse.activation import HOUSE_FILE, lock
from sagehouse.app.config import Config

_PORT_FILE = "port"


class Taken(Exception):
    """Another process holds the data directory."""


def make_home(home: Path) -> None:
    """Make the data directory, for its owner alone, unless it is there; OSError if a house could not write into it."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        (home / lock.LOCK_FILE).open("a").close()
    except OSError as error:
        reason = f"Cannot use {home} as data directory: {error.strerror}. Choose another with --home or SAGEHOUSE_HOME."
        raise OSError(reason) from error


def hold(home: Path) -> IO[str]:
    """Return the lock on a data directory, held until the file is closed; Taken if another process has it."""
    make_home(home)
    held = (home / lock.LOCK_FILE).open("a")
    if not lock.take(held.fileno()):
        held.close()
        raise Taken(f"Another house holds {home}; sagehouse status shows it.")
    remove_card(home)  # of a house that was killed
    return held


def write_card(config: Config, *, url: str, port: int) -> None:
    """Say that the house answers at `url` from now on."""
    card = {"url": url, "pid": os.getpid(), "region": config.region, "account": config.account}
    temporary = config.home / f"{HOUSE_FILE}.new"
    temporary.write_text(json.dumps(card))
    temporary.rename(config.home / HOUSE_FILE)
    (config.home / _PORT_FILE).write_text(str(port))


def last_port(home: Path) -> int | None:
    """Return the port the last house of this directory had: jobs that still run know it."""
    try:
        return int((home / _PORT_FILE).read_text())
    except (OSError, ValueError):
        return None


def remove_card(home: Path) -> None:
    (home / HOUSE_FILE).unlink(missing_ok=True)


def write_client_files(config: Config) -> None:
    """Write the files the environment variables name: AWS profiles, an SDK without telemetry.

    A program that asks for the profile "default" by name finds it, with the house's account and region. What somebody
    wrote into the profiles since (`aws configure`) stays.
    """
    aws, sagemaker = config.home / "aws", config.home / "sagemaker"
    for directory in (aws, sagemaker):
        directory.mkdir(parents=True, exist_ok=True)
    profiles = {
        "config": f"[default]\nregion = {config.region}\n",
        "credentials": f"[default]\naws_access_key_id = {config.account}\naws_secret_access_key = sagehouse\n",
    }
    for name, text in profiles.items():
        path = aws / name
        if not path.exists() or not path.stat().st_size:
            path.write_text(text)
    (sagemaker / "config.yaml").write_text(
        "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n"
    )
