"""A house in memory with model servers: fakes for every port, a clock that leaps while nothing else happens."""

import asyncio
import heapq
import io
import itertools
import re
import tarfile
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.catalog import FakeCatalog
from tests.fakes.environments import FakeEnvironments
from tests.fakes.metrics import FakeMetricSearch
from tests.fakes.objects import FakeObjects
from tests.fakes.runtime import FakeRuntime, Fate
from tests.fakes.serving import Asked, FakeServing, Model, answer
from tests.fakes.streams import FakeStreams

from sagehouse.controllers.equipment import RequirementsReader
from sagehouse.controllers.model_cache import ModelCache
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.images.image import EnvironmentSpec, Image, Requirements
from sagehouse.kit.document import Document
from sagehouse.kit.errors import NotFound, Unavailable
from sagehouse.ports.catalog import Insert, Key, Stored
from sagehouse.ports.runtime import Workload
from sagehouse.ports.streams import Scope

ACCOUNT, REGION = "123456789012", "us-east-1"
SCOPE = Scope(account=ACCOUNT, region=REGION)
BUCKET = "models"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
DEADLINE_S = 30.0
"""Real seconds after which a test that waits for what never comes fails."""


class LeapingClock:
    """Time stands still while anything happens, then leaps to where the next sleeper wakes."""

    def __init__(self) -> None:
        self._now = 1_700_000_000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._serial = itertools.count()

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._serial), woken))
        await woken

    async def flow(self) -> None:
        while True:
            for _ in range(20):
                await asyncio.sleep(0)
            await asyncio.sleep(0.0002)  # threads that remove and unpack files are real
            while self._sleepers:
                at, _, woken = heapq.heappop(self._sleepers)
                if not woken.done():
                    self._now = max(self._now, at)
                    woken.set_result(None)
                    break


class PlainArchives:
    """Archives without their safety, which is tested elsewhere."""

    def __init__(self) -> None:
        self.unpacked = 0
        self.looked = 0

    async def pack(self, directory: Path, archive: Path) -> int:
        raise NotImplementedError

    async def unpack(self, archive: Path, directory: Path) -> None:
        self.unpacked += 1
        with tarfile.open(archive) as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Debian 12's 3.11.2 has none
            tar.extractall(directory)

    async def read(self, archive: Path, name: str, *, limit_bytes: int) -> bytes | None:
        self.looked += 1
        with tarfile.open(archive) as tar:
            found = tar.extractfile(name) if name in tar.getnames() else None
            return found.read() if found else None


def an_archive(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def resolve(uri: str) -> Image:
    if "scikit-learn" not in uri:
        raise NotFound(f"No image {uri!r} here.")
    requirements = Requirements(packages=["scikit-learn==1.2.2"], pythons=["3.11", "3.12"])
    return Image(
        uri=uri,
        repository="sagemaker-scikit-learn",
        tag="1.2-1-cpu-py3",
        version="1.2-1",
        framework="sklearn",
        environment=EnvironmentSpec(name="sklearn", alternatives=[requirements]),
    )


@dataclass
class Ground:
    """`model(workload)` makes the model of a server that starts; None: it listens but never answers its ping."""

    root: Path
    model: Callable[[Workload], Model | None] = lambda workload: lambda asked: answer(200, b"ok")
    fate: Callable[[Workload], Fate] = lambda workload: Fate(after_s=None)
    pings: Callable[[Workload], bool] = lambda workload: True
    """Whether a server answers this ping."""
    last_words: str = ""
    parameters: bytes = b""
    """What servers say at /execution-parameters; without it they know no such path."""
    started: list[Workload] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = LeapingClock()
        self.changed = asyncio.Event()
        self.catalog = FakeCatalog(on_commit=[lambda keys: self.changed.set()])
        for name in ("blobs", "streams"):
            (self.root / name).mkdir()
        self.objects = FakeObjects(self.root / "blobs")
        self.streams = FakeStreams(self.root / "streams")
        self.runtime = FakeRuntime(self.clock, self._behave)
        self.environments = FakeEnvironments()
        self.serving = FakeServing()
        self.archives = PlainArchives()
        self.build()

    def build(self) -> None:
        """Make the controller anew, as after a restart: it knows nothing but what the ports hold."""
        raise NotImplementedError

    def ports(self) -> WorkloadPorts:
        return WorkloadPorts(
            catalog=self.catalog,
            objects=self.objects,
            streams=self.streams,
            runtime=self.runtime,
            environments=self.environments,
            archives=self.archives,
            serving=self.serving,
            metrics=FakeMetricSearch(),
            clock=self.clock,
            jobs=self.root / "jobs",
            servers=self.root / "run",
            models=ModelCache(objects=self.objects, archives=self.archives, directory=self.root / "run" / "models"),
            requirements=RequirementsReader(objects=self.objects, archives=self.archives),
            job_environment=lambda key: {"AWS_ENDPOINT_URL": "http://house", "AWS_ACCESS_KEY_ID": key.account},
            toolkit_mounts=(),
            resolve=resolve,
        )

    def _behave(self, workload: Workload) -> Fate:
        if all(one.id != workload.id for one in self.started):
            self.started.append(workload)
            if self.last_words:
                with workload.hosts[0].log.open("a") as log:
                    log.write(f"1700000000000 {self.last_words}\n")
            self._listen(workload)
        return self.fate(workload)

    def _listen(self, workload: Workload) -> None:
        model = self.model(workload)

        def speaks(asked: Asked):
            if workload.id not in self.running_ids:
                raise Unavailable("gone", code="Unreachable")
            if asked.path == "/ping":
                if not self.pings(workload):
                    raise TimeoutError
                return answer(200 if model else 503)
            if asked.path == "/execution-parameters":
                return answer(200, self.parameters) if self.parameters else answer(404)
            assert model is not None
            return model(asked)

        self.serving.listen(socket_of(workload), speaks)

    @property
    def running_ids(self) -> list[str]:
        now = self.clock.now()
        return sorted(run.workload.id for run in self.runtime.runs.values() if run.ends_at is None or run.ends_at > now)

    @asynccontextmanager
    async def running(self):
        """The controller, working; it is gone afterwards as after a crash, workloads stay."""
        controller = asyncio.create_task(self.controller.run(), name="controller")
        time = asyncio.create_task(self.clock.flow(), name="time")
        try:
            async with asyncio.timeout(DEADLINE_S):
                yield self.controller
        finally:
            for task in (controller, time):
                task.cancel()
            await asyncio.wait({controller, time})
            if not controller.cancelled() and (problem := controller.exception()):
                raise problem

    async def store(self, kind: str, name: str, document: Document, *, status: str = "") -> Key:
        key = Key(account=ACCOUNT, region=REGION, kind=kind, name=name)
        noun = re.sub("(?<=[a-z])(?=[A-Z])", "-", kind).lower()
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{noun}/{name.lower()}"
        await self.catalog.write(Insert(key=key, arn=arn, document=document, now=self.clock.now(), status=status))
        return key

    async def put(self, key: str, data: bytes, *, bucket: str = BUCKET) -> None:
        if bucket not in [one.name for one in await self.objects.buckets(ACCOUNT)]:
            await self.objects.create_bucket(bucket, account=ACCOUNT, region=REGION, now=0.0)
        await self.objects.write(bucket, key, data, content_type="x", now=self.clock.now())

    async def a_model(self, name: str = "churn", **members) -> None:
        await self.put(f"{name}.tar.gz", an_archive(weights=name))
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{name}.tar.gz", "Environment": {"MODEL": name}}
        container.update(members)
        document = {"ModelName": name, "PrimaryContainer": container, "EnableNetworkIsolation": False}
        await self.store("Model", name, document)

    async def until(self, key: Key, reached: Callable[[Stored | None], bool]) -> Document:
        """Wait until the stored resource satisfies a condition; return its document."""
        while True:
            self.changed.clear()
            stored = await self.catalog.get(key)
            if reached(stored):
                return stored.document if stored else {}
            await self.changed.wait()

    async def see(self, happened: Callable[[], bool]) -> None:
        """Wait until something is so that no write to the catalog tells."""
        while not happened():  # noqa: ASYNC110 - fakes tell nobody
            await asyncio.sleep(0)

    async def log(self, group: str, stream: str) -> list[str]:
        page = await self.streams.read(SCOPE, group, stream, position=None)
        return [event.message for event in page.events]


def socket_of(workload: Workload) -> Path:
    """The host's side of the socket a server is told to make."""
    inside = Path(workload.environment["SAGEHOUSE_SOCKET"])
    mount = next(one for one in workload.mounts if one.target == str(inside.parent))
    return mount.source / inside.name


def mount_of(workload: Workload, target: str) -> Path:
    return next(one.source for one in workload.mounts if one.target == target)
