"""What every `ports.streams.Streams` promises. Inherit, and make one in `streams`."""

import asyncio
from pathlib import Path

import pytest

from sagehouse.kit.errors import InUse, NotFound
from sagehouse.ports.streams import LogPage, Scope, Streams

SCOPE = Scope(account="123456789012", region="us-east-1")
GROUP = "/aws/sagemaker/TrainingJobs"
NAME = "job-1/algo-1-1700000000"
NASTY = [
    "a/b",
    "..",
    "../../etc",
    "%2F",
    "a b",
    "é漢",
    ".hidden",
    "x.log",
    "A" * 512,
    "A" * 511 + "B",
    "~",
    "a\\b",
    "-",
]


def texts(page: LogPage) -> list[str]:
    return [event.message for event in page.events]


class StreamsContract:
    @pytest.fixture
    def streams(self, tmp_path: Path) -> Streams:
        raise NotImplementedError

    def a_stream(self, streams: Streams, lines: int) -> Path:
        path = streams.file(SCOPE, GROUP, NAME)
        path.write_bytes(b"".join(f"{1000 + number} line {number}\n".encode() for number in range(lines)))
        return path

    def test_a_group_is_made_once_listed_and_deleted(self, streams):
        async def scenario():
            await streams.create_group(SCOPE, "/g", now=5.0)
            with pytest.raises(InUse, match="already exists"):
                await streams.create_group(SCOPE, "/g", now=6.0)
            [group] = (await streams.groups(SCOPE)).items
            assert (group.name, group.created_at, group.retention_days, group.stored_bytes) == ("/g", 5.0, None, 0)
            await streams.delete_group(SCOPE, "/g")
            assert (await streams.groups(SCOPE)).items == []
            with pytest.raises(NotFound) as missing:
                await streams.delete_group(SCOPE, "/g")
            assert missing.value.code == "ResourceNotFoundException"

        asyncio.run(scenario())

    def test_groups_page_by_name_and_prefix_and_keep_to_their_region(self, streams):
        async def scenario():
            for name in ("/b", "/a/2", "/a/1", "/c"):
                await streams.create_group(SCOPE, name, now=1.0)
            await streams.create_group(Scope(account="123456789012", region="eu-west-1"), "/a/0", now=1.0)
            first = await streams.groups(SCOPE, limit=3)
            rest = await streams.groups(SCOPE, limit=3, token=first.next_token)
            assert [one.name for one in first.items] == ["/a/1", "/a/2", "/b"]
            assert [one.name for one in rest.items] == ["/c"]
            assert rest.next_token is None
            assert [one.name for one in (await streams.groups(SCOPE, prefix="/a/", limit=2)).items] == ["/a/1", "/a/2"]
            assert (await streams.groups(SCOPE, prefix="/a/", limit=2)).next_token is None

        asyncio.run(scenario())

    def test_retention_is_kept_with_the_group(self, streams):
        async def scenario():
            await streams.create_group(SCOPE, "/g", now=1.0)
            await streams.set_retention(SCOPE, "/g", 7)
            assert await streams.retention(SCOPE, "/g") == 7
            assert (await streams.groups(SCOPE)).items[0].retention_days == 7
            await streams.set_retention(SCOPE, "/g", None)
            assert await streams.retention(SCOPE, "/g") is None
            with pytest.raises(NotFound):
                await streams.retention(SCOPE, "/absent")

        asyncio.run(scenario())

    @pytest.mark.parametrize("name", NASTY)
    def test_any_name_is_a_stream_of_its_own(self, streams, tmp_path, name):
        async def scenario():
            for stream in ("plain", name):
                streams.file(SCOPE, GROUP, stream)
                await streams.append(SCOPE, GROUP, stream, [(1, stream)])
            assert {one.name for one in await streams.streams(SCOPE, GROUP)} == {"plain", name}
            assert [one.name for one in await streams.streams(SCOPE, GROUP, prefix=name)] == [name]
            assert texts(await streams.read(SCOPE, GROUP, name, position=None)) == [name]
            assert texts(await streams.read(SCOPE, GROUP, "plain", position=None)) == ["plain"]

        asyncio.run(scenario())

    @pytest.mark.parametrize("name", ["/..", "..", ".", "a#b", "g" * 512])
    def test_any_group_name_is_a_group_of_its_own(self, streams, name):
        async def scenario():
            await streams.create_group(SCOPE, name, now=1.0)
            await streams.create_stream(SCOPE, name, "s", now=1.0)
            assert [one.name for one in (await streams.groups(SCOPE)).items] == [name]
            assert [one.name for one in await streams.streams(SCOPE, name)] == ["s"]

        asyncio.run(scenario())

    def test_a_stream_is_made_once_described_and_deleted(self, streams):
        async def scenario():
            with pytest.raises(NotFound, match="log group does not exist"):
                await streams.create_stream(SCOPE, "/g", "s", now=1.0)
            await streams.create_group(SCOPE, "/g", now=1.0)
            await streams.create_stream(SCOPE, "/g", "s", now=3.0)
            with pytest.raises(InUse, match="log stream already exists"):
                await streams.create_stream(SCOPE, "/g", "s", now=4.0)
            [stream] = await streams.streams(SCOPE, "/g")
            assert (stream.created_at, stream.first_event_ms, stream.last_event_ms) == (3.0, None, None)
            await streams.append(SCOPE, "/g", "s", [(2000, "a"), (3000, "b")])
            [stream] = await streams.streams(SCOPE, "/g")
            assert (stream.created_at, stream.first_event_ms, stream.last_event_ms) == (3.0, 2000, 3000)
            await streams.delete_stream(SCOPE, "/g", "s")
            assert await streams.streams(SCOPE, "/g") == []
            with pytest.raises(NotFound, match="log stream does not exist"):
                await streams.read(SCOPE, "/g", "s", position=None)
            with pytest.raises(NotFound, match="log stream does not exist"):
                await streams.append(SCOPE, "/g", "s", [(1, "a")])

        asyncio.run(scenario())

    def test_what_a_supervisor_writes_is_read_and_a_torn_line_is_not_yet(self, streams):
        async def scenario():
            path = streams.file(SCOPE, GROUP, NAME)
            path.write_bytes(b"1000 one\\ntwo \\\\ \\r\n1001 \n1002 to")
            page = await streams.read(SCOPE, GROUP, NAME, position=None)
            assert [(event.timestamp_ms, event.message) for event in page.events] == [
                (1000, "one\ntwo \\ \r"),
                (1001, ""),
            ]
            with path.open("ab") as file:
                file.write(b"rn\n")
            assert texts(await streams.read(SCOPE, GROUP, NAME, position=page.forward)) == ["torn"]
            [stream] = await streams.streams(SCOPE, GROUP)
            assert (stream.first_event_ms, stream.last_event_ms) == (1000, 1002)

        asyncio.run(scenario())

    def test_paged_forwards_at_any_size_the_stream_is_whole(self, streams):
        async def scenario():
            self.a_stream(streams, 10)
            for limit in (1, 3, 10, 100):
                position, read = 0, []
                while True:
                    page = await streams.read(SCOPE, GROUP, NAME, position=position, limit=limit)
                    if not page.events:
                        break
                    read += texts(page)
                    position = page.forward
                assert page.forward == position
                assert read == [f"line {number}" for number in range(10)]

        asyncio.run(scenario())

    def test_paged_backwards_at_any_size_the_stream_is_whole(self, streams):
        async def scenario():
            self.a_stream(streams, 10)
            for limit in (1, 3, 10, 100):
                position, read = None, []
                while True:
                    page = await streams.read(SCOPE, GROUP, NAME, position=position, backwards=True, limit=limit)
                    if not page.events:
                        break
                    read = texts(page) + read
                    position = page.backward
                assert page.backward == position == 0
                assert read == [f"line {number}" for number in range(10)]

        asyncio.run(scenario())

    def test_reading_on_from_the_end_tells_only_what_is_new(self, streams):
        async def scenario():
            path = self.a_stream(streams, 3)
            last = await streams.read(SCOPE, GROUP, NAME, position=None, backwards=True, limit=1)
            assert texts(last) == ["line 2"]
            nothing = await streams.read(SCOPE, GROUP, NAME, position=last.forward)
            assert (nothing.events, nothing.forward) == ([], last.forward)
            with path.open("ab") as file:
                file.write(b"2000 new\n")
            assert texts(await streams.read(SCOPE, GROUP, NAME, position=last.forward)) == ["new"]

        asyncio.run(scenario())

    def test_times_bound_what_is_read_the_end_excluded(self, streams):
        async def scenario():
            self.a_stream(streams, 6)
            for backwards in (False, True):
                page = await streams.read(
                    SCOPE, GROUP, NAME, position=None, backwards=backwards, start_ms=1002, end_ms=1004
                )
                assert texts(page) == ["line 2", "line 3"]
            late = await streams.read(SCOPE, GROUP, NAME, position=None, start_ms=9999)
            assert late.events == []

        asyncio.run(scenario())

    def test_a_page_holds_at_most_a_megabyte_and_at_least_one_event(self, streams):
        async def scenario():
            path = streams.file(SCOPE, GROUP, NAME)
            path.write_bytes(
                b"".join(b"%d %s\n" % (number, b"x" * 400_000) for number in range(4))
                + b"9 "
                + b"y" * 2_000_000
                + b"\n"
            )
            for backwards, sizes in ((False, [2, 2, 1]), (True, [1, 2, 2])):
                position, counted = None, []
                for _ in sizes:
                    page = await streams.read(SCOPE, GROUP, NAME, position=position, backwards=backwards)
                    counted.append(len(page.events))
                    position = page.backward if backwards else page.forward
                assert counted == sizes

        asyncio.run(scenario())

    def test_events_of_earlier_times_are_put_between_the_others(self, streams):
        async def scenario():
            await streams.create_group(SCOPE, "/g", now=1.0)
            await streams.create_stream(SCOPE, "/g", "s", now=1.0)
            await streams.append(SCOPE, "/g", "s", [(10, "a"), (30, "c")])
            await streams.append(SCOPE, "/g", "s", [(20, "b"), (30, "d"), (40, "e")])
            assert texts(await streams.read(SCOPE, "/g", "s", position=None)) == ["a", "b", "c", "d", "e"]

        asyncio.run(scenario())

    def test_whoever_deletes_meanwhile_is_no_surprise(self, streams):
        """PutRetentionPolicy was answered with a 500 when its group was deleted while it was written."""

        async def insist(work):
            for _ in range(150):
                try:
                    await work()
                except (InUse, NotFound):
                    await asyncio.sleep(0)

        async def scenario():
            await asyncio.gather(
                insist(lambda: streams.create_group(SCOPE, "/g", now=1.0)),
                insist(lambda: streams.create_stream(SCOPE, "/g", "s", now=1.0)),
                insist(lambda: streams.set_retention(SCOPE, "/g", 3)),
                insist(lambda: streams.retention(SCOPE, "/g")),
                insist(lambda: streams.append(SCOPE, "/g", "s", [(1, "a")])),
                insist(lambda: streams.read(SCOPE, "/g", "s", position=None)),
                insist(lambda: streams.groups(SCOPE)),
                insist(lambda: streams.streams(SCOPE, "/g")),
                insist(lambda: streams.delete_stream(SCOPE, "/g", "s")),
                insist(lambda: streams.delete_group(SCOPE, "/g")),
                insist(lambda: asyncio.to_thread(streams.file, SCOPE, "/g", "t")),
            )

        asyncio.run(scenario())

    def test_clear_forgets_everything(self, streams):
        async def scenario():
            self.a_stream(streams, 3)
            await streams.clear()
            assert (await streams.groups(SCOPE)).items == []
            with pytest.raises(NotFound):
                await streams.streams(SCOPE, GROUP)
            self.a_stream(streams, 1)
            assert len(await streams.streams(SCOPE, GROUP)) == 1

        asyncio.run(scenario())
