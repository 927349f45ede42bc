"""An execution as the decisions see it: the plan, what is known from outside, and every step that has begun."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from sagehouse.domain.lifecycle import Lifecycle
from sagehouse.domain.pipelines.checking import Plan
from sagehouse.domain.pipelines.functions import PropertyFile, Scope, Shape
from sagehouse.kit.document import Document

STEP = Lifecycle(
    kind="PipelineExecutionStep",
    status_member="StepStatus",
    moves=MappingProxyType(
        {
            status: frozenset(following.split())
            for status, following in {
                "Starting": "Executing Stopping Stopped Failed Succeeded",
                "Executing": "Starting Stopping Stopped Failed Succeeded",
                "Stopping": "Stopped Failed Succeeded",
                "Stopped": "Starting Failed Succeeded",
                "Failed": "Starting Stopped Succeeded",
                "Succeeded": "",
            }.items()
        }
    ),
)
"""Failed and Stopped steps begin again when the execution is retried, and end as they end."""

UNFINISHED_STEPS = frozenset({"Starting", "Executing", "Stopping"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What never changes during an execution."""

    pipeline_name: str
    pipeline_arn: str
    id: str
    arn: str
    started_at: float
    parameters: Mapping[str, Any]
    experiment: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """PipelineExperimentConfig with its functions resolved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """A step that has begun, in its latest attempt."""

    name: str
    status: str
    started_at: float
    attempt: int = 1
    """Counts over retries of the step and of the execution: a child's name holds it, so no name is used twice."""
    round: int = 0
    """How often the execution had been retried when the step began."""
    ended_at: float | None = None
    child: str = ""
    """Name of the job or model; of a model package the ARN, once known."""
    request: Document = field(default_factory=dict)
    """The resolved arguments; kept until the step ends, so that a crash or a retry changes nothing."""
    reason: str = ""
    metadata: Document = field(default_factory=dict)
    properties: Document = field(default_factory=dict)
    """Describe result of the child, once it has ended well."""
    cache_key: str = ""
    cached_from: str = ""
    """ARN of the execution whose result was taken."""
    selected_from: str = ""
    """ARN of the execution that lends its result to a selective execution."""
    retries: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Exception type -> retries so far."""
    first_failed_at: float | None = None
    retry_at: float | None = None
    """When the next attempt is due; the step has no child meanwhile."""

    def to_document(self) -> Document:
        """Return the step as ListPipelineExecutionSteps shows it, with what only the house needs under "_"."""
        document: Document = {
            "StepName": self.name,
            "StartTime": self.started_at,
            "StepStatus": self.status,
            "AttemptCount": self.attempt,
            "Metadata": self.metadata,
            "_round": self.round,
            "_child": self.child,
            "_request": self.request,
            "_properties": self.properties,
            "_cache_key": self.cache_key,
            "_retries": dict(self.retries),
            "_first_failed_at": self.first_failed_at,
            "_retry_at": self.retry_at,
        }
        if self.ended_at is not None:
            document["EndTime"] = self.ended_at
        if self.reason:
            document["FailureReason"] = self.reason
        if self.cached_from:
            document["CacheHitResult"] = {"SourcePipelineExecutionArn": self.cached_from}
        if self.selected_from:
            document["SelectiveExecutionResult"] = {"SourcePipelineExecutionArn": self.selected_from}
        return document

    @classmethod
    def from_document(cls, document: Document) -> "StepRun":
        return cls(
            name=document["StepName"],
            status=document["StepStatus"],
            started_at=document["StartTime"],
            attempt=document["AttemptCount"],
            round=document["_round"],
            ended_at=document.get("EndTime"),
            child=document["_child"],
            request=document["_request"],
            reason=document.get("FailureReason", ""),
            metadata=document["Metadata"],
            properties=document["_properties"],
            cache_key=document["_cache_key"],
            cached_from=document.get("CacheHitResult", {}).get("SourcePipelineExecutionArn", ""),
            selected_from=document.get("SelectiveExecutionResult", {}).get("SourcePipelineExecutionArn", ""),
            retries=document["_retries"],
            first_failed_at=document["_first_failed_at"],
            retry_at=document["_retry_at"],
        )


@dataclass(slots=True, kw_only=True)
class Execution:
    """An execution under way. `decide` works on a copy: a given Execution never changes.

    Invariants: a step is in exactly one of `waiting`, `ready`, `gathering`, `runs` and `skipped` (a step that has run
    in an earlier round and waits for its turn again is in `runs` and in one of the first three); `open` counts the
    steps that are neither ended in this round nor skipped.
    """

    plan: Plan
    facts: Facts
    shapes: Mapping[str, Shape | None]
    """Operation -> its input shape: how the results of functions must be spelled."""
    limit: int | None = None
    """Steps that may run at the same time."""
    round: int = 0
    selected: frozenset[str] | None = None
    """Steps of a selective execution; None runs all."""
    stopping: bool = False
    halted: bool = False
    """A Fail step was reached: nothing new begins."""
    runs: dict[str, StepRun] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    """Step -> how many of its needs have not succeeded yet."""
    ready: deque[str] = field(default_factory=deque)
    decisions: deque[str] = field(default_factory=deque)
    """Ready steps that take no time (conditions, failures) and no slot."""
    gathering: dict[str, frozenset[str]] = field(default_factory=dict)
    """Step -> files it waits for before its arguments can be resolved; empty: it waits for the cache's answer."""
    cache_misses: set[str] = field(default_factory=set)
    files: dict[str, Any] = field(default_factory=dict)
    asked_files: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    retrying: set[str] = field(default_factory=set)
    """Those running steps that wait for the moment of their next attempt."""
    skipped: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    """Steps that ended without success in this round, in the order of their end."""
    open: int = 0
    last_started_at: float = 0.0
    property_files: Mapping[tuple[str, str], PropertyFile] = field(default_factory=dict)

    def copy(self) -> "Execution":
        """Return an equal execution that shares no container with this one. Costs no work per step in Python."""
        return replace(
            self,
            runs=self.runs.copy(),
            waiting=self.waiting.copy(),
            ready=self.ready.copy(),
            decisions=self.decisions.copy(),
            gathering=self.gathering.copy(),
            cache_misses=self.cache_misses.copy(),
            files=self.files.copy(),
            asked_files=self.asked_files.copy(),
            running=self.running.copy(),
            retrying=self.retrying.copy(),
            skipped=self.skipped.copy(),
            failed=self.failed.copy(),
        )

    def scope(self, variables: Mapping[str, Any], needs: frozenset[str]) -> Scope:
        """Return where a step's references find their values."""
        return Scope(
            parameters=self.facts.parameters,
            execution=variables,
            experiment=self.facts.experiment,
            properties={name: self.runs[name].properties for name in needs if name in self.runs},
            property_files=self.property_files,
            files=self.files,
        )
