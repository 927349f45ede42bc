"""How much to measure: what the promises say, or so little that only the benchmarks' own working is tested."""

from dataclasses import dataclass

MB = 1024 * 1024
GB = 1024 * MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    is_tiny: bool
    starts: int
    """House starts, imports."""
    jobs: int
    """Jobs whose median is taken, after one that warms up."""
    channel_objects: int
    channel_bytes: int
    stored_jobs: int
    requests: int
    """Requests per operation and server."""
    transfer_bytes: int
    transfers: int
    flat_bytes: int
    """The upload during which the server's memory is watched."""


FULL = Sizes(
    is_tiny=False,
    starts=7,
    jobs=15,
    channel_objects=1000,
    channel_bytes=2 * GB,
    stored_jobs=10_000,
    requests=200,
    transfer_bytes=GB,
    transfers=5,
    flat_bytes=GB,
)
TINY = Sizes(
    is_tiny=True,
    starts=1,
    jobs=1,
    channel_objects=4,
    channel_bytes=4 * MB,
    stored_jobs=150,
    requests=3,
    transfer_bytes=20 * MB,
    transfers=1,
    flat_bytes=20 * MB,
)
