"""A clone is the whole of the project, and says what its machine lacks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fakes.wheels import a_wheel

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(not (ROOT / ".git").exists() or shutil.which("git") is None, reason="this is no clone")
def test_git_hides_nothing_that_is_part_of_the_project():
    """A pattern for built pages, "site/", kept the file that shortens the SDK's waits out of every clone."""
    ignored = ["git", "-c", "safe.directory=*", "ls-files", "--others", "--ignored", "--exclude-standard"]
    folders = ("src", "tests", "examples", "benchmarks", "scripts", "constraints", "docs")
    said = subprocess.run([*ignored, *folders], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [path for path in said.splitlines() if not path.endswith(".pyc")] == []


def bootstrap(python: Path, directory: Path) -> str:
    """Run scripts/bootstrap, which must refuse; return what it said."""
    ended = subprocess.run(
        ["scripts/bootstrap", directory],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert not directory.exists()
    return ended.stderr


def a_python(path: Path, *, minor: int, has_venv: bool) -> Path:
    path.write_text(
        f"""#!/bin/sh
case "$*" in
  --version) echo Python 3.{minor}.0 ;;
  *ensurepip*) exit {int(not has_venv)} ;;
  *version_info*) [ {minor} -ge 11 ] && [ {minor} -le 13 ] && echo {minor} ;;
esac
"""
    )
    path.chmod(0o755)
    return path


def test_a_machine_without_python_is_told_how_to_get_it(tmp_path: Path):
    said = bootstrap(tmp_path / "absent", tmp_path / "venv")
    assert "apt-get install -y python3 python3-venv" in said


def test_a_python_of_another_age_is_named(tmp_path: Path):
    said = bootstrap(a_python(tmp_path / "python", minor=9, has_venv=True), tmp_path / "venv")
    assert "found: Python 3.9.0\n" in said


def test_a_python_without_venv_is_told_the_package_that_has_it(tmp_path: Path):
    """Debian keeps it apart: `python3 -m venv` fails half-way, leaving a directory without pip."""
    said = bootstrap(a_python(tmp_path / "python", minor=12, has_venv=False), tmp_path / "venv")
    assert "apt-get install -y python3.12-venv" in said


def test_make_installs_from_where_pips_configuration_says(tmp_path: Path):
    """Behind an organisation's own index uv alone asks the public one, and make waited for an answer in vain."""
    a_wheel(tmp_path, "anvil", "1.0")
    (tmp_path / "pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {tmp_path}\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    environ = {**kept, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "UV_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, ROOT / "scripts" / "install.py", "--target", tmp_path / "site", "anvil"]
    subprocess.run(command, env=environ, check=True, timeout=60)
    assert (tmp_path / "site" / "anvil.py").read_text().startswith("version = '1.0'")
