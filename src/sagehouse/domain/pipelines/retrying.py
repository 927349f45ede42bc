"""Which failures of a step are tried again, and when."""

from dataclasses import replace

from sagehouse.domain.pipelines.definition import RetryPolicy, Step
from sagehouse.domain.pipelines.execution import StepRun

SERVICE_FAULT, THROTTLING = "Step.SERVICE_FAULT", "Step.THROTTLING"
JOB_INTERNAL_ERROR, CAPACITY_ERROR = "SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR"
RESOURCE_LIMIT = "SageMaker.RESOURCE_LIMIT"

_UNASKED = RetryPolicy(exception_types=(SERVICE_FAULT, THROTTLING), interval_s=1.0, backoff_rate=2.0, max_attempts=5)
"""Faults and throttling are retried without being asked; a step's own policy replaces this one.

Source: SageMaker developer guide, "Retry Policy for Pipeline Steps"; the numbers are the SDK's defaults.
"""


def exception_type_of(reason: str) -> str:
    """Return the exception type a failed job's FailureReason stands for, "" for its own failures."""
    if "CapacityError" in reason:
        return CAPACITY_ERROR
    if "ResourceLimitExceeded" in reason:
        return RESOURCE_LIMIT
    return JOB_INTERNAL_ERROR if reason.startswith("InternalServerError") else ""


def retried(step: Step, run: StepRun, *, exception_type: str, now: float) -> StepRun | None:
    """Return the run waiting for its next attempt, or None if no policy grants one."""
    policy = next((p for p in (*step.retry_policies, _UNASKED) if exception_type in p.exception_types), None)
    if policy is None:
        return None
    count = run.retries.get(exception_type, 0)
    first_failed_at = now if run.first_failed_at is None else run.first_failed_at
    retry_at = now + policy.interval_s * policy.backoff_rate**count
    if policy.max_attempts is not None and count >= policy.max_attempts:
        return None
    if policy.expire_after_s is not None and retry_at > first_failed_at + policy.expire_after_s:
        return None
    return replace(
        run,
        status="Starting",
        child="",
        retries={**run.retries, exception_type: count + 1},
        first_failed_at=first_failed_at,
        retry_at=retry_at,
    )
