"""Where in its life a job is: our own words, of which the wire's statuses are a view."""

from enum import StrEnum


class Phase(StrEnum):
    """In order; the last three are the ends and never change."""

    STARTING = "Starting"
    """Created; waits for its place and its Python environment."""
    PENDING = "Pending"
    """There is no room on this machine now."""
    DOWNLOADING = "Downloading"
    """Its inputs are being laid out."""
    RUNNING = "Running"
    """Its workload is about to be started, or was."""
    UPLOADING = "Uploading"
    """Its workload has ended; what it made is being stored."""
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"

    @property
    def is_end(self) -> bool:
        return self in _ENDS

    @property
    def is_before_running(self) -> bool:
        """Whether nothing of the user's has run yet, for certain."""
        return self in _BEFORE_RUNNING


_ENDS = frozenset({Phase.COMPLETED, Phase.FAILED, Phase.STOPPED})
_BEFORE_RUNNING = frozenset({Phase.STARTING, Phase.PENDING, Phase.DOWNLOADING})
