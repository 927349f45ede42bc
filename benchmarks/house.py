"""A house of the benchmark's own: started as a user starts it, in a data directory that is thrown away."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = Path(os.environ.get("SAGEHOUSE_ENVIRONMENTS") or ROOT / ".cache" / "environments")
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def plain_environment() -> dict[str, str]:
    """Return this process's environment as an ordinary user has it: not pointed anywhere, byte code kept."""
    unwanted = ("AWS_", "SAGEHOUSE_", "SAGEMAKER_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def sagehouse(*arguments: str, environment: dict[str, str]) -> str:
    """Run the command line; CalledProcessError with what it said if it fails."""
    command = [sys.executable, "-m", "sagehouse.app.cli", *arguments]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    home: Path
    environment: dict[str, str]

    def up(self) -> None:
        sagehouse("up", "--detach", "--port", "0", "--allow-reset", environment=self.environment)

    def down(self) -> None:
        try:
            sagehouse("down", environment=self.environment)
        except subprocess.CalledProcessError:
            print(self.log_tail(), file=sys.stderr)
            raise

    def log_tail(self) -> str:
        """Return the end of what the house said."""
        log = self.home / "house.log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""

    @property
    def card(self) -> dict[str, Any]:
        card: dict[str, Any] = json.loads((self.home / "house.json").read_text())
        return card

    @property
    def url(self) -> str:
        return str(self.card["url"])

    @property
    def pid(self) -> int:
        return int(self.card["pid"])

    def client(self, service: str) -> Any:
        return client(service, self.url)

    def await_change(self, name: str, *, timeout_s: float = 60) -> None:
        """Return when the status of a resource has changed, or it is not in motion."""
        url = f"{self.url}/_sagehouse/changes?name={name}&timeout={timeout_s}"
        with _opener.open(url, timeout=timeout_s + 10) as answer:
            answer.read()


def client(service: str, url: str) -> Any:
    """Return a boto3 client, alike for every server that is measured."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="123456789012",
        aws_secret_access_key="sagehouse",
        config=Config(proxies={}, retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=300),
    )


@contextmanager
def a_home() -> Iterator[House]:
    """Give the place for a house that is not up yet."""
    folder = Path(tempfile.mkdtemp(prefix="sagehouse-benchmark-"))
    environment = {
        **plain_environment(),
        "SAGEHOUSE_HOME": str(folder),
        "SAGEHOUSE_ENVIRONMENTS": str(ENVIRONMENTS),
    }
    try:
        yield House(home=folder, environment=environment)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def a_house() -> Iterator[House]:
    """Give a house that is up, and take it down."""
    with a_home() as house:
        house.up()
        try:
            yield house
        finally:
            sagehouse("reset", "--yes", environment=house.environment)
            house.down()
