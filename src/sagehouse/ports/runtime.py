"""What runs things. A runtime knows processes and files, nothing of SageMaker: it gets a `Workload`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias

from sagehouse.kit.document import Document

Access: TypeAlias = Literal["read", "write", "overlay"]
"""read: the source, read-only. write: the source itself. overlay: looks writable, the source is never changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    source: Path
    """A directory or file of this machine."""
    target: str
    """An absolute path inside the workload."""
    access: Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One machine of the workload as its processes see it."""

    name: str
    """"algo-1", resolvable by every host of the workload."""
    log: Path
    """The stream file (storage.streams format) its stdout and stderr are appended to."""
    mounts: Sequence[Mount] = ()
    """In addition to the workload's own."""
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Absolute path inside the workload -> text, written before the start."""
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A command on one or more hosts, with the view of the machine it may have."""

    id: str
    """Unique and stable for one attempt: starting the same id twice adopts the first, never runs it twice."""
    directory: Path
    """The workload's own directory: the runtime keeps its handle, exit status and scratch space under it."""
    command: Sequence[str]
    """Looked up on PATH inside the workload."""
    hosts: Sequence[Host]
    environment: Mapping[str, str]
    working_directory: str = "/"
    mounts: Sequence[Mount] = ()
    """For every host. Parents of a target are made inside the workload, never on this machine."""
    is_network_isolated: bool = False
    memory_limit_bytes: int | None = None
    """Per host."""
    cpu_limit: float | None = None
    max_runtime_s: float | None = None
    """After this the stop protocol runs and `Observed.reason` is "timed_out"."""
    stop_grace_s: float = 120.0
    """Between SIGTERM and SIGKILL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """A persisted pointer to a started workload. JSON on disk: `to_document` in the catalog's job document."""

    runtime: str
    """"process"."""
    workload_id: str
    directory: str


Reason: TypeAlias = Literal[
    "",
    "exited",
    "timed_out",
    "stopped",
    "out_of_memory",
    "too_many_processes",
    "disk_full",
    "failed_to_start",
    "lost",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a runtime saw of a workload."""

    is_running: bool
    started_at: float | None = None
    """When the first command began to run, UTC seconds."""
    ended_at: float | None = None
    exit_codes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Host name -> exit code, 128 + n for signal n. Complete once it no longer runs.

    The host that ended first comes first: when one fails the others are stopped.
    """
    reason: Reason = ""
    """Why it ended; "lost" if the supervisor vanished without a word (reboot, kill -9 of it)."""
    detail: str = ""
    """For "failed_to_start": what to fix."""


class Runtime(Protocol):
    async def start(self, workload: Workload) -> Handle:
        """Start it under a supervisor that outlives this process. Idempotent per workload id."""
        ...

    async def poll(self, handle: Handle) -> Observed: ...
    async def wait(self, handle: Handle) -> Observed:
        """Return once it no longer runs; also for adopted workloads, within milliseconds of the end."""
        ...

    async def stop(self, handle: Handle, *, grace_s: float | None = None) -> None:
        """Begin the stop protocol and return at once; 0 kills. A workload that has ended is left alone."""
        ...

    async def forget(self, handle: Handle) -> None:
        """Remove everything the runtime kept of an ended workload, and nothing else of its directory."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSpec:
    """A Python environment: equal specs share one directory. Comes from `images`."""

    name: str
    """For people: "sagemaker-scikit-learn 1.2-1"."""
    alternatives: Sequence["Requirements"]
    """Tried in order; the first that can be installed here wins. The first is exact, later ones are the nearest."""
    requirements: str = ""
    """Text of a requirements file, of plain lines (`domain.jobs.requirements`) only, installed on top of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    packages: Sequence[str]
    """Requirement specifiers, exact versions."""
    pythons: Sequence[str]
    """Acceptable "3.11" versions, best first."""
    note: str = ""
    """What differs from what the image names; "" when nothing does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A built Python environment. `path` and `base` must be visible to the workload at the same absolute paths."""

    path: Path
    python: Path
    """The interpreter, path/bin/python."""
    base: Path
    """Prefix of the interpreter the environment stands on."""
    site_packages: Path
    python_version: str
    packages: Mapping[str, str]
    """Installed distribution -> version."""
    note: str
    """`Requirements.note` of the alternative taken."""
    requirements: str = ""
    """SHA-256 of `EnvironmentSpec.requirements`, as UTF-8, in hex; "" without them."""


class Environments(Protocol):
    async def is_built(self, spec: EnvironmentSpec) -> bool:
        """Whether `ensure` would only have to look."""
        ...

    async def ensure(self, spec: EnvironmentSpec) -> Environment:
        """Return the environment, building it first if this machine never did (seconds; one build per spec at a time).

        Unavailable with the installer's own words if no alternative, or not the requirements, can be installed. No code
        of a package runs meanwhile: requirements are installed from wheels.
        """
        ...


def handle_document(handle: Handle) -> Document:
    """Return the handle as it is stored."""
    return {"Runtime": handle.runtime, "WorkloadId": handle.workload_id, "Directory": handle.directory}


def handle_from(document: Document) -> Handle:
    """Return the handle a stored document holds."""
    return Handle(runtime=document["Runtime"], workload_id=document["WorkloadId"], directory=document["Directory"])
