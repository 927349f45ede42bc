"""What ends a house, in words where there are any."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from sagehouse.app.serve import is_damage
from sagehouse.kit.errors import Unavailable


def test_a_database_damaged_inside_is_told_from_other_ends(tmp_path: Path) -> None:
    """It opened well, and the house died of a traceback half a second after it had said that it was up."""
    path = tmp_path / "catalog.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.executemany("INSERT INTO t VALUES (?)", [(f"{number}" * 100,) for number in range(1000)])
        connection.commit()
    data = path.read_bytes()
    path.write_bytes(data[:8192] + bytes(len(data) - 8192))
    with contextlib.closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.DatabaseError) as caught:
        connection.execute("SELECT count(*), max(x) FROM t").fetchall()
    told = Unavailable("The catalog could not be read.")
    told.__cause__ = caught.value  # as both stores tell it
    assert is_damage(ExceptionGroup("tasks", [ExceptionGroup("controllers", [told])]))
    assert not is_damage(ExceptionGroup("tasks", [ValueError("x"), sqlite3.OperationalError("database is locked")]))
