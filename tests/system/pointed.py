"""What a shell knows after `eval "$(sagehouse env)"`, and programs run in it."""

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.system.conftest import ROOT, SDK2, RunningHouse

PROGRAMS = ROOT / "tests" / "system" / "programs"
SAGEHOUSE = f"{shlex.quote(sys.executable)} -m sagehouse.app.cli"
AWS = SDK2.parent / "aws"
_LIMIT_S = 120


def pointed_environment(house: RunningHouse, **more: str) -> dict[str, str]:
    """Return the environment of a bash that was pointed at the house; `more` was in it before."""
    shell = subprocess.run(
        ["bash", "-c", f'eval "$({SAGEHOUSE} env)" && env -0'],
        env={**house.environment, **more},
        capture_output=True,
        check=True,
        timeout=_LIMIT_S,
    )
    pairs = (pair.partition("=") for pair in shell.stdout.decode().split("\0") if pair)
    return {name: value for name, _, value in pairs}


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


def run(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    stdin: bytes = b"",
    directory: Path | None = None,
    limit_s: float = _LIMIT_S,
) -> Ended:
    ended = subprocess.run(
        [str(word) for word in command],
        env=dict(environment),
        input=stdin,
        cwd=directory,
        capture_output=True,
        timeout=limit_s,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def aws(commands: Sequence[str], environment: Mapping[str, str], *, directory: Path | None = None) -> list[Ended]:
    """Return what each `aws` command line did; all run in one interpreter of the SDK's environment."""
    lists = [shlex.split(command) for command in commands]
    program = [SDK2, PROGRAMS / "many_aws_commands.py"]
    ended = run(program, environment, stdin=json.dumps(lists).encode(), directory=directory)
    assert ended.status == 0, ended.err
    return [Ended(*one) for one in json.loads(ended.out)]


def aws_all(commands: Sequence[str], environment: Mapping[str, str], *, directory: Path | None = None) -> list[str]:
    """Return the output of each command; each must succeed."""
    done = aws(commands, environment, directory=directory)
    for command, ended in zip(commands, done, strict=True):
        assert ended.status == 0, f"aws {command}: {ended.err}"
    return [ended.out for ended in done]
