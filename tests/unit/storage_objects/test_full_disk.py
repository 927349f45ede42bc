"""On a full disk the store refuses with a text that says so, keeps nothing half-written, and goes on afterwards."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("full_disk_program.py")


def test_a_full_disk_is_said_and_harms_nothing(tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=24m tmpfs {tmp_path}"
    probe = subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this machine lets nobody mount a small file system in a user namespace")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'{mount} && exec "$0" "$1" "$2"', sys.executable, PROGRAM, tmp_path],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "whole"
