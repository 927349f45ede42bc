from pathlib import Path

import pytest
from tests.unit.toolkit.job import Job


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "ml")
