"""A model server: what a runtime runs so that a model answers on a unix socket. For endpoints and transforms."""

import asyncio
import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from sagehouse.controllers.equipment import beside, equip
from sagehouse.controllers.jobs_workload import (
    TOOLKIT,
    environment_mounts,
    without_network,
)
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.domain.hosting.container import Container, container_of, definition_of
from sagehouse.domain.instances import instance
from sagehouse.domain.jobs.failure import last_words
from sagehouse.domain.jobs.requirements import has_own_index, served_script, served_with
from sagehouse.kit.arn import is_arn
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid, NotFound, SagehouseError
from sagehouse.ports.catalog import Catalog, Key
from sagehouse.ports.runtime import Handle, Host, Mount, Observed, Runtime, Workload
from sagehouse.ports.streams import Scope

_log = logging.getLogger(__name__)
_GIB = 1024**3
_GRACE_S = 30.0
"""Between SIGTERM and SIGKILL of a model server. Source: developer guide, "How containers serve inference requests"."""
_FIRST_PING_S, _LONGEST_PAUSE_S, _GROWTH = 0.005, 0.25, 1.5
_PING_EVERY_S, _MISSED_PINGS = 10.0, 3
"""A server that misses so many pings in a row hangs. AWS pings too and names no numbers but the two seconds it waits.

Source: developer guide, "How containers serve inference requests".
"""
_SOCKETS = "/run/sagehouse"
"""Where a server sees the directory its socket is made in."""
_TAIL_EVENTS = 200
"""Log events that hold the longest traceback worth quoting."""


@dataclass(frozen=True, slots=True)
class Place:
    """The directory of one server: run/ the runtime's own, ml/ its /opt/ml, s/ its sockets, model -> its model."""

    root: Path

    @classmethod
    def of(cls, directory: Path, instance_id: str) -> "Place":
        return cls(directory / instance_id.removeprefix("i-")[:10])

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def model(self) -> Path:
        return self.root / "model"

    def socket(self, attempt: int) -> Path:
        return self.root / "s" / str(attempt)

    def prepare(self, model: Path) -> None:
        for name in ("ml/model", "s"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        if not self.model.is_symlink():
            self.model.symlink_to(os.path.relpath(model, self.root))


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One attempt of one instance to serve a container."""

    key: Key
    """Of the endpoint or transform job it serves for."""
    instance_id: str
    attempt: int
    container: Container
    instance_type: str
    log_group: str
    log_stream: str
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """In addition to the container's own, which wins over the platform's but not over these."""

    @property
    def workload_id(self) -> str:
        return f"{self.instance_id}-{self.attempt}"

    @property
    def scope(self) -> Scope:
        return Scope(account=self.key.account, region=self.key.region)


async def container_for(catalog: Catalog, key: Key, model_name: str) -> Container:
    """Return what a model of the account and region of `key` asks to be served; Invalid if it is not there."""
    model = await catalog.get(Key(account=key.account, region=key.region, kind="Model", name=model_name))
    if model is None:
        arn = f"arn:aws:sagemaker:{key.region}:{key.account}:model/{model_name.lower()}"
        raise Invalid(f'Could not find model "{arn}".')
    definition = definition_of(model.document)
    package: Document | None = None
    if name := definition.get("ModelPackageName"):
        found = await (
            catalog.find(name)
            if is_arn(name)
            else catalog.get(Key(account=key.account, region=key.region, kind="ModelPackage", name=name))
        )
        if found is None:
            raise Invalid(f"Could not find model package {name!r}.")
        package = found.document
    return container_of(
        definition, package=package, is_network_isolated=bool(model.document.get("EnableNetworkIsolation"))
    )


async def build(server: Server, ports: WorkloadPorts) -> Workload:
    """Return the server's workload, its environment and model ready; the same one whenever it is asked for.

    Raises what resolving the image, building the environment or fetching the model raises.
    """
    image = ports.resolve(server.container.image)
    place = Place.of(ports.servers, server.instance_id)
    is_new = not place.model.is_dir()  # a server that is started again keeps its model, whatever happened in S3
    if is_new:
        place.model.unlink(missing_ok=True)
        place.prepare(await ports.models.provide(server.container.artifact))
    text = await _requirements(server, ports, place)
    equipment = await equip(ports.environments, image, text=text, python=server.container.python)
    environment = equipment.environment
    if is_new:
        await tell(environment.note, server, ports)
    size = instance(server.instance_type)
    host = Host(name="algo-1", log=ports.streams.file(server.scope, server.log_group, server.log_stream))
    own = dict(server.container.environment)
    chosen = own.pop("PYTHONPATH", None)
    return Workload(
        id=server.workload_id,
        directory=place.run,
        command=tuple(image.serve_command),
        hosts=[host],
        environment={
            **equipment.variables,
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "SAGEHOUSE_FRAMEWORK": image.framework,
            **ports.job_environment(server.key),
            **without_network(is_isolated=server.container.is_network_isolated),
            "AWS_REGION": server.key.region,
            "AWS_DEFAULT_REGION": server.key.region,
            **own,
            **server.environment,
            "PYTHONPATH": f"{chosen}:{TOOLKIT}" if chosen else TOOLKIT,
            "SAGEHOUSE_SOCKET": f"{_SOCKETS}/{server.attempt}",
        },
        mounts=(
            *environment_mounts(environment),
            *ports.toolkit_mounts,
            Mount(source=place.root / "ml", target="/opt/ml", access="write"),
            Mount(source=place.model.resolve(), target="/opt/ml/model", access="overlay"),
            Mount(source=place.root / "s", target=_SOCKETS, access="write"),
        ),
        is_network_isolated=server.container.is_network_isolated,
        memory_limit_bytes=int(size.memory_gib * _GIB) if size else None,
        stop_grace_s=_GRACE_S,
    )


async def _requirements(server: Server, ports: WorkloadPorts, place: Place) -> str:
    """Return the requirements file of the server's script, "" if that is left to its own pip."""
    environment = {**server.container.environment, **server.environment}
    if server.container.is_network_isolated or has_own_index(environment):
        return ""
    if source := served_with(environment):
        return await ports.requirements.read(source)
    return beside(place.model, served_script(environment))


async def tell(words: str, server: Server, ports: WorkloadPorts) -> None:
    """Say something of the house's own in the server's log; "" is nothing."""
    if words:
        ports.streams.file(server.scope, server.log_group, server.log_stream)
        told = [(int(ports.clock.now() * 1000), words)]
        await ports.streams.append(server.scope, server.log_group, server.log_stream, told)


async def end_of(runtime: Runtime, handle: Handle) -> Observed:
    """Return how a workload ended, once it has; one the runtime knows nothing of is lost."""
    try:
        return await runtime.wait(handle)
    except SagehouseError as problem:
        return Observed(is_running=False, reason="lost", detail=problem.message)


class Silent(Exception):
    """A server runs and does not answer its ping; the words say since when."""


async def await_ready(
    ports: WorkloadPorts, *, socket: Path, handle: Handle, within_s: float = math.inf
) -> Observed | None:
    """Return None once the server answers its ping with 200; how it ended if that came first.

    Silent if neither comes within a time.
    """
    began = ports.clock.now()
    async with asyncio.TaskGroup() as group:
        ended = group.create_task(end_of(ports.runtime, handle), name=f"end-of-{handle.workload_id}")
        pause_s = _FIRST_PING_S
        while not ended.done():
            is_ready = await ports.serving.ping(socket)
            if is_ready or ports.clock.now() - began >= within_s:
                ended.cancel()
                break
            await ports.clock.sleep(pause_s)
            pause_s = min(pause_s * _GROWTH, _LONGEST_PAUSE_S)
    if not ended.cancelled():
        return ended.result()
    if is_ready:
        return None
    raise Silent(f"It did not answer its ping within {within_s:g} s.")


async def await_end(ports: WorkloadPorts, *, socket: Path, handle: Handle) -> Observed:
    """Return how a server that was ready ended; Silent as soon as it hangs."""
    ended = asyncio.create_task(end_of(ports.runtime, handle), name=f"end-of-{handle.workload_id}")
    silent = asyncio.create_task(_missed_pings(ports, socket), name=f"pings-of-{handle.workload_id}")
    try:
        await asyncio.wait((ended, silent), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            return ended.result()
        raise Silent(f"It did not answer {_MISSED_PINGS} pings in a row, {_PING_EVERY_S:g} s apart.")
    finally:
        for task in (ended, silent):
            task.cancel()
        await asyncio.gather(ended, silent, return_exceptions=True)


async def _missed_pings(ports: WorkloadPorts, socket: Path) -> None:
    """Return once a server has missed too many pings in a row."""
    missed = 0
    while missed < _MISSED_PINGS:
        await ports.clock.sleep(_PING_EVERY_S)
        missed = 0 if await ports.serving.ping(socket) else missed + 1


async def last_line(ports: WorkloadPorts, server: Server, *, ended: Observed | None = None) -> str:
    """Return the line of the server's log that says what went wrong; if there is none, how it `ended`, if it has."""
    codes = ", ".join(str(code) for code in ended.exit_codes.values()) if ended else ""
    return await _last_line(ports, server) or (f"none, exit code: {codes}" if codes else "")


async def _last_line(ports: WorkloadPorts, server: Server) -> str:
    try:
        page = await ports.streams.read(
            server.scope, server.log_group, server.log_stream, position=None, backwards=True, limit=_TAIL_EVENTS
        )
    except NotFound:
        return ""
    notes = ports.resolve(server.container.image).environment.notes
    return last_words(event.message for event in page.events if event.message not in notes)


async def find(ports: WorkloadPorts, server: Server) -> Handle | None:
    """Return the handle of a server that may have been started by one who was killed before he could say so.

    Starting it again finds it, for equal ids are one workload.
    """
    if not Place.of(ports.servers, server.instance_id).run.exists():
        return None
    try:
        return await ports.runtime.start(await build(server, ports))
    except (SagehouseError, OSError) as problem:
        _log.warning("server_not_found id=%s problem=%s", server.workload_id, problem)
        return None


async def put_out(ports: WorkloadPorts, handle: Handle, *, grace_s: float = _GRACE_S) -> None:
    """End a server and let the runtime forget it; one that is not there is no error."""
    try:
        await ports.runtime.stop(handle, grace_s=grace_s)
        await ports.runtime.wait(handle)
        await ports.runtime.forget(handle)
    except (NotFound, Invalid):
        return
