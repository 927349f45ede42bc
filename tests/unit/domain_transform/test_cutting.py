"""Files cut into payloads."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagehouse.domain.transform.cutting import cutter
from sagehouse.kit.errors import Invalid

MAGIC = struct.pack("<I", 0xCED7230A)


def cut(file: bytes, split: str, *, is_single: bool, limit: int = 1000, piece: int = 7):
    cutting = cutter(split, is_single=is_single, limit_bytes=limit)
    payloads = []
    for start in range(0, len(file), piece):
        payloads += cutting.feed(file[start : start + piece])
    payloads += cutting.finish()
    return payloads


def recordio(*records: bytes) -> bytes:
    return b"".join(MAGIC + struct.pack("<I", len(one)) + one + b"\0" * (-len(one) % 4) for one in records)


def tfrecord(*records: bytes) -> bytes:
    return b"".join(struct.pack("<QI", len(one), 0) + one + b"CRC!" for one in records)


def test_an_unsplit_file_is_one_payload():
    assert [one.data for one in cut(b"a\nb\n", "None", is_single=False)] == [b"a\nb\n"]


def test_single_lines_come_without_line_breaks_and_blank_ones_not_at_all():
    payloads = cut(b"a,1\r\n\nb,2\nc,3", "Line", is_single=True)
    assert [(one.data, one.first_record) for one in payloads] == [(b"a,1", 1), (b"b,2", 3), (b"c,3", 4)]


def test_batches_hold_whole_lines_and_know_where_they_begin():
    payloads = cut(b"aa\nbb\ncc\ndd\n", "Line", is_single=False, limit=6)
    assert [(one.data, one.first_record) for one in payloads] == [(b"aa\nbb\n", 1), (b"cc\ndd\n", 3)]


@given(
    st.lists(st.binary(min_size=1, max_size=20).filter(lambda line: b"\n" not in line and line.strip())),
    st.integers(21, 60),
    st.integers(1, 30),
)
def test_batches_put_together_are_the_file_however_it_arrives(lines, limit, piece):
    file = b"".join(line + b"\n" for line in lines)
    payloads = cut(file, "Line", is_single=False, limit=limit, piece=piece)
    assert b"".join(one.data for one in payloads) == file
    assert all(len(one.data) <= limit for one in payloads)


@given(st.lists(st.binary(max_size=30)), st.integers(1, 50))
def test_records_survive_recordio_framing(records, piece):
    payloads = cut(recordio(*records), "RecordIO", is_single=True, piece=piece)
    assert [one.data for one in payloads] == records
    whole = cut(recordio(*records), "RecordIO", is_single=False, piece=piece, limit=64)
    assert b"".join(one.data for one in whole) == recordio(*records)


def test_a_recordio_record_in_several_parts_is_one_record():
    part = lambda flag, data: MAGIC + struct.pack("<I", flag << 29 | len(data)) + data  # noqa: E731 - three parts, one line
    file = part(1, b"aaaa") + part(2, b"bbbb") + part(3, b"cccc") + recordio(b"next")
    assert [one.data for one in cut(file, "RecordIO", is_single=True)] == [
        b"aaaa" + MAGIC + b"bbbb" + MAGIC + b"cccc",
        b"next",
    ]
    assert [one.data for one in cut(file, "RecordIO", is_single=False)] == [file]


@given(st.lists(st.binary(max_size=30)), st.integers(1, 50))
def test_tfrecord_padding_is_removed_from_single_records_and_kept_in_batches(records, piece):
    file = tfrecord(*records)
    assert [one.data for one in cut(file, "TFRecord", is_single=True, piece=piece)] == records
    assert b"".join(one.data for one in cut(file, "TFRecord", is_single=False, limit=50, piece=piece)) == file


@pytest.mark.parametrize(
    ("file", "split", "is_single"),
    [
        (b"x" * 11, "None", False),
        (b"a\n" + b"x" * 11 + b"\n", "Line", False),
        (b"a\n" + b"x" * 11 + b"\n", "Line", True),
        (recordio(b"x" * 11), "RecordIO", True),
        (recordio(b"x" * 11), "RecordIO", False),
        (tfrecord(b"x" * 11), "TFRecord", False),
    ],
)
def test_a_record_larger_than_a_payload_is_refused_in_aws_words(file, split, is_single):
    with pytest.raises(Invalid, match="Too much data for max payload size"):
        cut(file, split, is_single=is_single, limit=10)


def test_what_is_not_in_the_format_is_refused():
    with pytest.raises(Invalid, match="no RecordIO"):
        cut(b"id,age\n1,2\n", "RecordIO", is_single=True)
    with pytest.raises(Invalid, match="no TFRecord"):
        cut(b"\xff" * 20, "TFRecord", is_single=True)
    with pytest.raises(Invalid, match="ends inside record 2"):
        cut(recordio(b"one", b"two")[:-3], "RecordIO", is_single=True)


def test_an_empty_file_has_no_payload_when_split():
    assert cut(b"", "Line", is_single=True) == cut(b"", "Line", is_single=False) == []
