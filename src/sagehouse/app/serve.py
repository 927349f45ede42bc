"""The running house: one process, one event loop, one port."""

import asyncio
import logging
import os
import resource
import signal
import socket
import sqlite3
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path

import uvloop

from sagehouse.activation.variables import outer_proxy
from sagehouse.app.admin import Admin
from sagehouse.app.card import Taken, hold, last_port, remove_card, write_card, write_client_files
from sagehouse.app.clock import SystemClock
from sagehouse.app.config import Config
from sagehouse.app.rooms import WORKPLACES, Rooms, build_rooms, controllers_of
from sagehouse.controllers.pipelines import PipelinesController
from sagehouse.gateway.app import Gateway
from sagehouse.gateway.authority import Authority
from sagehouse.gateway.listener import Listener, bind
from sagehouse.gateway.tunnel import Upstream
from sagehouse.kit.errors import SagehouseError
from sagehouse.runtimes.process.removal import remove_tree

THROWN = "thrown"
"""Directory of the data directory for what is to be removed: nobody waits for that."""
_OPEN_FILES = 65_536
_log = logging.getLogger("sagehouse.app")


def serve(config: Config) -> int:
    """Run the house until SIGTERM or SIGINT; return the exit status."""
    logging.basicConfig(
        level=os.environ.get("SAGEHOUSE_LOG", "WARNING").upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    try:
        lock = hold(config.home)
        listening = _listen(config)
    except (Taken, OSError) as error:
        print(f"sagehouse up: {error}", file=sys.stderr)
        return 1
    _allow_many_files()
    with lock, listening:
        try:
            uvloop.run(_run(config, listening))
        except SagehouseError as error:  # of a store that cannot be opened
            print(f"sagehouse up: {error}", file=sys.stderr)
            return 1
        except ExceptionGroup as group:  # of a store in which something cannot be read
            if not is_damage(group):
                raise
            print(
                f"sagehouse up: A database in {config.home} is damaged. Put a copy of the directory in its place, or "
                "begin with an empty house: sagehouse reset",
                file=sys.stderr,
            )
            return 1
    return 0


def is_damage(group: ExceptionGroup[Exception]) -> bool:
    """Whether a database file that is not whole is among what ended the house."""
    codes = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return group.subgroup(lambda error: getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF in codes) is not None


def _allow_many_files() -> None:
    """Raise the usual 1,024 open files, which a few busy clients with idle connections use up."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(now, min(most, _OPEN_FILES)), most))


def _listen(config: Config) -> socket.socket:
    """Bind the port; when any will do, the one the last house of this directory had, if it is free."""
    last = None if config.port else last_port(config.home)
    if last is not None:
        with suppress(OSError):
            return bind(config.host, last)
    try:
        return bind(config.host, config.port)
    except OSError as error:
        reason = f"Cannot listen on {config.host}:{config.port}: {error.strerror}. Choose another with --port."
        raise OSError(reason) from error


async def _run(config: Config, listening: socket.socket) -> None:
    stopping = _told_to_stop()  # before anybody can know that there is a house to stop
    host, port = listening.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    _leave_own_proxy(url)
    clock = SystemClock()
    authority = Authority(config.authority, clock)
    authority.bundle(config.bundle, extra=_trusted_already())
    write_client_files(config)
    rooms = build_rooms(config, url=url)
    try:
        household = Household(rooms)
        admin = Admin(
            catalog=rooms.catalog,
            feed=rooms.feed,
            started_at=clock.now(),
            empty_house=household.empty if config.may_reset else None,
        )
        gateway = Gateway(rooms.dispatcher, clock=rooms.clock, ids=rooms.ids, admin=admin.routes())
        listener = Listener(gateway, listening, authority=authority, upstream=Upstream.from_environment(os.environ))
        write_card(config, url=url, port=port)
        _log.warning("event=up url=%s home=%s", url, config.home)
        print(f'The house is up at {url}. Point a shell at it: eval "$(sagehouse env)"   Stop it: Ctrl-C', flush=True)
        await _run_until(stopping, household=household.run(), listener=listener.run())
    finally:
        remove_card(config.home)
        rooms.close()


def _told_to_stop() -> asyncio.Event:
    """Return what is set by SIGTERM or SIGINT from now on, even where this process was started to ignore them."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)
    return stopping


async def _run_until(stopping: asyncio.Event, **works: Coroutine[None, None, None]) -> None:
    """Run the house's two halves until told to stop; an exception of either ends both and is raised."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work, name=name) for name, work in works.items()]
        await stopping.wait()
        for task in tasks:
            task.cancel()


def _leave_own_proxy(url: str) -> None:
    """Let this process and its children go out as the shell did before it was pointed at a house.

    A house started from a shell that is pointed at it would otherwise ask itself for every other host, without end.
    """
    proxy = outer_proxy(os.environ)
    for name in ("https_proxy", "HTTPS_PROXY"):
        os.environ.pop(name, None)
        if proxy and proxy.rstrip("/") != url:
            os.environ[name] = proxy


def _trusted_already() -> list[Path]:
    """Return bundles the user's environment names: programs pointed at the house must trust them as before."""
    names = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    found = [Path(os.environ[name]) for name in names if os.environ.get(name)]
    return [path for path in dict.fromkeys(found) if path.is_file()]


class Household:
    """The controllers at work, and the emptying of the house around them.

    Invariant: while `run` runs, `_work` is the task that runs all controllers, except while the house is emptied.
    """

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._work: asyncio.Task[None] | None = None
        self._is_emptying = asyncio.Lock()

    async def run(self) -> None:
        """Run the controllers until cancelled; raise what ends them otherwise."""
        try:
            while True:
                self._work = asyncio.create_task(self._live(), name="controllers")
                await asyncio.wait([self._work])
                async with self._is_emptying:
                    if not self._work.cancelled():
                        self._work.result()
        finally:
            await self._pause()

    async def _live(self) -> None:
        controllers = controllers_of(self._rooms)
        self._rooms.wakes.join({kind: controller.wake for controller in controllers for kind in controller.kinds})
        pipelines = next(controller for controller in controllers if isinstance(controller, PipelinesController))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep(), name="sweep")
            group.create_task(self._tell_of_children(pipelines), name="children-of-pipelines")
            for controller in controllers:
                group.create_task(controller.run(), name=type(controller).__name__)

    async def _tell_of_children(self, pipelines: PipelinesController) -> None:
        watched = frozenset(pipelines.watched)
        async for key in self._rooms.feed.watch():
            if key.kind in watched:
                pipelines.wake(key)

    async def _sweep(self) -> None:
        """Remove what emptyings have thrown away, also those of a house that was killed over it."""
        with suppress(OSError):
            await asyncio.to_thread(remove_tree, self._rooms.config.home / THROWN)

    async def _pause(self) -> None:
        if self._work is not None and not self._work.done():
            self._work.cancel()
            await asyncio.wait([self._work])

    async def empty(self) -> None:
        """Stop what runs and forget everything; environments and certificates stay."""
        rooms, home = self._rooms, self._rooms.config.home
        async with self._is_emptying:
            await self._pause()
            for route in rooms.serving.routes():
                rooms.serving.unroute(route.key)
            await rooms.runtime.kill_all([home / name for name in WORKPLACES])
            await rooms.catalog.clear()
            await rooms.objects.clear()
            await rooms.streams.clear()
            thrown = home / THROWN / rooms.ids.suffix(8)
            thrown.mkdir(parents=True)
            for name in WORKPLACES:
                if (home / name).exists():
                    (home / name).rename(thrown / name)
