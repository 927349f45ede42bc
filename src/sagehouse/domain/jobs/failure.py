"""Why a job failed, in the words and with the prefix AWS gives it.

A failed job is not an exception: it is a `FailureReason` that ends with the script's last words and where the log is.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Fault: TypeAlias = Literal["AlgorithmError", "ClientError", "InternalServerError"]

MAX_CHARACTERS = 1024
"""Of FailureReason and ExitMessage. Source: botocore, sagemaker, shapes FailureReason and ExitMessage."""
_MAX_WORDS = 400
"""Of the last words told beside a failure file, so that something of both is told."""
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt|Warning)(:|$)")
"""What a frame without a line of source is followed by; no statement looks like it."""
_LOG_TAIL = 4
"""Lines quoted when the end of the log holds no traceback."""
_QUOTED_CHARACTERS = 600
"""Of those lines together; earlier ones give way, so that the very last is always told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureReason:
    """Whose fault it is, and what happened."""

    fault: Fault
    text: str

    def __str__(self) -> str:
        return f"{self.fault}: {self.text}"[:MAX_CHARACTERS]


def script_failed(*, exit_code: int, failure: str, last_words: str, log: str) -> FailureReason:
    """Return AlgorithmError: what the script left in /opt/ml/output/failure, and its last words if not among that.

    A launcher around the script (SDK 3.x's driver) only leaves that its command returned 1. The text is shortened so
    that the exit code and the place of the log are always there, and of the last words as much as fits.
    Source: SageMaker developer guide, "How Amazon SageMaker signals algorithm success or failure".
    """
    ending = f", exit code: {exit_code}"
    if log:
        ending += f". See the log: {log}"
    said, words = failure.strip(), last_words.strip()
    if said and words and words not in said:
        ending = f". The log's last traceback: {words[:_MAX_WORDS]}{ending}"
    said = said or words or "the script ended without a word"
    room = MAX_CHARACTERS - len("AlgorithmError: ") - len(ending)
    return FailureReason(fault="AlgorithmError", text=said[:room].rstrip(" .\n") + ending)


def out_of_memory() -> FailureReason:
    text = (
        "Please use an instance type with more memory, or reduce the size of job data processed on an instance. "
        "The job's processes were killed when they used more memory than they may."
    )
    return FailureReason(fault="ClientError", text=text)


def too_many_processes(detail: str) -> FailureReason:
    text = f"The job was ended because it started more processes and threads than it may. {detail}".strip()
    return FailureReason(fault="AlgorithmError", text=text)


def disk_full(detail: str) -> FailureReason:
    text = "The disk is full (No space left on device). Please free space or write less data, then run the job again."
    return FailureReason(fault="ClientError", text=f"{text} {detail}".strip())


def path_too_long() -> FailureReason:
    text = "What the job was given or has left lies deeper, or has longer names, than a path of this machine may have."
    return FailureReason(fault="ClientError", text=f"{text} Use fewer directories in each other, or shorter names.")


def not_started(detail: str) -> FailureReason:
    return FailureReason(fault="InternalServerError", text=f"The job could not be started here. {detail}".strip())


def command_missing(detail: str, *, exit_code: int) -> FailureReason:
    """Return the fault of the job's own entrypoint: no internal error, which pipelines would try again."""
    text = f"The command of the job could not be run. {detail}".rstrip(". ")
    return FailureReason(fault="AlgorithmError", text=f"{text}, exit code: {exit_code}")


def lost() -> FailureReason:
    text = (
        "We encountered an internal error. Please try again. "
        "The job's supervisor vanished without a word: the machine was restarted, or it was killed."
    )
    return FailureReason(fault="InternalServerError", text=text)


def internal(text: str) -> FailureReason:
    return FailureReason(
        fault="InternalServerError", text=f"We encountered an internal error. Please try again. {text}"
    )


def refused(text: str) -> FailureReason:
    return FailureReason(fault="ClientError", text=text)


def runtime_exceeded() -> FailureReason:
    return refused("Processing job runtime exceeded MaxRuntimeInSeconds provided")


def broken_message() -> FailureReason:
    return FailureReason(fault="ClientError", text="/opt/ml/output/message is not UTF-8 encoded.")


def empty_input(*, uri: str, region: str) -> FailureReason:
    """Return AWS's words for an input prefix under which there is nothing."""
    text = (
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists in '
        f"the selected region ({region}), that objects exist under that S3 prefix, and that the role may list it."
    )
    return FailureReason(fault="ClientError", text=text)


def last_words(lines: Iterable[str]) -> str:
    """Return the line that says what went wrong in the end of a Python script's log.

    The last line of the last traceback ("ValueError: no such column"); when there is none, the last lines that are not
    empty, joined. "" for an empty log.
    """
    told = [line.rstrip() for line in lines if line.strip()]
    return last_traceback(told) or _quoted([line.strip() for line in told[-_LOG_TAIL:]])


def _quoted(lines: list[str]) -> str:
    while len(lines) > 1 and sum(map(len, lines)) > _QUOTED_CHARACTERS:
        lines = lines[1:]
    return " ".join(lines)


def last_traceback(lines: Iterable[str]) -> str:
    """Return the last line of the last traceback in a log, "" when there is no traceback."""
    told = [line.rstrip() for line in lines if line.strip()]
    opened = max(
        (at for at, line in enumerate(told) if line.startswith("Traceback (most recent call last)")), default=-1
    )
    if opened < 0:
        return ""
    return _raised(told[opened + 1 :]) or told[-1].strip()


def _raised(lines: Sequence[str]) -> str:
    """Return the first line after the frames of a traceback, whether they are indented or not.

    SDK 3.x's driver strips every line of the script, so that a frame is a line `File "...` and a line of source.
    """
    is_source = False
    for line in lines:
        if line.startswith((" ", "\t", "#011", "Traceback ", "[Previous line repeated")) or not line.strip("~^ "):
            continue
        if line.startswith('File "'):
            is_source = True
        elif is_source and not _EXCEPTION.match(line):
            is_source = False
        else:
            return line
    return ""
