"""What every data plane promises. A subclass gives `plane()`: the adapter and a way to start replicas."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.serving import Asked, Model, answer

from sagehouse.kit.errors import Invalid, NotFound, Unavailable
from sagehouse.ports.serving import EndpointKey, Route, Serving, Variant

KEY = EndpointKey(account="123456789012", region="us-east-1", name="churn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    serving: Serving
    """Gives up an invocation after 0.2 s."""
    start: Callable[[str, Model], Awaitable[Path]]
    """Start a replica of this name that answers as the model does."""
    stop: Callable[[Path], Awaitable[None]]


def says(text: str) -> Model:
    return lambda asked: answer(200, text.encode())


def a_route(*variants: tuple[str, float, list[Path]]) -> Route:
    return Route(
        key=KEY,
        variants=[Variant(name=name, weight=weight, replicas=replicas) for name, weight, replicas in variants],
        log_group="/aws/sagemaker/Endpoints/churn",
    )


class ServingContract:
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None

    def plane(self) -> AbstractAsyncContextManager[Plane]:
        raise NotImplementedError

    def run(self, scene: Callable[[Plane], Awaitable[Any]]) -> Any:
        async def play() -> Any:
            async with self.plane() as plane:
                return await scene(plane)

        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            return runner.run(play())

    def test_headers_and_bytes_reach_the_model_and_its_answer_comes_back_unread(self):
        seen: list[Asked] = []

        def model(asked: Asked):
            seen.append(asked)
            return answer(201, b"\x00\xff" * 70_000, {"content-type": "application/x-npy", "x-own": "1"})

        async def scene(plane: Plane):
            plane.serving.route(a_route(("AllTraffic", 1.0, [await plane.start("a", model)])))
            return await plane.serving.invoke(
                KEY,
                variant=None,
                headers={"content-type": "text/csv", "x-amzn-sagemaker-inference-id": "7"},
                body=b"1,2\n",
            )

        said = self.run(scene)
        assert (said.status, said.body, said.variant) == (201, b"\x00\xff" * 70_000, "AllTraffic")
        assert said.headers["content-type"] == "application/x-npy"
        assert said.headers["x-own"] == "1"
        assert (seen[0].method, seen[0].path, seen[0].body) == ("POST", "/invocations", b"1,2\n")
        assert seen[0].headers["content-type"] == "text/csv"
        assert seen[0].headers["x-amzn-sagemaker-inference-id"] == "7"

    def test_a_large_payload_arrives_whole(self):
        body = bytes(range(256)) * 25_000

        async def scene(plane: Plane):
            replica = await plane.start("a", lambda asked: answer(200, asked.body))
            return await plane.serving.post(replica, headers={}, body=body, timeout_s=10)

        assert self.run(scene).body == body

    def test_a_models_own_error_is_an_answer(self):
        async def scene(plane: Plane):
            plane.serving.route(a_route(("A", 1.0, [await plane.start("a", lambda _: answer(500, b"boom"))])))
            return await plane.serving.invoke(KEY, variant=None, headers={}, body=b"x")

        said = self.run(scene)
        assert (said.status, said.body) == (500, b"boom")

    def test_an_endpoint_without_a_route_is_not_found(self):
        async def scene(plane: Plane):
            with pytest.raises(NotFound, match=r"Endpoint churn of account 123456789012 not found\."):
                await plane.serving.invoke(KEY, variant=None, headers={}, body=b"")
            plane.serving.route(a_route(("A", 1.0, [await plane.start("a", says("a"))])))
            plane.serving.unroute(KEY)
            with pytest.raises(NotFound):
                await plane.serving.invoke(KEY, variant=None, headers={}, body=b"")
            return plane.serving.routes()

        assert list(self.run(scene)) == []

    def test_a_named_variant_answers_and_an_unknown_one_is_invalid(self):
        async def scene(plane: Plane):
            a, b = await plane.start("a", says("a")), await plane.start("b", says("b"))
            plane.serving.route(a_route(("A", 1.0, [a]), ("B", 0.0, [b])))
            with pytest.raises(Invalid, match="Variant C"):
                await plane.serving.invoke(KEY, variant="C", headers={}, body=b"")
            return await plane.serving.invoke(KEY, variant="B", headers={}, body=b"")

        said = self.run(scene)
        assert (said.body, said.variant) == (b"b", "B")

    def test_variants_share_requests_by_weight(self):
        async def scene(plane: Plane):
            a, b = await plane.start("a", says("a")), await plane.start("b", says("b"))
            plane.serving.route(a_route(("A", 3.0, [a]), ("B", 1.0, [b])))
            said = [await plane.serving.invoke(KEY, variant=None, headers={}, body=b"") for _ in range(8)]
            return [one.variant for one in said].count("A")

        assert self.run(scene) == 6

    def test_the_replica_with_the_fewest_requests_under_way_is_asked(self):
        async def scene(plane: Plane):
            free = asyncio.Event()
            asked: list[str] = []

            def model(name: str):
                async def answer_later(_asked: Asked):
                    asked.append(name)
                    await free.wait()
                    return answer()

                return answer_later

            replicas = [await plane.start(name, model(name)) for name in ("a", "b")]
            plane.serving.route(a_route(("A", 1.0, replicas)))
            async with asyncio.TaskGroup() as group:
                for count in range(1, 5):
                    group.create_task(plane.serving.invoke(KEY, variant=None, headers={}, body=b"x"))
                    while len(asked) < count:  # noqa: ASYNC110 - the model has no other way to say it was asked
                        await asyncio.sleep(0)
                free.set()
            return sorted(asked)

        assert self.run(scene) == ["a", "a", "b", "b"]

    def test_a_replica_that_is_gone_costs_nothing_while_another_lives(self):
        async def scene(plane: Plane):
            a, b = await plane.start("a", says("a")), await plane.start("b", says("b"))
            plane.serving.route(a_route(("A", 1.0, [a, b])))
            for _ in range(2):
                await plane.serving.invoke(KEY, variant=None, headers={}, body=b"")
            await plane.stop(a)
            return {(await plane.serving.invoke(KEY, variant=None, headers={}, body=b"")).body for _ in range(4)}

        assert self.run(scene) == {b"b"}

    def test_no_replica_left_is_unavailable(self):
        async def scene(plane: Plane):
            a = await plane.start("a", says("a"))
            plane.serving.route(a_route(("A", 1.0, [a])))
            await plane.stop(a)
            with pytest.raises(Unavailable) as caught:
                await plane.serving.invoke(KEY, variant=None, headers={}, body=b"")
            return caught.value.code

        assert self.run(scene) == "Unreachable"

    def test_a_model_that_takes_too_long_is_given_up(self):
        async def forever(_asked: Asked):
            await asyncio.Event().wait()
            return answer()

        async def scene(plane: Plane):
            plane.serving.route(a_route(("A", 1.0, [await plane.start("a", forever)])))
            with pytest.raises(Unavailable) as caught:
                await plane.serving.invoke(KEY, variant=None, headers={}, body=b"x")
            return caught.value.code

        assert self.run(scene) == "TimedOut"

    def test_a_replica_that_dies_in_the_middle_is_not_asked_twice(self):
        asked: list[str] = []

        def dies(name: str):
            def model(_asked: Asked):
                asked.append(name)
                raise ConnectionResetError

            return model

        async def scene(plane: Plane):
            replicas = [await plane.start(name, dies(name)) for name in ("a", "b")]
            plane.serving.route(a_route(("A", 1.0, replicas)))
            with pytest.raises(Unavailable) as caught:
                await plane.serving.invoke(KEY, variant=None, headers={}, body=b"x")
            return caught.value.code

        assert self.run(scene) == "Dropped"
        assert len(asked) == 1

    def test_ping_is_true_only_for_200_and_never_raises(self):
        async def scene(plane: Plane):
            well = await plane.start("a", lambda asked: answer(200 if asked.path == "/ping" else 404))
            ill = await plane.start("b", lambda _: answer(503))
            gone = await plane.start("c", says("c"))
            await plane.stop(gone)
            return [await plane.serving.ping(one) for one in (well, ill, gone)]

        assert self.run(scene) == [True, False, False]

    def test_get_answers_or_is_none(self):
        async def scene(plane: Plane):
            a = await plane.start("a", lambda asked: answer(200, asked.path.encode()))
            said = await plane.serving.get(a, "/execution-parameters")
            await plane.stop(a)
            return said and said.body, await plane.serving.get(a, "/ping")

        assert self.run(scene) == (b"/execution-parameters", None)

    def test_requests_under_way_end_where_they_are_when_the_route_moves(self):
        async def scene(plane: Plane):
            free, begun = asyncio.Event(), asyncio.Event()

            async def old(_asked: Asked):
                begun.set()
                await free.wait()
                return answer(200, b"old")

            a, b = await plane.start("a", old), await plane.start("b", says("new"))
            plane.serving.route(a_route(("A", 1.0, [a])))
            first = asyncio.ensure_future(plane.serving.invoke(KEY, variant=None, headers={}, body=b"x"))
            await begun.wait()
            plane.serving.route(a_route(("A", 1.0, [b])))
            second = await plane.serving.invoke(KEY, variant=None, headers={}, body=b"x")
            is_drained_early = await plane.serving.drain([a], timeout_s=0.01)
            free.set()
            is_drained = await plane.serving.drain([a], timeout_s=5)
            return (await first).body, second.body, is_drained_early, is_drained

        assert self.run(scene) == (b"old", b"new", False, True)
