"""Sparse files measured: what was never written, and not what a file system has packed or not yet placed."""

from pathlib import Path

from sagehouse.storage.holes import hole_bytes

MIB = 1024 * 1024


def test_a_hole_is_what_was_never_written(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.write(b"x" * MIB)
        file.seek(100 * MIB)
        file.write(b"x" * MIB)
        file.truncate(200 * MIB)
    holes = hole_bytes(tmp_path / "file", (tmp_path / "file").stat())
    assert 190 * MIB <= holes <= 198 * MIB


def test_a_file_that_was_written_has_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(4 * MIB))
    assert hole_bytes(tmp_path / "file", (tmp_path / "file").stat()) == 0
    (tmp_path / "empty").touch()
    assert hole_bytes(tmp_path / "empty", (tmp_path / "empty").stat()) == 0
