"""aws-chunked bodies, however they arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagehouse.kit.errors import Invalid
from sagehouse.wire.chunked import ChunkedDecoder


def encoded(chunks, trailers=(), *, signature=b""):
    parts = [b"%x%s\r\n%s\r\n" % (len(chunk), signature, chunk) for chunk in chunks]
    parts.append(b"0" + signature + b"\r\n")
    parts += [f"{name}: {value}\r\n".encode() for name, value in trailers]
    return b"".join([*parts, b"\r\n"])


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=300), max_size=6),
    cuts=st.lists(st.integers(0, 2000), max_size=12),
    is_signed=st.booleans(),
)
def test_the_body_is_the_same_wherever_the_stream_is_cut(chunks, cuts, is_signed):
    signature = b";chunk-signature=" + b"a" * 64 if is_signed else b""
    data = encoded(chunks, [("x-amz-checksum-crc32", "AAAA")], signature=signature)
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    decoder, start, body = ChunkedDecoder(), 0, b""
    for end in ends:
        body += decoder.feed(data[start:end])
        start = end
    decoder.close()
    assert body == b"".join(chunks)
    assert decoder.trailers == {"x-amz-checksum-crc32": "AAAA"}


@pytest.mark.parametrize("cut", [1, 5, 10, 20])
def test_a_body_that_ends_early_is_incomplete(cut):
    decoder = ChunkedDecoder()
    decoder.feed(encoded([b"0123456789abcdef"])[:cut])
    with pytest.raises(Invalid) as caught:
        decoder.close()
    assert caught.value.code == "IncompleteBody"


def test_the_last_empty_line_may_be_missing():
    decoder = ChunkedDecoder()
    assert decoder.feed(b"3\r\nabc\r\n0\r\nx-amz-trailer-signature:00\r\n") == b"abc"
    decoder.close()
    assert decoder.is_complete


@pytest.mark.parametrize(
    "data",
    [b"zz\r\n", b"-1\r\nab", b"\r\n", b"3\r\nabcd\r\n", b"1" * 17 + b"\r\n", b"0\r\nno colon\r\n", b"a" * 20_000],
)
def test_what_is_not_aws_chunked_is_refused(data):
    with pytest.raises(Invalid):
        ChunkedDecoder().feed(data)
