"""What to do next with a job: every event in every phase."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.domain_jobs.builders import HANDLE, a_job, an_outcome

from sagehouse.domain.jobs.decide import (
    Abandon,
    Admit,
    Admitted,
    Broke,
    Clean,
    Collect,
    Collected,
    Ended,
    Equip,
    Equipped,
    Halt,
    Installing,
    Launch,
    Launched,
    Loaded,
    Stage,
    Staged,
    StopAsked,
    Waiting,
    Watch,
    decide,
)
from sagehouse.domain.jobs.failure import internal
from sagehouse.domain.jobs.job import Job
from sagehouse.domain.jobs.phase import Phase
from sagehouse.domain.lifecycle import TRAINING_JOB

WHOLE_LIFE = [
    (Admitted(), (Equip(),)),
    (Equipped(), (Stage(),)),
    (Staged(), (Launch(),)),
    (Launched(HANDLE), (Watch(HANDLE),)),
    (Ended(an_outcome()), (Collect(Phase.COMPLETED),)),
    (Collected(), (Clean(HANDLE),)),
]
RESUMED = [(Admit(),), (Admit(),), (Launch(),), (Watch(HANDLE),), (Collect(Phase.COMPLETED),), (Clean(HANDLE),)]


def stored(job: Job) -> Job:
    """The job after a restart: what its document remembers."""
    document = {"TrainingJobName": "job", "TrainingJobStatus": job.status, "CreationTime": 0.0}
    document["OutputDataConfig"] = {"S3OutputPath": "s3://b/o"}
    return Job.from_document(TRAINING_JOB, job.to_document(document, now=1.0))


def test_a_job_whose_environment_is_being_made_says_so_and_waits():
    job, _ = decide(a_job(), Admitted(), now=1.0)
    told, actions = decide(job, Installing("Installing numpy"), now=2.0)
    assert (told.phase, actions) == (Phase.STARTING, ())
    assert (told.transitions[-1].status, told.transitions[-1].message) == (
        "Starting",
        "Preparing the instances for training. Installing numpy",
    )
    downloading, _ = decide(told, Equipped(), now=3.0)
    assert decide(downloading, Installing("again, after a restart"), now=4.0) == (downloading, ())


def test_a_life_without_incident_asks_for_one_thing_after_the_other():
    job, now = a_job(), 0.0
    assert decide(job, Loaded(), now=now) == (job, (Admit(),))
    for event, expected in WHOLE_LIFE:
        now += 1.0
        job, actions = decide(job, event, now=now)
        assert actions == expected
    assert (job.phase, job.status) == (Phase.COMPLETED, "Completed")
    assert [(one.status, one.started_at, one.ended_at) for one in job.transitions] == [
        ("Starting", 0.0, 2.0),
        ("Downloading", 2.0, 3.0),
        ("Training", 3.0, 5.0),
        ("Uploading", 5.0, 6.0),
        ("Completed", 6.0, 6.0),
    ]


def test_after_a_crash_anywhere_the_stored_job_resumes_with_the_action_that_was_lost():
    job = a_job()
    for (event, _), resumed in zip(WHOLE_LIFE, RESUMED, strict=True):
        job, _ = decide(job, event, now=1.0)
        assert stored(job) == job
        assert decide(stored(job), Loaded(), now=2.0) == (job, resumed)


def test_inputs_are_never_laid_out_again_once_a_launch_may_have_happened():
    launched = a_job(phase=Phase.RUNNING)
    _, actions = decide(launched, Loaded(), now=1.0)
    assert actions == (Launch(),)
    assert decide(launched, Staged(), now=1.0) == (launched, ())


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.PENDING, Phase.DOWNLOADING])
def test_a_job_that_has_not_run_stops_at_once(phase):
    job, actions = decide(a_job(phase=phase, status="Stopping"), StopAsked(), now=3.0)
    assert (job.phase, job.status, job.ended_at) == (Phase.STOPPED, "Stopped", 3.0)
    assert actions == (Abandon(), Clean(None))


def test_a_running_job_is_halted_and_one_being_launched_as_soon_as_it_is_known():
    running = a_job(phase=Phase.RUNNING, handle=HANDLE, status="Stopping")
    job, actions = decide(running, StopAsked(), now=3.0)
    assert (job.phase, actions) == (Phase.RUNNING, (Halt(HANDLE),))
    assert job.transitions[-1].status == "Stopping"
    launching = replace(running, handle=None)
    waiting, actions = decide(launching, StopAsked(), now=3.0)
    assert actions == ()
    assert decide(waiting, Launched(HANDLE), now=4.0)[1] == (Watch(HANDLE), Halt(HANDLE))


def test_a_job_found_stopping_after_a_restart_is_watched_and_halted():
    job = a_job(phase=Phase.RUNNING, handle=HANDLE, status="Stopping")
    assert decide(job, Loaded(), now=3.0)[1] == (Watch(HANDLE), Halt(HANDLE))
    assert decide(replace(job, handle=None), Loaded(), now=3.0)[1] == (Launch(),)


@pytest.mark.parametrize(
    ("outcome", "end", "secondary"),
    [
        (an_outcome(0), Phase.COMPLETED, "Completed"),
        (an_outcome(1), Phase.FAILED, "Failed"),
        (an_outcome(143, "stopped"), Phase.STOPPED, "Stopped"),
        (an_outcome(0, "stopped"), Phase.STOPPED, "Stopped"),
        (an_outcome(143, "timed_out"), Phase.STOPPED, "MaxRuntimeExceeded"),
        (an_outcome(137, "out_of_memory"), Phase.FAILED, "Failed"),
        (an_outcome(0, "lost"), Phase.FAILED, "Failed"),
        (an_outcome(0, "exited", exit_codes={}), Phase.FAILED, "Failed"),
        (an_outcome(0, "exited", exit_codes={"algo-1": 0, "algo-2": 3}), Phase.FAILED, "Failed"),
    ],
)
def test_how_the_workload_ended_is_how_the_job_ends(outcome, end, secondary):
    uploading, actions = decide(a_job(phase=Phase.RUNNING, handle=HANDLE), Ended(outcome), now=9.0)
    assert actions == (Collect(end),)
    ended, _ = decide(uploading, Collected(), now=10.0)
    assert (ended.phase, ended.status, ended.transitions[-1].status) == (end, end.value, secondary)
    assert bool(ended.failure_reason) is (end is Phase.FAILED)


def test_why_the_script_failed_is_not_covered_by_what_broke_afterwards():
    uploading, _ = decide(
        a_job(phase=Phase.RUNNING, handle=HANDLE), Ended(an_outcome(1, last_words="KeyError: 'x'")), now=9.0
    )
    ended, actions = decide(uploading, Broke(internal("the disk")), now=10.0)
    assert ended.failure_reason == "AlgorithmError: KeyError: 'x', exit code: 1"
    assert actions == (Clean(HANDLE),)


def test_what_broke_is_the_reason_of_a_job_whose_script_succeeded():
    uploading, _ = decide(a_job(phase=Phase.RUNNING, handle=HANDLE), Ended(an_outcome(0)), now=9.0)
    ended, _ = decide(uploading, Broke(internal("The disk.")), now=10.0)
    assert ended.failure_reason.endswith("The disk.")


EVENTS = st.sampled_from(
    [
        Loaded(),
        Waiting("wait"),
        Admitted(),
        Equipped(),
        Equipped("nearest"),
        Staged(),
        Launched(HANDLE),
        Ended(an_outcome(0)),
        Ended(an_outcome(1)),
        Ended(an_outcome(143, "stopped")),
        Collected(),
        StopAsked(),
        Broke(internal("broken")),
        "stop",
        "crash",
    ]
)


@given(st.lists(EVENTS, max_size=30), st.sampled_from(["TrainingJob", "ProcessingJob"]))
def test_whatever_happens_in_whatever_order_the_invariants_hold(events, kind):
    job = a_job(kind=kind)
    for now, happens in enumerate(events, start=1):
        if happens == "stop":
            job = replace(job, status="Stopping") if job.status == "InProgress" else job
            continue
        if happens == "crash":
            job = stored(job) if kind == "TrainingJob" else job
        event = Loaded() if happens == "crash" else happens
        before = job
        job, actions = decide(before, event, now=float(now))
        assert job.lifecycle.may_move(before.status, job.status)
        if before.phase.is_end:
            assert job == before
        if before.handle:
            assert job.handle == before.handle
        if Launch() in actions:
            assert job.phase is Phase.RUNNING
            assert job.handle is None
        if Stage() in actions or Equip() in actions:
            assert job.phase.is_before_running
        assert job.phase.is_end is (job.status in ("Completed", "Failed", "Stopped"))
        assert job.phase.is_end is any(isinstance(action, Clean) for action in actions) or before.phase.is_end
        assert all(one.ended_at is not None for one in job.transitions[:-1])
        times = [one.started_at for one in job.transitions]
        assert times == sorted(times)
