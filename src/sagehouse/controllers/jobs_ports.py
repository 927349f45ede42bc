"""What the jobs controller works with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sagehouse.images.image import Image
from sagehouse.ports.archives import Archives
from sagehouse.ports.catalog import Catalog, Key
from sagehouse.ports.clock import Clock
from sagehouse.ports.objects import Objects
from sagehouse.ports.runtime import Environments, Mount, Runtime
from sagehouse.ports.streams import Streams


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPorts:
    catalog: Catalog
    objects: Objects
    streams: Streams
    runtime: Runtime
    environments: Environments
    archives: Archives
    clock: Clock
    directory: Path
    """Every job has its own directory below; on the file system of the object store, so that links are possible."""
    job_environment: Callable[[Key], Mapping[str, str]]
    """What every job needs to find the house: endpoint, credentials, certificates."""
    toolkit_mounts: Sequence[Mount]
    resolve: Callable[[str], Image]
    """`images.resolve`."""
