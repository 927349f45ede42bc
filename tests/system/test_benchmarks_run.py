"""The benchmarks work: run with tiny sizes, nothing judged."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from tests.system.conftest import ENVIRONMENTS, ROOT, plain_environment

pytestmark = pytest.mark.system


def test_every_benchmark_that_downloads_nothing_runs_and_measures(tmp_path: Path) -> None:
    names = ["start", "job-start", "job-overhead", "staging", "documents", "transfer"]
    environment = {**plain_environment(tmp_path), "SAGEHOUSE_ENVIRONMENTS": str(ENVIRONMENTS)}
    written = tmp_path / "figures.json"
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--tiny", "--json", str(written), *names],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    figures = json.loads(written.read_text())
    assert len(figures) >= 11
    assert [figure["what"] for figure in figures if not math.isfinite(figure["value"])] == []
