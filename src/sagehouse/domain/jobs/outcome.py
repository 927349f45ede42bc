"""How a job's workload ended, and what that makes of the job."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from sagehouse.domain.jobs.failure import (
    FailureReason,
    broken_message,
    command_missing,
    disk_full,
    lost,
    not_started,
    out_of_memory,
    script_failed,
    too_many_processes,
)
from sagehouse.domain.jobs.phase import Phase
from sagehouse.kit.document import Document

RUNTIME_EXCEEDED = "MaxRuntimeExceeded"
_NO_COMMAND = frozenset({126, 127})
"""Exit codes of a command that cannot be executed or is not there. Source: POSIX, Shell Command Language, 2.8.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is known once the workload no longer runs; all that later decisions need, so that files may go."""

    reason: str
    """As `ports.runtime.Reason` spells it: "exited", "timed_out", "stopped", "out_of_memory", ..."""
    exit_codes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    detail: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    failure: str = ""
    """The first 1024 characters of /opt/ml/output/failure of the host that failed."""
    last_words: str = ""
    """The last traceback line of the script, from the end of its log; its last lines if no `failure` was left."""
    log: str = ""
    """Group and stream of the host that failed."""
    exit_message: str = ""
    """/opt/ml/output/message of every host, at most 1024 characters."""
    is_message_broken: bool = False
    """The message is no UTF-8."""

    @property
    def exit_code(self) -> int:
        """The code of the host that failed first, the others were stopped because of it; 0 if none failed."""
        return next((code for code in self.exit_codes.values() if code), 0)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            reason=document["Reason"],
            exit_codes={str(host): int(code) for host, code in document["ExitCodes"].items()},
            detail=document["Detail"],
            started_at=document["StartedAt"],
            ended_at=document["EndedAt"],
            failure=document["Failure"],
            last_words=document["LastWords"],
            log=document["Log"],
            exit_message=document["ExitMessage"],
            is_message_broken=document["IsMessageBroken"],
        )

    def to_document(self) -> Document:
        return {
            "Reason": self.reason,
            "ExitCodes": dict(self.exit_codes),
            "Detail": self.detail,
            "StartedAt": self.started_at,
            "EndedAt": self.ended_at,
            "Failure": self.failure,
            "LastWords": self.last_words,
            "Log": self.log,
            "ExitMessage": self.exit_message,
            "IsMessageBroken": self.is_message_broken,
        }


def end_of(outcome: Outcome) -> Phase:
    """Return the phase a job with this outcome ends in once its outputs are stored.

    A script that ended by itself before a stop reached it counts as what it is: completed or failed.
    """
    if outcome.reason in ("stopped", "timed_out"):
        return Phase.STOPPED
    if outcome.reason in ("exited", "") and outcome.exit_codes and not outcome.exit_code:
        return Phase.FAILED if outcome.is_message_broken else Phase.COMPLETED
    return Phase.FAILED


def failure_of(outcome: Outcome) -> FailureReason | None:
    """Return why a job with this outcome failed, None if it did not."""
    if end_of(outcome) is not Phase.FAILED:
        return None
    match outcome.reason:
        case "out_of_memory":
            return out_of_memory()
        case "too_many_processes":
            return too_many_processes(outcome.detail)
        case "disk_full":
            return disk_full(outcome.detail)
        case "failed_to_start":
            no_command = next((code for code in outcome.exit_codes.values() if code in _NO_COMMAND), 0)
            return command_missing(outcome.detail, exit_code=no_command) if no_command else not_started(outcome.detail)
        case "lost":
            return lost()
    if outcome.is_message_broken and not outcome.exit_code:
        return broken_message()
    return script_failed(
        exit_code=outcome.exit_code or 1, failure=outcome.failure, last_words=outcome.last_words, log=outcome.log
    )
