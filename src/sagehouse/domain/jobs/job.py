"""How far one job is: the part of its document that changes while it lives.

Converted once from the stored document and once back; `decide.py` makes the next one of it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from sagehouse.domain.jobs.metrics import FinalMetric
from sagehouse.domain.jobs.outcome import RUNTIME_EXCEEDED, Outcome
from sagehouse.domain.jobs.phase import Phase
from sagehouse.domain.lifecycle import PROCESSING_JOB, TRAINING_JOB, Lifecycle
from sagehouse.kit.document import Document

LIFECYCLES: Mapping[str, Lifecycle] = {TRAINING_JOB.kind: TRAINING_JOB, PROCESSING_JOB.kind: PROCESSING_JOB}
STOPPING = "Stopping"
_ENDS = frozenset({"Completed", "Failed", "Stopped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One entry of SecondaryStatusTransitions."""

    status: str
    started_at: float
    ended_at: float | None = None
    message: str = ""

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            status=document["Status"],
            started_at=document["StartTime"],
            ended_at=document.get("EndTime"),
            message=document.get("StatusMessage", ""),
        )

    def to_document(self) -> Document:
        ended = {} if self.ended_at is None else {"EndTime": self.ended_at}
        return {"Status": self.status, "StartTime": self.started_at, **ended, "StatusMessage": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`status` is the wire's and may be changed to Stopping by others; everything else only by `decide`."""

    kind: str
    name: str
    status: str
    phase: Phase
    created_at: float
    note: str = ""
    """How the environment differs from what the image names; told in the log and the status message."""
    prepared_at: float | None = None
    """When the job began to occupy its machine: the start of what is billed."""
    started_at: float | None = None
    """When the script began."""
    ended_at: float | None = None
    handle: Document | None = None
    """The stored pointer to the started workload; None before it is known to be started."""
    outcome: Outcome | None = None
    failure_reason: str = ""
    transitions: Sequence[Transition] = ()
    metrics: Sequence[FinalMetric] = ()

    @property
    def lifecycle(self) -> Lifecycle:
        return LIFECYCLES[self.kind]

    @property
    def is_training(self) -> bool:
        return self.kind == TRAINING_JOB.kind

    @property
    def is_stopping(self) -> bool:
        return self.status == STOPPING

    @property
    def has_exceeded_runtime(self) -> bool:
        return self.outcome is not None and self.outcome.reason == "timed_out"

    def entering(self, status: str, message: str, *, now: float) -> Self:
        """Return the job with a new last secondary status; the same status again only changes its message."""
        past = list(self.transitions)
        if past and past[-1].status == status:
            past[-1] = replace(past[-1], message=message)
        else:
            if past and past[-1].ended_at is None:
                past[-1] = replace(past[-1], ended_at=now)
            past.append(Transition(status=status, started_at=now, message=message))
        return replace(self, transitions=tuple(past))

    def ending(self, status: str, message: str, *, now: float) -> Self:
        """Return the job with its final secondary status, which ends when it begins."""
        entered = self.entering(status, message, now=now)
        past = [*entered.transitions[:-1], replace(entered.transitions[-1], ended_at=now)]
        return replace(entered, transitions=tuple(past))

    @classmethod
    def from_document(cls, lifecycle: Lifecycle, document: Document) -> Self:
        """Return the job of a stored document; one that was only just created is STARTING."""
        status = document[lifecycle.status_member]
        outcome = document.get("_Outcome")
        return cls(
            kind=lifecycle.kind,
            name=document[f"{lifecycle.kind}Name"],
            status=status,
            phase=Phase(status) if status in _ENDS else Phase(document.get("_Phase", Phase.STARTING)),
            created_at=document["CreationTime"],
            note=document.get("_Note", ""),
            prepared_at=document.get("_PreparedAt"),
            started_at=document.get("_StartedAt"),
            ended_at=document.get("TrainingEndTime") or document.get("ProcessingEndTime"),
            handle=document.get("_Handle"),
            outcome=Outcome.from_document(outcome) if outcome else None,
            failure_reason=document.get("FailureReason", ""),
            transitions=tuple(map(Transition.from_document, document.get("SecondaryStatusTransitions", ()))),
            metrics=tuple(map(FinalMetric.from_document, document.get("FinalMetricDataList", ()))),
        )

    def to_document(self, document: Document, *, now: float) -> Document:
        """Return the stored document brought up to date with this job."""
        known: Document = {
            "_Phase": self.phase.value,
            "_Note": self.note,
            "_PreparedAt": self.prepared_at,
            "_StartedAt": self.started_at,
            "_Handle": self.handle,
            "_Outcome": self.outcome.to_document() if self.outcome else None,
            "FailureReason": self.failure_reason or None,
            "LastModifiedTime": now,
        }
        known |= self._training_members(document) if self.is_training else self._processing_members()
        merged = {**document, **known}
        return {member: value for member, value in merged.items() if value is not None}

    def _training_members(self, document: Document) -> Document:
        members: Document = {
            "SecondaryStatus": self.transitions[-1].status if self.transitions else "Starting",
            "SecondaryStatusTransitions": [transition.to_document() for transition in self.transitions],
            "TrainingStartTime": self.prepared_at,
            "TrainingEndTime": self.ended_at,
        }
        if self.metrics:
            members["FinalMetricDataList"] = [metric.to_document() for metric in self.metrics]
        if self.phase.is_end and self.prepared_at is not None and self.ended_at is not None:
            members["TrainingTimeInSeconds"] = billable_s(self.prepared_at, self.ended_at)
            members["BillableTimeInSeconds"] = members["TrainingTimeInSeconds"]
        if self.phase in (Phase.COMPLETED, Phase.STOPPED) and self.started_at is not None:
            members["ModelArtifacts"] = {"S3ModelArtifacts": model_uri(document)}
        return members

    def _processing_members(self) -> Document:
        message = self.outcome.exit_message if self.outcome else ""
        return {
            "ProcessingStartTime": self.started_at,
            "ProcessingEndTime": self.ended_at,
            "ExitMessage": message or None,
        }


def billable_s(started_at: float, ended_at: float) -> int:
    """Return whole seconds, at least one, as AWS counts them."""
    return max(1, math.ceil(ended_at - started_at))


def output_prefix(document: Document) -> str:
    """Return the S3 URI, with a closing "/", under which AWS stores what a training job makes."""
    path: str = document["OutputDataConfig"]["S3OutputPath"]
    return f"{path.rstrip('/')}/{document['TrainingJobName']}/output/"


def is_compressed(document: Document) -> bool:
    """Whether a training job's outputs become archives, as they do unless CompressionType is NONE."""
    return str(document["OutputDataConfig"].get("CompressionType", "GZIP")) != "NONE"


def model_uri(document: Document) -> str:
    """Return ModelArtifacts.S3ModelArtifacts of a training job."""
    return output_prefix(document) + ("model.tar.gz" if is_compressed(document) else "model/")


def final_status(job: Job) -> str:
    """Return the secondary status a job that has ended shows."""
    if job.phase is Phase.STOPPED and job.has_exceeded_runtime:
        return RUNTIME_EXCEEDED
    return job.phase.value
