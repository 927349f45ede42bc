"""Which status may follow which: one table per lifecycle, the wire spelling throughout.

Terminal statuses have no moves. `resources.transition` is the only writer of a status and asks here first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    kind: str
    status_member: str
    """The document's member that spells the status: "TrainingJobStatus"."""
    moves: Mapping[str, frozenset[str]]
    """Status -> the statuses that may follow it. A status may always be kept (a change of the document alone)."""

    def may_move(self, status: str, to: str) -> bool:
        return to == status or to in self.moves.get(status, frozenset())

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Statuses something still has to happen to."""
        return tuple(status for status, following in self.moves.items() if following)


def _moves(**table: str) -> Mapping[str, frozenset[str]]:
    return MappingProxyType({status: frozenset(following.split()) for status, following in table.items()})


_JOB = _moves(
    InProgress="Completed Failed Stopping Stopped",
    Stopping="Stopped Completed Failed",
    Completed="",
    Failed="",
    Stopped="",
)

TRAINING_JOB = Lifecycle(kind="TrainingJob", status_member="TrainingJobStatus", moves=_JOB)
PROCESSING_JOB = Lifecycle(kind="ProcessingJob", status_member="ProcessingJobStatus", moves=_JOB)
TRANSFORM_JOB = Lifecycle(kind="TransformJob", status_member="TransformJobStatus", moves=_JOB)

ENDPOINT = Lifecycle(
    kind="Endpoint",
    status_member="EndpointStatus",
    moves=_moves(
        Creating="InService Failed Deleting",
        InService="Updating SystemUpdating RollingBack Deleting Failed",
        Updating="InService Failed RollingBack UpdateRollbackFailed Deleting",
        SystemUpdating="InService Failed Deleting",
        RollingBack="InService Failed UpdateRollbackFailed Deleting",
        Failed="Deleting Updating",
        UpdateRollbackFailed="Deleting",
        Deleting="Failed",
    ),
)

PIPELINE_EXECUTION = Lifecycle(
    kind="PipelineExecution",
    status_member="PipelineExecutionStatus",
    moves=_moves(
        Executing="Succeeded Failed Stopping Stopped",
        Stopping="Stopped Failed Succeeded",
        Stopped="Executing",
        Failed="Executing",
        Succeeded="",
    ),
)
