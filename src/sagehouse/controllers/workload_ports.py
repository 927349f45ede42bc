"""What the controllers that run workloads work with: one bundle, built once, shared by all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sagehouse.controllers.equipment import RequirementsReader
from sagehouse.controllers.model_cache import ModelCache
from sagehouse.images import resolve as resolve_image
from sagehouse.images.image import Image
from sagehouse.ports.archives import Archives
from sagehouse.ports.catalog import Catalog, Key
from sagehouse.ports.clock import Clock
from sagehouse.ports.metrics import MetricSearch
from sagehouse.ports.objects import Objects
from sagehouse.ports.runtime import Environments, Mount, Runtime
from sagehouse.ports.serving import Serving
from sagehouse.ports.streams import Streams


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadPorts:
    catalog: Catalog
    objects: Objects
    streams: Streams
    runtime: Runtime
    environments: Environments
    archives: Archives
    serving: Serving
    metrics: MetricSearch
    clock: Clock
    jobs: Path
    """Every job has its own directory below; on the file system of the object store, so that links are possible."""
    servers: Path
    """Every model server has its own directory below. Short: unix socket paths are limited to 107 bytes."""
    models: ModelCache
    requirements: RequirementsReader
    job_environment: Callable[[Key], Mapping[str, str]]
    """What every workload needs to find the house: endpoint, credentials, certificates."""
    toolkit_mounts: Sequence[Mount]
    resolve: Callable[[str], Image] = resolve_image
    """`images.resolve`."""
