"""What to do next with one job: events in, the next job and actions out.

The controller stores the job first and performs the actions then; every action may be performed again after a crash in
between, so that `decide(job, Loaded(), ...)` of the stored job resumes it at any point of its life. Invariants: an end
never changes; `Launch` is only asked for when the stored phase is RUNNING, so inputs are never laid out under a running
script; a handle, once known, stays.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from sagehouse.domain.jobs.failure import FailureReason, runtime_exceeded
from sagehouse.domain.jobs.job import Job, final_status
from sagehouse.domain.jobs.metrics import FinalMetric
from sagehouse.domain.jobs.outcome import Outcome, end_of, failure_of
from sagehouse.domain.jobs.phase import Phase
from sagehouse.kit.document import Document

# ------------------------------------------------------------------------------------------------------------- events


@dataclass(frozen=True, slots=True)
class Loaded:
    """The job was read from the catalog: new, or found unfinished at start."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """There is no room for it now."""

    message: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """It has its place on this machine."""


@dataclass(frozen=True, slots=True)
class Installing:
    """Its environment is being made, which takes a while."""

    message: str


@dataclass(frozen=True, slots=True)
class Equipped:
    """Its Python environment is ready; `note` says how it differs from what the image names."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Staged:
    """Its directory is complete: inputs, restored checkpoints, places for outputs."""


@dataclass(frozen=True, slots=True)
class Launched:
    """The runtime has its workload."""

    handle: Document


@dataclass(frozen=True, slots=True)
class Ended:
    """Its workload no longer runs, its log is complete."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Collected:
    """What it made is stored."""

    metrics: tuple[FinalMetric, ...] = ()


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Its status became Stopping."""


@dataclass(frozen=True, slots=True)
class Broke:
    """What was under way cannot be done."""

    reason: FailureReason


Preparing: TypeAlias = Waiting | Admitted | Installing | Equipped | Staged
Event: TypeAlias = Loaded | Preparing | Launched | Ended | Collected | StopAsked | Broke

# ------------------------------------------------------------------------------------------------------------ actions


@dataclass(frozen=True, slots=True)
class Admit:
    """Get it a place; answers Admitted, perhaps Waiting before."""


@dataclass(frozen=True, slots=True)
class Equip:
    """Make sure of its environment; answers Equipped."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Lay out its directory from nothing; answers Staged."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Hand its workload to the runtime, which starts it unless it did before; answers Launched."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Wait for its end; answers Ended."""

    handle: Document


@dataclass(frozen=True, slots=True)
class Halt:
    """Begin the stop protocol."""

    handle: Document


@dataclass(frozen=True, slots=True)
class Collect:
    """Store what a job that ends in `end` leaves; answers Collected."""

    end: Phase


@dataclass(frozen=True, slots=True)
class Abandon:
    """Give up whatever is still being prepared for it."""


@dataclass(frozen=True, slots=True)
class Clean:
    """Remove its inputs and what the runtime kept; its end is stored."""

    handle: Document | None


Action: TypeAlias = Admit | Equip | Stage | Launch | Watch | Halt | Collect | Abandon | Clean
Decision: TypeAlias = tuple[Job, tuple[Action, ...]]

# ----------------------------------------------------------------------------------------------------------- decisions


def decide(job: Job, event: Event, *, now: float) -> Decision:
    """Return the job after the event and what must then be done, in order.

    An event that comes too late (an answer to something given up) changes nothing.
    """
    if job.phase.is_end:
        return job, (Clean(job.handle),) if isinstance(event, Loaded) else ()
    match event:
        case Loaded():
            return _resume(job, now=now)
        case StopAsked():
            return _stop(job, now=now)
        case Waiting() | Admitted() | Installing() | Equipped() | Staged():
            return _prepare(job, event, now=now) if job.phase.is_before_running else (job, ())
        case Launched(handle):
            return _launched(job, handle)
        case Ended(outcome):
            return _ended(job, outcome, now=now) if job.phase is Phase.RUNNING else (job, ())
        case Collected(metrics):
            return _collected(job, metrics, now=now) if job.phase is Phase.UPLOADING else (job, ())
        case Broke(reason):
            return _end(job, Phase.FAILED, reason, now=now)
    assert_never(event)


def _resume(job: Job, *, now: float) -> Decision:
    stopping, halt = _stop(job, now=now) if job.is_stopping else (job, ())
    if stopping.phase.is_end:
        return stopping, halt
    if job.phase.is_before_running:
        return job, (Admit(),)
    if job.phase is Phase.UPLOADING:
        return job, (_collect(job),)
    # Without a handle nobody knows whether the script runs: launching again adopts it, and then it can be stopped.
    return stopping, (Watch(job.handle), *halt) if job.handle else (Launch(),)


def _stop(job: Job, *, now: float) -> Decision:
    if job.phase.is_before_running:
        stopped, actions = _end(job, Phase.STOPPED, None, now=now)
        return stopped, (Abandon(), *actions)
    if job.phase is Phase.UPLOADING:
        return job, ()
    halting = job.entering("Stopping", "Stopping the training job", now=now)
    return halting, (Halt(job.handle),) if job.handle else ()


def _prepare(job: Job, event: Preparing, *, now: float) -> Decision:
    match event:
        case Waiting(message):
            return replace(job.entering("Pending", message, now=now), phase=Phase.PENDING), ()
        case Admitted():
            phase = Phase.DOWNLOADING if job.phase is Phase.DOWNLOADING else Phase.STARTING
            if phase is Phase.STARTING:
                job = job.entering("Starting", "Preparing the instances for training", now=now)
            return replace(job, phase=phase), (Equip(),)
        case Installing(message):
            if job.phase is not Phase.STARTING:
                return job, ()  # it was past this before the house was started again
            return job.entering("Starting", f"Preparing the instances for training. {message}", now=now), ()
        case Equipped(note):
            if note and job.transitions:
                job = job.entering(job.transitions[-1].status, f"Preparing the instances for training. {note}", now=now)
            downloading = job.entering("Downloading", "Downloading input data", now=now)
            prepared_at = now if job.prepared_at is None else job.prepared_at
            return replace(downloading, phase=Phase.DOWNLOADING, note=note, prepared_at=prepared_at), (Stage(),)
        case Staged():
            message = "Training image download completed. Training in progress."
            return replace(job.entering("Training", message, now=now), phase=Phase.RUNNING, started_at=now), (Launch(),)


def _launched(job: Job, handle: Document) -> Decision:
    if job.phase is not Phase.RUNNING or job.handle:
        return job, ()
    watch = (Watch(handle), Halt(handle)) if job.is_stopping else (Watch(handle),)
    return replace(job, handle=handle), watch


def _ended(job: Job, outcome: Outcome, *, now: float) -> Decision:
    uploading = job.entering("Uploading", "Uploading generated training model", now=now)
    uploading = replace(
        uploading, phase=Phase.UPLOADING, outcome=outcome, started_at=outcome.started_at or job.started_at
    )
    return uploading, (_collect(uploading),)


def _collect(job: Job) -> Collect:
    assert job.outcome is not None, "a job that uploads has an outcome"
    return Collect(end_of(job.outcome))


def _collected(job: Job, metrics: tuple[FinalMetric, ...], *, now: float) -> Decision:
    assert job.outcome is not None, "a job that uploads has an outcome"
    reason = failure_of(job.outcome)
    if job.has_exceeded_runtime and not job.is_training:
        reason = runtime_exceeded()  # only training jobs have a secondary status that says it
    return _end(replace(job, metrics=metrics), end_of(job.outcome), reason, now=now)


def _end(job: Job, end: Phase, reason: FailureReason | None, *, now: float) -> Decision:
    """End the job. Why its script failed is never covered by what broke afterwards."""
    scripts = failure_of(job.outcome) if job.outcome else None
    told = scripts or reason
    ended = replace(job, phase=end, status=end.value, ended_at=now, failure_reason=str(told) if told else "")
    return ended.ending(final_status(ended), _closing_words(ended), now=now), (Clean(job.handle),)


def _closing_words(job: Job) -> str:
    if job.phase is Phase.COMPLETED:
        return "Training job completed"
    if job.phase is Phase.FAILED:
        return "Training job failed"
    if job.has_exceeded_runtime:
        return "Training job runtime exceeded MaxRuntimeInSeconds provided"
    return "Training job stopped"
