"""One job as a test wants it."""

from dataclasses import replace

from sagehouse.domain.jobs.job import Job, Transition
from sagehouse.domain.jobs.outcome import Outcome
from sagehouse.domain.jobs.phase import Phase

HANDLE = {"Runtime": "process", "WorkloadId": "training-job-1", "Directory": "/jobs/training-job-1/run"}


def a_job(**changes) -> Job:
    job = Job(
        kind="TrainingJob",
        name="job",
        status="InProgress",
        phase=Phase.STARTING,
        created_at=0.0,
        transitions=(Transition(status="Starting", started_at=0.0, message="Starting the training job"),),
    )
    return replace(job, **changes)


def an_outcome(code: int = 0, reason: str = "exited", **changes) -> Outcome:
    return Outcome(**{"reason": reason, "exit_codes": {"algo-1": code}, "started_at": 5.0, "ended_at": 9.0, **changes})
