"""What was asked for, the same for processing and training jobs: never changes while the job lives.

Made by `training.spec_of` and `processing.spec_of`, which alone know the two kinds' spellings.
"""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sagehouse.domain.jobs.hosts import Cluster
from sagehouse.domain.jobs.phase import Phase
from sagehouse.domain.jobs.remote_function import Caller
from sagehouse.domain.jobs.requirements import Source
from sagehouse.domain.jobs.source import S3Uri
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid

ML_ROOT = "/opt/ml"
"""The job directory as the script sees it."""

Packing: TypeAlias = Literal["tree", "archive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Objects that become files below `path` before the script starts."""

    name: str
    path: str
    uri: S3Uri
    is_manifest: bool = False
    """Whether `uri` is one JSON object that lists the others."""
    is_sharded: bool = False
    """Whether each host gets its own part of the objects."""
    group: str = ""
    """Instance group that gets it; "" for every host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Files below `path` that become objects."""

    path: str
    uri: S3Uri
    """A prefix ending in "/", to which relative names are appended; for an archive, its directory."""
    packing: Packing = "tree"
    archive: str = ""
    """"model.tar.gz" """
    ends: frozenset[Phase]
    """The ends after which it is stored."""
    is_continuous: bool = False
    """Whether files are also stored while the script runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    path: str
    uri: S3Uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    kind: str
    name: str
    arn: str
    image: str
    command: Sequence[str]
    """Entrypoint and arguments; empty when the image's own command runs."""
    arguments: Sequence[str]
    """Appended to the image's own command when there is no entrypoint."""
    cluster: Cluster
    inputs: Sequence[Input]
    outputs: Sequence[Output]
    checkpoint: Checkpoint | None
    environment: Mapping[str, str]
    directories: Sequence[str]
    """Paths inside the job that exist before the script starts."""
    is_network_isolated: bool
    max_runtime_s: float
    log_group: str
    metric_definitions: Sequence[Document]
    source: Source | None = None
    """Where the script is whose requirements are installed before it; None if nobody else can install them."""
    caller: Caller | None = None
    """Who sent the function that is run; None if it is a script."""

    def inputs_of(self, host: str) -> tuple[Input, ...]:
        """Return what one host is given."""
        group = self.cluster.group_of(host).name
        return tuple(one for one in self.inputs if one.group in ("", group))


def whole_inputs(inputs: Sequence[Input]) -> Mapping[str, S3Uri]:
    """Return, by their directory, where those inputs come from that every host gets the whole of."""
    return {one.path: one.uri for one in inputs if not (one.is_manifest or one.is_sharded or one.group)}


def local_path(text: str) -> str:
    """Return a path inside the job, normalised; Invalid unless it is absolute and below the root."""
    path = posixpath.normpath("/" + text.lstrip("/"))
    if not text.startswith("/") or path == "/":
        raise Invalid(f"LocalPath {text!r} is not an absolute path of a directory in the container.")
    return path


def is_below(path: str, root: str) -> bool:
    """Whether an absolute path is `root` or lies below it."""
    return path == root or path.startswith(root.rstrip("/") + "/")
