"""The generated page of operations says what the code does."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_operations_is_what_the_code_would_write_today() -> None:
    check = subprocess.run([sys.executable, str(ROOT / "scripts" / "reference.py"), "--check"], check=False)
    assert check.returncode == 0, "run: python scripts/reference.py"
