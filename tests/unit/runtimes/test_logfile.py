"""Output as a log: every line once, in order, escaped, timed, whatever the chunks it came in."""

import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sagehouse.runtimes.process.logfile import MAX_LINE_BYTES, LogFile, escape


def logged(path: Path, *chunks: bytes) -> list[bytes]:
    """The texts of the events that chunks of output become, times checked and taken off."""
    path.unlink(missing_ok=True)
    log = LogFile(str(path))
    for chunk in chunks:
        log.feed(chunk)
    log.close()
    events = [line.split(b" ", 1) for line in path.read_bytes().split(b"\n")]
    assert events.pop() == [b""], "a torn last line"
    times = [int(time) for time, _ in events]
    assert all(earlier <= later for earlier, later in pairwise(times))
    return [text for _, text in events]


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=6))
def test_lines_do_not_depend_on_the_chunks_they_came_in(data: bytes, cuts: list[int]) -> None:
    ends = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    expected = [escape(line) for line in data.split(b"\n")]
    if not expected[-1]:
        expected.pop()
    with tempfile.TemporaryDirectory() as folder:
        assert logged(Path(folder, "log"), *(data[a:b] for a, b in pairwise(ends))) == expected


def test_control_characters_are_escaped_as_cloudwatch_shows_them() -> None:
    """XGBoost's metric definitions look for "#011"; tqdm's progress comes as "#015"."""
    assert escape(b"[0]\ttrain-rmse:1\r\x1b[0m\x00\x7f\\") == b"[0]#011train-rmse:1#015#033[0m#000#177\\\\"
    assert escape("größe ✓".encode()) == "größe ✓".encode()


def test_empty_lines_and_an_unfinished_last_one_are_events(tmp_path: Path) -> None:
    assert logged(tmp_path / "log", b"\n\nlast") == [b"", b"", b"last"]


def test_a_line_longer_than_an_event_may_be_is_split_between_characters(tmp_path: Path) -> None:
    line = "é".encode() * MAX_LINE_BYTES
    for size in (1000, 65536, MAX_LINE_BYTES, len(line)):
        chunks = [line[start : start + size] for start in range(0, len(line), size)]
        events = logged(tmp_path / "log", b"a", *chunks, b"\nnext\n")
        assert b"".join(events) == b"a" + line + b"next"
        assert events[-1] == b"next"
        assert max(map(len, events)) <= MAX_LINE_BYTES
        assert all(event.decode() for event in events)


def test_a_line_that_never_ends_is_not_held_in_memory(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "log"))
    for _ in range(64):
        log.feed(b"x" * 65536)
        assert len(log.rest) <= MAX_LINE_BYTES
    log.close()
    assert (tmp_path / "log").stat().st_size > 64 * 65536


def test_the_end_of_the_output_is_kept_to_explain_a_failure(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "log"))
    log.feed(b"x" * 1_000_000 + b"\n")
    log.feed(b"OSError: No space left on device\n")
    assert log.tail.endswith(b"x\nOSError: No space left on device\n")
    assert len(log.tail) <= 16 * 1024
    log.close()


def test_a_log_that_exists_is_continued(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("1 before\n")
    log = LogFile(str(tmp_path / "log"))
    log.feed(b"after\n")
    log.close()
    assert [line.split(" ", 1)[1] for line in (tmp_path / "log").read_text().splitlines()] == ["before", "after"]
