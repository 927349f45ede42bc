"""What happens to an execution, and what is to be done about it: the words between `decide` and its controller."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from sagehouse.domain.pipelines.execution import StepRun
from sagehouse.kit.document import Document

# ----------------------------------------------------------------------------------------------------------- events


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The controller has just loaded the execution: what was begun must be taken up again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAsked:
    """StopPipelineExecution was called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChanged:
    limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed:
    """A moment asked for with `WakeAt` may have come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead:
    """`content` is parsed JSON or `functions.Unreadable`."""

    uri: str
    content: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheAnswered:
    """`source` is the execution whose result may stand in, "" if there is none."""

    step: str
    source: str = ""
    metadata: Document | None = None
    properties: Document | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The child of an attempt exists. `child` is its name, of a model package its ARN."""

    step: str
    attempt: int
    child: str
    arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The child of an attempt could not be created. `exception_type` is "" where retrying is senseless."""

    step: str
    attempt: int
    exception_type: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The child of an attempt has come to its end."""

    step: str
    attempt: int
    outcome: str
    """"Completed", "Failed" or "Stopped"."""
    reason: str
    properties: Document


Event: TypeAlias = (
    Resumed | StopAsked | LimitChanged | TimePassed | FileRead | CacheAnswered | Created | Refused | Ended
)

# ---------------------------------------------------------------------------------------------------------- actions
# Saves come before everything else that is to be done: nothing begins that is not stored.


@dataclass(frozen=True, slots=True, kw_only=True)
class Save:
    run: StepRun


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskCache:
    """Is there a result with this key from `since` (UTC s) or later?"""

    step: str
    key: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember:
    """Keep the result of a step for later executions."""

    run: StepRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Create the child; if one of its name exists and is ours, take it."""

    run: StepRun
    request: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Observe:
    """Look whether the child has ended."""

    run: StepRun


@dataclass(frozen=True, slots=True, kw_only=True)
class StopChild:
    run: StepRun


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeAt:
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    status: str
    reason: str


Action: TypeAlias = Save | ReadFile | AskCache | Remember | Start | Observe | StopChild | WakeAt | Finish
