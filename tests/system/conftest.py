"""A running house for unmodified programs: real processes, a data directory of its own, no part of ours imported."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = Path(os.environ.get("SAGEHOUSE_ENVIRONMENTS") or ROOT / ".cache" / "environments")
SDK2 = ROOT / ".envs" / "sdk2" / "bin" / "python"
SDK3 = ROOT / ".envs" / "sdk3" / "bin" / "python"
PROGRAM_LIMIT_S = 600


@dataclass(frozen=True)
class RunningHouse:
    """A house started for tests; every method is what a user would type."""

    home: Path
    environment: Mapping[str, str]

    def cli(
        self, *arguments: str, check: bool = True, timeout: float = PROGRAM_LIMIT_S
    ) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [sys.executable, "-m", "sagehouse.app.cli", *arguments],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and ended.returncode:
            pytest.fail(f"sagehouse {' '.join(arguments)}: exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}")
        return ended

    def up(self, *options: str) -> None:
        self.cli("up", "--detach", "--port", "0", "--allow-reset", *options, timeout=60)

    def down(self) -> None:
        self.cli("down", check=False, timeout=60)

    def run(
        self, *command: str | Path, check: bool = True, timeout: float = PROGRAM_LIMIT_S
    ) -> subprocess.CompletedProcess[str]:
        """`sagehouse run -- command`: pointed at the house, with shorter waits."""
        return self.cli("run", "--", *map(str, command), check=check, timeout=timeout)

    @property
    def card(self) -> dict[str, str]:
        """What the house wrote about itself: url, pid, region, account."""
        card: dict[str, str] = json.loads((self.home / "house.json").read_text())
        return card

    @property
    def url(self) -> str:
        return self.card["url"]

    def reset(self) -> None:
        self.cli("reset", "--yes", timeout=60)


def plain_environment(home: Path) -> dict[str, str]:
    """Return this process's environment without anything that points at AWS or at a house."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAGEHOUSE_", "SAGEMAKER_"))
    }
    return {
        **kept,
        "SAGEHOUSE_HOME": str(home),
        "SAGEHOUSE_ENVIRONMENTS": str(ENVIRONMENTS),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def a_house(home: Path) -> RunningHouse:
    return RunningHouse(home=home, environment=plain_environment(home))


@pytest.fixture(scope="session")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    house = a_house(tmp_path_factory.mktemp("house"))
    house.up()
    yield house
    house.reset()
    house.down()


@pytest.fixture
def house(shared_house: RunningHouse) -> RunningHouse:
    """The shared house, emptied."""
    shared_house.reset()
    return shared_house


@pytest.fixture
def own_house(tmp_path: Path) -> Iterator[RunningHouse]:
    """A house of the test's own, to be killed and restarted."""
    house = a_house(tmp_path / "house")
    house.up()
    yield house
    house.up()
    house.reset()
    house.down()
