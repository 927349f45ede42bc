"""Python environments for a benchmark, made by uv from where this user's packages come from."""

import subprocess
from pathlib import Path

import uv

from sagehouse.runtimes.indexes import pip_settings, uv_environment, uv_options

_CACHE = Path(__file__).parents[1] / ".cache" / "uv"


def make_environment(path: Path, *requirements: str, python: str) -> None:
    """Make an environment with these requirements, byte code compiled as pip does; CalledProcessError if uv refuses."""
    settings = pip_settings()
    command = uv.find_uv_bin()
    for step in (
        ["venv", "--no-project", "--clear", "--python", python, str(path)],
        [
            *("pip", "install", "--python", str(path / "bin" / "python"), "--compile-bytecode"),
            *uv_options(settings),
            *requirements,
        ],
    ):
        subprocess.run([command, "--quiet", *step], check=True, env=uv_environment(settings, cache=_CACHE))
