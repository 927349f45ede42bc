"""What every test has: temporary files that go with the run's own directory."""

import os
import tempfile
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give this process, and the programs it starts, a TMPDIR inside pytest's: nothing is left outside it."""
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.mktemp("t"))
    outer, os.environ["TMPDIR"] = os.environ.get("TMPDIR"), tempfile.tempdir
    yield
    tempfile.tempdir = before
    del os.environ["TMPDIR"]
    if outer is not None:
        os.environ["TMPDIR"] = outer
