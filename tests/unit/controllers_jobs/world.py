"""A house in memory around a jobs controller: fakes for every port, a clock the test moves, jobs to begin with."""

import asyncio
import io
import tarfile
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.catalog import FakeCatalog
from tests.fakes.environments import FakeEnvironments
from tests.fakes.metrics import FakeMetricSearch
from tests.fakes.objects import FakeObjects
from tests.fakes.runtime import FakeRuntime, Fate
from tests.fakes.serving import FakeServing
from tests.fakes.streams import FakeStreams
from tests.unit.domain_jobs.documents import ACCOUNT, BUCKET, REGION

from sagehouse.controllers.equipment import RequirementsReader
from sagehouse.controllers.jobs import JobsController
from sagehouse.controllers.model_cache import ModelCache
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.kit.document import Document
from sagehouse.ports.catalog import Insert, Key, Stored
from sagehouse.ports.runtime import Workload
from sagehouse.ports.streams import Scope

SCOPE = Scope(account=ACCOUNT, region=REGION)
DEADLINE_S = 10.0
"""Real seconds after which a test that waits for what never comes fails."""


class VirtualClock:
    """Time stands still until a test moves it."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + seconds, woken))
        await woken

    def advance(self, seconds: float) -> None:
        self._now += seconds
        for at, woken in list(self._sleepers):
            if at <= self._now:
                self._sleepers.remove((at, woken))
                if not woken.done():
                    woken.set_result(None)


class PlainArchives:
    """Archives without their safety, which is tested elsewhere."""

    def __init__(self) -> None:
        self.looked = 0

    async def pack(self, directory: Path, archive: Path) -> int:
        with tarfile.open(archive, "w:gz") as tar:
            for path in sorted(directory.rglob("*")):
                tar.add(path, arcname=str(path.relative_to(directory)))
        return archive.stat().st_size

    async def unpack(self, archive: Path, directory: Path) -> None:
        with tarfile.open(archive) as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Debian 12's 3.11.2 has none
            tar.extractall(directory)

    async def read(self, archive: Path, name: str, *, limit_bytes: int) -> bytes | None:
        self.looked += 1
        with tarfile.open(archive) as tar:
            found = tar.extractfile(name) if name in tar.getnames() else None
            return found.read() if found else None


@dataclass(frozen=True)
class AnAlternative:
    packages: Sequence[str] = ("scikit-learn==1.2.1",)
    pythons: Sequence[str] = ("3.11",)
    note: str = ""


@dataclass(frozen=True)
class ARequirement:
    name: str = "sagemaker-scikit-learn 1.2-1"
    alternatives: Sequence[AnAlternative] = (AnAlternative(),)

    @property
    def notes(self) -> frozenset[str]:
        return frozenset(one.note for one in self.alternatives if one.note)


@dataclass(frozen=True)
class AnImage:
    framework: str = "sklearn"
    environment: ARequirement = ARequirement()
    train_command: Sequence[str] = ("python", "-m", "sagehouse.toolkit.train")
    metric_definitions: Sequence[Document] = ()


Script = Callable[["Host"], None]


@dataclass
class Host:
    """What a script of the fake runtime may do on its machine."""

    name: str
    workload: Workload
    log: Path

    def path(self, inside: str) -> Path:
        """The host's file behind a path of the job."""
        host = next(one for one in self.workload.hosts if one.name == self.name)
        mount = max(
            (mount for mount in host.mounts if Path(inside).is_relative_to(mount.target)),
            key=lambda mount: len(mount.target),
        )
        return mount.source / Path(inside).relative_to(mount.target)

    def write(self, inside: str, text: str) -> None:
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def print(self, *lines: str) -> None:
        with self.log.open("a") as file:
            for line in lines:
                file.write(f"1700000000000 {line}\n")


@dataclass
class World:
    root: Path
    fate: Fate = field(default_factory=Fate)
    script: Script = lambda host: None
    image: AnImage = field(default_factory=AnImage)
    places: int | None = None
    load: float = 99.0
    resolve: Callable[[str], AnImage] | None = None

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        self.changed = asyncio.Event()
        self.catalog = FakeCatalog(on_commit=[lambda keys: self.changed.set()])
        self.objects = FakeObjects(self.root / "blobs")
        (self.root / "blobs").mkdir()
        (self.root / "streams").mkdir()
        self.streams = FakeStreams(self.root / "streams")
        self.runtime = FakeRuntime(self.clock, self._behave)
        self.environments = FakeEnvironments()
        self.archives = PlainArchives()
        self.inputs: dict[str, list[str]] = {}
        self.build()

    def build(self) -> None:
        """Make the controller anew, as after a restart: it knows nothing but what the ports hold."""
        ports = WorkloadPorts(
            catalog=self.catalog,
            objects=self.objects,
            streams=self.streams,
            runtime=self.runtime,
            environments=self.environments,
            archives=self.archives,
            serving=FakeServing(),
            metrics=FakeMetricSearch(),
            clock=self.clock,
            jobs=self.root / "jobs",
            servers=self.root / "run",
            models=ModelCache(objects=self.objects, archives=self.archives, directory=self.root / "run" / "models"),
            requirements=RequirementsReader(objects=self.objects, archives=self.archives),
            job_environment=lambda key: {"AWS_ENDPOINT_URL": "http://house", "AWS_ACCESS_KEY_ID": key.account},
            toolkit_mounts=(),
            resolve=self.resolve or (lambda uri: self.image),
        )
        self.controller = JobsController(ports, places=self.places, load=lambda: self.load)

    def _behave(self, workload: Workload) -> Fate:
        if not any(one.id == workload.id for one in self.runtime.started):
            for host in workload.hosts:
                here = Host(name=host.name, workload=workload, log=host.log)
                for mount in host.mounts:
                    files = sorted(path for path in mount.source.rglob("*") if path.is_file())
                    self.inputs[host.name] = self.inputs.get(host.name, []) + [
                        f"{mount.target}/{path.relative_to(mount.source)}" for path in files
                    ]
                self.script(here)
        return self.fate

    @asynccontextmanager
    async def running(self):
        """The controller, working; it is gone afterwards as after a crash, workloads stay."""
        task = asyncio.create_task(self.controller.run(), name="controller")
        try:
            yield self.controller
        finally:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled() and (problem := task.exception()):
                raise problem

    async def put(self, *keys: str, text: str = "x") -> None:
        if BUCKET not in [bucket.name for bucket in await self.objects.buckets(ACCOUNT)]:
            await self.objects.create_bucket(BUCKET, account=ACCOUNT, region=REGION, now=0.0)
        for key in keys:
            await self.objects.write(BUCKET, key, text.encode(), content_type="text/plain", now=0.0)

    async def keys(self, prefix: str = "") -> list[str]:
        return [one.key for one in (await self.objects.list(BUCKET, prefix=prefix)).objects]

    async def archive(self, key: str) -> dict[str, str]:
        """The files of a gzipped tar in the bucket."""
        with tarfile.open(fileobj=io.BytesIO(await self.objects.read(BUCKET, key))) as tar:
            return {m.name: tar.extractfile(m).read().decode() for m in tar.getmembers() if m.isfile()}

    async def create(self, document: Document) -> Key:
        """Store a job as its service does, and wake the controller."""
        kind = "TrainingJob" if "TrainingJobName" in document else "ProcessingJob"
        key = Key(account=ACCOUNT, region=REGION, kind=kind, name=document[f"{kind}Name"])
        arn = document[f"{kind}Arn"]
        now = self.clock.now()
        await self.catalog.write(Insert(key=key, arn=arn, document=document, now=now, status="InProgress"))
        self.controller.wake(key)
        return key

    async def stop(self, key: Key) -> None:
        """Ask for a stop as the service does."""
        from sagehouse.domain.jobs.job import LIFECYCLES
        from sagehouse.resources.transition import transition

        stored = await self.catalog.get(key)
        await transition(
            self.catalog,
            LIFECYCLES[key.kind],
            stored,
            to="Stopping",
            document=stored.document,
            now=self.clock.now(),
            who="test",
            why="stop",
        )
        self.controller.wake(key)

    async def until(self, key: Key, reached: Callable[[Stored], bool]) -> Document:
        """Wait until the stored job satisfies a condition; return its document."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                self.changed.clear()
                stored = await self.catalog.get(key)
                if reached(stored):
                    return stored.document
                await self.changed.wait()

    async def until_ended(self, key: Key) -> Document:
        return await self.until(key, lambda stored: stored.status in ("Completed", "Failed", "Stopped"))

    async def until_running(self, key: Key) -> Document:
        return await self.until(key, lambda stored: "_Handle" in stored.document)

    async def until_directories(self, count: int) -> list[str]:
        """Wait until so many jobs have a directory; return their names. Files tell nobody of their end: look again."""
        async with asyncio.timeout(DEADLINE_S):
            while len(names := sorted(path.name for path in (self.root / "jobs").iterdir())) > count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return names

    async def run(self, document: Document) -> Document:
        """Create a job and see it to its end."""
        async with self.running():
            return await self.until_ended(await self.create(document))
