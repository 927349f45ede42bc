"""Environments of images for tests, built by uv once and kept under .cache/environments-dev."""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

from sagehouse.images import resolve

ROOT = Path(__file__).parents[3]
KEPT = ROOT / ".cache/environments-dev"
UV = Path(sys.executable).with_name("uv")


def python_of(name: str) -> Path:
    """Return the interpreter of "sagemaker-xgboost:3.0-5" on this Python, building the environment if need be."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    alternatives = resolve(name).environment.alternatives
    packages = next(one.packages for one in alternatives if version in one.pythons)
    digest = hashlib.sha256("\n".join((version, *packages)).encode()).hexdigest()[:12]
    directory = KEPT / f"{name.replace(':', '-')}-{digest}"
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / f"{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "ready").exists():
            _run(UV, "venv", "--quiet", "--clear", "--python", sys.executable, directory)
            _run(UV, "pip", "install", "--quiet", "--python", directory / "bin/python", *packages)
            (directory / "ready").touch()
    return directory / "bin/python"


def _run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
