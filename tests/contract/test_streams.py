"""The streams contract, kept by the files and by the fake; and what only the files promise."""

import asyncio
import time
import tracemalloc

import pytest
from tests.contract.streams import GROUP, NAME, SCOPE, StreamsContract, texts
from tests.fakes.streams import FakeStreams

from sagehouse.storage.streams.adapter import FileStreams
from sagehouse.storage.streams.reading import StreamFile


class TestFakeStreams(StreamsContract):
    @pytest.fixture
    def streams(self, tmp_path):
        return FakeStreams(tmp_path)


class TestFileStreams(StreamsContract):
    @pytest.fixture
    def streams(self, tmp_path):
        adapter = FileStreams(tmp_path / "streams")
        yield adapter
        adapter.close()

    def test_another_process_finds_everything_again(self, streams, tmp_path):
        async def scenario():
            await streams.create_group(SCOPE, "g" * 400, now=5.0)
            await streams.set_retention(SCOPE, "g" * 400, 3)
            await streams.create_stream(SCOPE, "g" * 400, "s" * 400, now=6.0)
            again = FileStreams(tmp_path / "streams")
            [group] = (await again.groups(SCOPE)).items
            [stream] = await again.streams(SCOPE, group.name)
            again.close()
            assert (group.name, group.created_at, group.retention_days) == ("g" * 400, 5.0, 3)
            assert (stream.name, stream.created_at) == ("s" * 400, 6.0)

        asyncio.run(scenario())

    def test_no_name_leaves_the_root(self, streams, tmp_path):
        for name in ("..", "../x", "/../../x", "."):
            assert (tmp_path / "streams") in streams.file(SCOPE, name, name).resolve().parents

    def test_a_large_stream_is_read_near_its_end_in_a_page_of_memory(self, streams):
        """A job that printed 200 MB: every poll of its last lines read the whole file."""

        async def scenario():
            path = streams.file(SCOPE, GROUP, NAME)
            block = b"".join(b"%d %s\n" % (1_000_000 + number, b"x" * 1000) for number in range(1000))
            with path.open("wb") as file:
                for _ in range(200):
                    file.write(block)
                file.write(b"2000000 last\n")
            tracemalloc.start()
            began = time.perf_counter()
            last = await streams.read(SCOPE, GROUP, NAME, position=None, backwards=True, limit=1)
            since = await streams.read(SCOPE, GROUP, NAME, position=None, start_ms=2_000_000)
            [described] = await streams.streams(SCOPE, GROUP)
            took_s, peak = time.perf_counter() - began, tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert texts(last) == texts(since) == ["last"]
            assert described.last_event_ms == 2_000_000
            assert (took_s < 0.5, peak < 8_000_000) == (True, True)

        asyncio.run(scenario())

    def test_a_position_inside_a_line_counts_as_the_next_line(self, streams):
        self.a_stream(streams, 3)
        page = asyncio.run(streams.read(SCOPE, GROUP, NAME, position=3))
        assert texts(page) == ["line 1", "line 2"]

    @pytest.mark.parametrize("size", [1, 7, 100, 70_000])
    def test_times_are_found_in_lines_of_any_length(self, tmp_path, size):
        path = tmp_path / "s.log"
        path.write_bytes(b"".join(b"%d %s\n" % (number // 3, b"x" * size) for number in range(60)))
        with path.open("rb") as file:
            stream = StreamFile(file)
            lines = list(stream._from(0))
            for at_ms in (0, 1, 7, 19, 20):
                expected = next((line.position for line in lines if line.timestamp_ms >= at_ms), stream.end)
                assert stream.seek_time(at_ms) == expected
            assert [line.position for line in stream._before(stream.end)] == [line.position for line in lines][::-1]
