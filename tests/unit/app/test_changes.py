"""Waiting at /_sagehouse/changes: what ends a wait, and what does not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.fakes.catalog import FakeCatalog

from sagehouse.app.admin import Admin
from sagehouse.app.changes import ChangeFeed
from sagehouse.ports.catalog import Insert, Key, Replace

ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job/"


def a_key(name: str) -> Key:
    return Key(account="123456789012", region="us-east-1", kind="TrainingJob", name=name)


def an_insert(name: str) -> Insert:
    return Insert(key=a_key(name), arn=ARN + name, document={}, now=1.0, status="InProgress")


def a_step(name: str, status: str, version: int) -> Replace:
    return Replace(key=a_key(name), document={}, status=status, expect_version=version, now=2.0)


def play(scene: Callable[[Admin, FakeCatalog], Awaitable[None]]) -> None:
    async def house() -> None:
        feed = ChangeFeed()
        catalog = FakeCatalog(on_commit=[feed.committed])
        await catalog.write(an_insert("Mine"), an_insert("other"))
        async with asyncio.timeout(10):
            await scene(Admin(catalog=catalog, feed=feed, started_at=0.0, empty_house=None), catalog)

    asyncio.run(house())


async def settled() -> None:
    """Let every task run as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


def waiting(admin: Admin, name: str) -> "asyncio.Task[tuple[int, dict[str, Any]]]":
    return asyncio.create_task(admin.changes("GET", {"name": [name], "timeout": ["60"]}))


def test_a_wait_for_a_name_ends_with_a_new_status_of_that_resource_alone() -> None:
    async def scene(admin: Admin, catalog: FakeCatalog) -> None:
        wait = waiting(admin, "mine")
        await settled()
        await catalog.write(a_step("other", "Completed", 1))
        await catalog.write(a_step("Mine", "InProgress", 1))
        await settled()
        assert not wait.done()
        await catalog.write(a_step("MINE", "Completed", 2))
        assert (await wait)[1]["moving"] is True

    play(scene)


def test_a_wait_for_an_arn_ends_when_the_resource_is_gone() -> None:
    async def scene(admin: Admin, catalog: FakeCatalog) -> None:
        wait = waiting(admin, ARN + "mine")
        await settled()
        await catalog.clear()
        await catalog.write(an_insert("Mine"), a_step("Mine", "Stopped", 1))
        assert (await wait)[0] == 200

    play(scene)


def test_what_is_not_in_motion_is_not_waited_for() -> None:
    async def scene(admin: Admin, catalog: FakeCatalog) -> None:
        await catalog.write(a_step("Mine", "Completed", 1))
        assert (await waiting(admin, "mine"))[1]["moving"] is False

    play(scene)


def test_without_names_any_commit_ends_a_wait() -> None:
    async def scene(admin: Admin, catalog: FakeCatalog) -> None:
        wait = asyncio.create_task(admin.changes("GET", {"since": ["2"], "timeout": ["60"]}))
        await settled()
        assert not wait.done()
        await catalog.write(a_step("other", "InProgress", 1))
        assert (await wait)[1] == {"seen": 3, "moving": True}

    play(scene)
