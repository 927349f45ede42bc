"""Byte code for the code jobs are shown."""

import os
import platform
import sys
from pathlib import Path

from sagehouse.runtimes.bytecode import compile_for

PYTHON, VERSION = Path(sys.executable), platform.python_version()


def test_byte_code_lies_beside_the_source_and_is_renewed_when_the_source_is(tmp_path: Path) -> None:
    source = tmp_path / "inner" / "module.py"
    source.parent.mkdir()
    source.write_text("x = 1\n")
    compile_for(PYTHON, VERSION, [tmp_path])
    [made] = (source.parent / "__pycache__").iterdir()
    first = made.stat()
    compile_for(PYTHON, VERSION, [tmp_path])
    assert made.stat().st_ino == first.st_ino
    os.utime(source, (1_000_000_000, 1_000_000_000))
    compile_for(PYTHON, VERSION, [tmp_path])
    assert made.stat().st_ino != first.st_ino


def test_an_interpreter_that_does_not_start_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("x = 1\n")
    compile_for(tmp_path / "no-python", VERSION, [tmp_path])
    assert not (tmp_path / "__pycache__").exists()
