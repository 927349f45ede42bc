"""Byte code of the code that jobs are shown read-only: they could not keep what they compile.

A job's interpreter is another version than ours, so ours does not help it: without its own, 8 ms of every start are
spent compiling the same twenty files.
"""

import contextlib
import subprocess
from collections.abc import Iterable
from pathlib import Path

_LIMIT_S = 60.0
_MTIME = slice(8, 12)
"""Where a .pyc file says how old its source was. Source: PEP 552, "timestamp-based pycs"."""


_PACKAGES_LIMIT_S = 600.0


def compile_packages(interpreter: Path, site_packages: Path) -> None:
    """Leave byte code for everything installed in a directory that has none yet, without running any of it."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            [interpreter, "-I", "-S", "-m", "compileall", "-q", site_packages],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PACKAGES_LIMIT_S,
            check=False,
        )


def compile_for(python: Path, version: str, folders: Iterable[Path]) -> None:
    """Leave byte code for an interpreter ("3.9.18") beside the sources, unless it is there or may not be written."""
    tag = "cpython-{}{}".format(*version.split("."))
    stale = [str(folder) for folder in folders if not _is_compiled(folder, tag)]
    if stale:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                [python, "-I", "-m", "compileall", "-q", *stale],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_LIMIT_S,
                check=False,
            )


def _is_compiled(folder: Path, tag: str) -> bool:
    for source in folder.rglob("*.py"):
        made = source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"
        try:
            with made.open("rb") as file:
                age = file.read(_MTIME.stop)[_MTIME]
        except OSError:
            return False
        if int.from_bytes(age, "little") != int(source.stat().st_mtime) & 0xFFFFFFFF:
            return False
    return True
