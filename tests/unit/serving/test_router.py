"""The router keeps the contract over real unix sockets, and what only sockets can do."""

import asyncio
import contextlib
import inspect
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop
from tests.contract.serving import KEY, Plane, ServingContract, a_route
from tests.fakes.serving import Asked, answer

from sagehouse.kit.errors import Unavailable
from sagehouse.serving.router import Router


class SocketReplica:
    """A small HTTP/1.1 server on a unix socket whose model is a function."""

    def __init__(self, path: Path, model) -> None:
        self.path = path
        self._model = model
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        self.path.unlink(missing_ok=True)
        await asyncio.sleep(0)

    async def _serve(self, reader, writer) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode(), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _answer(self, head, reader, writer) -> None:
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        said = self._model(Asked(method=method, path=path, headers=headers, body=body))
        if inspect.isawaitable(said):
            said = await said
        if isinstance(said, bytes):
            writer.write(said)
        else:
            rows = "".join(f"{name}: {value}\r\n" for name, value in said.headers.items())
            writer.write(
                f"HTTP/1.1 {said.status} X\r\n{rows}content-length: {len(said.body)}\r\n\r\n".encode() + said.body
            )
        await writer.drain()


@asynccontextmanager
async def a_plane(directory: Path, **options):
    running: dict[Path, SocketReplica] = {}
    router = Router(invocation_timeout_s=0.2, **options)

    async def start(name, model):
        replica = SocketReplica(directory / name, model)
        await replica.start()
        running[replica.path] = replica
        return replica.path

    async def stop(path):
        await running.pop(path).stop()

    plane = Plane(serving=router, start=start, stop=stop)
    try:
        yield plane, running
    finally:
        router.close()
        for replica in running.values():
            await replica.stop()


class TestRouter(ServingContract):
    @asynccontextmanager
    async def plane(self):
        with tempfile.TemporaryDirectory(prefix="s") as directory:
            async with a_plane(Path(directory)) as (plane, _):
                yield plane


class TestRouterOnUvloop(TestRouter):
    """The loop the house runs on."""

    loop_factory = staticmethod(uvloop.new_event_loop)


def play(scene, tmp_path, *, loop_factory=None, **options):
    async def run():
        async with a_plane(tmp_path, **options) as (plane, running):
            return await scene(plane, running)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(run())


def test_one_connection_serves_request_after_request(tmp_path):
    async def scene(plane, running):
        a = await plane.start("a", lambda asked: answer(200, asked.body))
        plane.serving.route(a_route(("A", 1.0, [a])))
        for _ in range(20):
            await plane.serving.invoke(KEY, variant=None, headers={}, body=b"x")
        return running[a].connections

    assert play(scene, tmp_path) == 1


@pytest.mark.parametrize("loop_factory", [None, uvloop.new_event_loop])
def test_a_connection_the_server_closed_meanwhile_is_replaced_without_a_failed_request(tmp_path, loop_factory):
    async def scene(plane, running):
        a = await plane.start("a", lambda asked: answer(200, asked.body))
        said = []
        for number in range(5):
            said.append((await plane.serving.post(a, headers={}, body=b"%d" % number, timeout_s=1)).body)
            for writer in list(running[a]._writers):
                writer.transport.abort()
        return said

    assert play(scene, tmp_path, loop_factory=loop_factory) == [b"0", b"1", b"2", b"3", b"4"]


def test_a_socket_path_longer_than_the_kernel_takes_is_reached(tmp_path):
    deep = tmp_path / ("d" * 100)
    deep.mkdir()

    async def scene(_plane, _running):
        with contextlib.chdir(deep):
            replica = SocketReplica(Path("s"), lambda asked: answer(200, asked.body))
            await replica.start()
        said = await Router().post(deep / "s", headers={}, body=b"far", timeout_s=1)
        with contextlib.chdir(deep):
            await replica.stop()
        return said.body

    assert play(scene, tmp_path) == b"far"


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_every_framing_of_an_answer_is_understood(tmp_path, raw, body):
    async def scene(plane, _running):
        a = await plane.start("a", lambda _: raw)
        return [(await plane.serving.post(a, headers={}, body=b"x", timeout_s=1)).body for _ in range(3)]

    assert play(scene, tmp_path) == [body] * 3


def test_an_answer_that_ends_with_its_connection_is_whole(tmp_path):
    async def scene(_plane, _running):
        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.0 200 OK\r\n\r\nold style")
            await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(serve, tmp_path / "s")
        said = await Router().post(tmp_path / "s", headers={}, body=b"", timeout_s=1)
        server.close()
        return said.body

    assert play(scene, tmp_path) == b"old style"


def test_an_answer_over_the_limit_is_refused_and_the_next_request_is_well(tmp_path):
    sizes = iter([2000, 10])

    async def scene(plane, _running):
        a = await plane.start("a", lambda _: answer(200, b"x" * next(sizes)))
        with pytest.raises(Unavailable) as caught:
            await plane.serving.post(a, headers={}, body=b"", timeout_s=1)
        return caught.value.code, len((await plane.serving.post(a, headers={}, body=b"", timeout_s=1)).body)

    assert play(scene, tmp_path, response_limit_bytes=1000) == ("TooLarge", 10)


def test_something_that_is_not_http_is_a_dropped_request(tmp_path):
    async def scene(plane, _running):
        a = await plane.start("a", lambda _: b"garbage\r\n\r\n")
        with pytest.raises(Unavailable) as caught:
            await plane.serving.post(a, headers={}, body=b"", timeout_s=1)
        return caught.value.code

    assert play(scene, tmp_path) == "Dropped"


def test_a_header_cannot_smuggle_a_line(tmp_path):
    async def scene(plane, _running):
        a = await plane.start("a", lambda asked: answer())
        with pytest.raises(Unavailable, match="line break"):
            await plane.serving.post(a, headers={"accept": "a\r\nx: y"}, body=b"", timeout_s=1)

    play(scene, tmp_path)


def test_a_request_given_up_does_not_spoil_the_next_one(tmp_path):
    async def scene(plane, _running):
        async def model(asked: Asked):
            if asked.body == b"slow":
                await asyncio.sleep(0.3)
            return answer(200, asked.body)

        a = await plane.start("a", model)
        with pytest.raises(Unavailable):
            await plane.serving.post(a, headers={}, body=b"slow", timeout_s=0.05)
        return (await plane.serving.post(a, headers={}, body=b"quick", timeout_s=1)).body

    assert play(scene, tmp_path) == b"quick"


def test_replicas_asked_without_a_route_are_forgotten(tmp_path):
    async def scene(plane, _running):
        for number in range(5):
            socket = tmp_path / f"none{number}"
            await plane.serving.ping(socket)
        return len(plane.serving._replicas)

    assert play(scene, tmp_path) == 1
