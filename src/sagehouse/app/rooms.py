"""Every room built, and joined to the others: the only place that knows all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sagehouse
from sagehouse.activation.variables import variables
from sagehouse.app.bound import SERVICES
from sagehouse.app.changes import ChangeFeed, Wakes
from sagehouse.app.clock import RandomIds, SystemClock
from sagehouse.app.config import Config
from sagehouse.controllers.endpoints import EndpointsController
from sagehouse.controllers.equipment import RequirementsReader
from sagehouse.controllers.jobs import JobsController
from sagehouse.controllers.model_cache import ModelCache
from sagehouse.controllers.pipelines import PipelinesController
from sagehouse.controllers.transforms import TransformsController
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.gateway.dispatcher import Dispatcher
from sagehouse.ports.catalog import Key
from sagehouse.ports.house import House
from sagehouse.ports.runtime import Mount
from sagehouse.runtimes.environments import UvEnvironments
from sagehouse.runtimes.metrics import ProcessMetricSearch
from sagehouse.runtimes.process.runtime import ProcessRuntime
from sagehouse.serving.router import Router
from sagehouse.storage.archives import TarArchives
from sagehouse.storage.catalog import SqliteCatalog
from sagehouse.storage.objects import ObjectStore
from sagehouse.storage.streams.adapter import FileStreams

WORKPLACES = ("jobs", "run", "models")
"""Directories of the data directory in which workloads run and what they unpack lies."""
_PACKAGE = Path(sagehouse.__file__).parent
_INSIDE_JOBS = ("toolkit", "algorithms")
_INSIDE = Path("/opt/sagehouse")
"""Where a job finds the toolkit and what it needs to reach the house."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """What one start of the house has built. Controllers are made anew after a reset."""

    config: Config
    feed: ChangeFeed
    wakes: Wakes
    clock: SystemClock
    ids: RandomIds
    catalog: SqliteCatalog
    objects: ObjectStore
    streams: FileStreams
    serving: Router
    runtime: ProcessRuntime
    environments: UvEnvironments
    archives: TarArchives
    dispatcher: Dispatcher
    url: str

    def close(self) -> None:
        self.catalog.close()
        self.objects.close()
        self.streams.close()


def build_rooms(config: Config, *, url: str) -> Rooms:
    """Open every store and join the rooms; the house answers at `url`."""
    feed, wakes, ids = ChangeFeed(), Wakes(), RandomIds()
    catalog = SqliteCatalog(config.home / "catalog" / "catalog.sqlite", on_commit=[feed.committed])
    objects = ObjectStore(config.home / "objects")
    streams = FileStreams(config.home / "streams")
    serving = Router()
    dispatcher = Dispatcher(SERVICES)
    dispatcher.open(
        House(
            catalog=catalog,
            objects=objects,
            uploads=objects.uploads,
            streams=streams,
            serving=serving,
            wake=wakes,
            ids=ids,
            dispatch=dispatcher,
        )
    )
    return Rooms(
        config=config,
        feed=feed,
        wakes=wakes,
        clock=SystemClock(),
        ids=ids,
        catalog=catalog,
        objects=objects,
        streams=streams,
        serving=serving,
        runtime=ProcessRuntime(),
        environments=UvEnvironments(
            config.environments,
            is_strict=config.is_strict,
            code=[_PACKAGE / name for name in _INSIDE_JOBS],
            import_path=[str(_INSIDE / "sagehouse" / name / "stand_ins") for name in _INSIDE_JOBS],
        ),
        archives=TarArchives(),
        dispatcher=dispatcher,
        url=url,
    )


def controllers_of(
    rooms: Rooms,
) -> Sequence[JobsController | TransformsController | EndpointsController | PipelinesController]:
    """Return the loops of this house; whoever runs them also joins their wakes."""
    home = rooms.config.home

    def job_environment(key: Key) -> Mapping[str, str]:
        return _job_environment(rooms.url, key)

    workload_ports = WorkloadPorts(
        catalog=rooms.catalog,
        objects=rooms.objects,
        streams=rooms.streams,
        runtime=rooms.runtime,
        environments=rooms.environments,
        archives=rooms.archives,
        serving=rooms.serving,
        metrics=ProcessMetricSearch(),
        clock=rooms.clock,
        jobs=home / "jobs",
        servers=home / "run",
        models=ModelCache(objects=rooms.objects, archives=rooms.archives, directory=home / "run" / "models"),
        requirements=RequirementsReader(objects=rooms.objects, archives=rooms.archives),
        job_environment=job_environment,
        toolkit_mounts=_mounts(rooms.config),
    )
    pipelines = PipelinesController(
        catalog=rooms.catalog,
        objects=rooms.objects,
        dispatch=rooms.dispatcher,
        clock=rooms.clock,
        ids=rooms.ids,
        input_shape=lambda operation: rooms.dispatcher.models.service("sagemaker").operation(operation).input,
    )
    return (
        JobsController(workload_ports),
        TransformsController(workload_ports),
        EndpointsController(workload_ports),
        pipelines,
    )


def _mounts(config: Config) -> Sequence[Mount]:
    """Return what every job sees of the house: the toolkit, the algorithms, certificates, empty AWS files."""
    seen = {
        "sagehouse/__init__.py": _PACKAGE / "__init__.py",
        **{f"sagehouse/{name}": _PACKAGE / name for name in _INSIDE_JOBS},
        "house/authority/bundle.pem": config.bundle,
        "house/aws": config.home / "aws",
        "house/sagemaker": config.home / "sagemaker",
    }
    return [Mount(source=source, target=str(_INSIDE / inside), access="read") for inside, source in seen.items()]


def _job_environment(url: str, key: Key) -> Mapping[str, str]:
    pointed = variables(url, home=_INSIDE / "house", region=key.region, outer={})
    del pointed["SAGEHOUSE_HOME"]
    return {**pointed, "AWS_ACCESS_KEY_ID": key.account, "PYTHONPATH": str(_INSIDE)}
