"""Which Python interpreters this machine has: sagehouse's own, those on PATH, pyenv's, uv's. None is downloaded."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import uv

ASK_TIMEOUT_S = 20.0
QUESTION = """\
import json, sys
print(json.dumps([sys.version.split()[0], sys.base_prefix, sys.implementation.name]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """An interpreter that was asked and answered."""

    executable: Path
    version: str
    base: Path
    """The prefix it stands on, never a virtual environment's."""


def find_interpreter(version: str) -> Interpreter | None:
    """Return CPython of a "3.11" version, None if this machine has none that runs."""
    for candidate in _candidates(version):
        found = _ask(candidate)
        if found and found.version.startswith(f"{version}."):
            return found
    return None


def _candidates(version: str) -> Iterator[str]:
    if sys.version_info[:2] == tuple(int(part) for part in version.split(".")[:2]):
        yield str(Path(sys.base_prefix, "bin", f"python{version}"))
    folders = [folder for folder in os.get_exec_path() if Path(folder).name != "shims"]
    if found := shutil.which(f"python{version}", path=os.pathsep.join(folders)):
        yield os.path.realpath(found)
    root = Path(os.environ.get("PYENV_ROOT") or Path(os.environ.get("HOME") or "/nonexistent", ".pyenv"))
    installed = root.glob(f"versions/{version}.*/bin/python{version}")
    yield from (str(path) for path in sorted(installed, key=_patch, reverse=True))
    command = [uv.find_uv_bin(), "python", "find", "--offline", "--no-python-downloads", "--no-project", version]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=ASK_TIMEOUT_S, check=False)
    if asked.returncode == 0:
        yield asked.stdout.strip()


def _patch(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", path.parents[1].name))


@lru_cache(maxsize=64)
def _ask(executable: str) -> Interpreter | None:
    """Return what an interpreter says of itself, None if it does not run or is not CPython."""
    command = [executable, "-I", "-S", "-c", QUESTION]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=ASK_TIMEOUT_S, check=True).stdout
        version, base, implementation = json.loads(said)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if implementation != "cpython":
        return None
    return Interpreter(executable=Path(executable), version=version, base=Path(base))
