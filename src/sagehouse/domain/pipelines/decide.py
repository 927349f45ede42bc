"""The executor: what an execution does next, given what has happened.

Pure and replayable: the same execution, events and time give the same actions, and everything begun is saved before
it is performed, so that a crash between the two repeats it under the same name. Work per event is the work of the
steps the event touches.

A failed step keeps what depends on it from running; branches that do not depend on it go on, and the execution fails
once nothing runs any more. A Fail step lets nothing new begin. Source: FailureReason "Step failure: One or multiple
steps failed." of DescribePipelineExecution; developer guide, "Fail step".
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sagehouse.domain.pipelines import events as ev
from sagehouse.domain.pipelines.caching import cache_key
from sagehouse.domain.pipelines.checking import Plan
from sagehouse.domain.pipelines.conditions import all_hold
from sagehouse.domain.pipelines.definition import Step
from sagehouse.domain.pipelines.execution import Execution, Facts, StepRun
from sagehouse.domain.pipelines.frontier import abandon, admit, succeeded, unsuccessful
from sagehouse.domain.pipelines.functions import Shape, files_needed, resolve, spell
from sagehouse.domain.pipelines.naming import child_name, child_tags, client_token, iso_time, with_tags
from sagehouse.domain.pipelines.retrying import exception_type_of, retried
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid

_MAX_REASON = 1024
"""Characters of a step's FailureReason. Source: the service model."""
_MAX_EXECUTION_REASON = 1300
_TICK_S = 1e-6
"""Steps that begin at the same moment are kept apart by this, so that lists keep the order in which they began."""


def begin(
    plan: Plan,
    facts: Facts,
    shapes: Mapping[str, Shape | None],
    *,
    runs: Iterable[StepRun] = (),
    limit: int | None = None,
    round: int = 0,  # noqa: A002 - the word of the documents
    selected: frozenset[str] | None = None,
    stopping: bool = False,
) -> Execution:
    """Return an execution as it stands after these runs; a new one has none."""
    steps = plan.definition.steps
    execution = Execution(
        plan=plan,
        facts=facts,
        shapes=shapes,
        limit=limit,
        round=round,
        selected=selected,
        stopping=stopping,
        runs={run.name: run for run in runs},
        waiting={name: len(needs) for name, needs in plan.needs.items()},
        open=len(steps),
        property_files={(step.name, file.name): file for step in steps.values() for file in step.property_files},
    )
    execution.last_started_at = max((run.started_at for run in execution.runs.values()), default=0.0)
    for name, count in list(execution.waiting.items()):
        if count == 0 and name in execution.waiting:
            admit(execution, name)
    return execution


def decide(execution: Execution, events: Iterable[ev.Event], now: float) -> tuple[Execution, list[ev.Action]]:
    """Return the execution after these events and what is to be done, saves first.

    Events of an attempt that is over are ignored: they come late or twice.
    """
    turn = _Turn(execution.copy(), now)
    for event in events:
        turn.take(event)
    turn.advance()
    return turn.execution, turn.actions()


class _Turn:
    """One call of `decide`: the execution being changed and the actions gathered so far."""

    def __init__(self, execution: Execution, now: float) -> None:
        self.execution = execution
        self.now = now
        self._saves: dict[str, StepRun] = {}
        self._others: list[ev.Action] = []

    def actions(self) -> list[ev.Action]:
        return [*(ev.Save(run=run) for run in self._saves.values()), *self._others]

    # ------------------------------------------------------------------------------------------------------ events

    def take(self, event: ev.Event) -> None:
        match event:
            case ev.Resumed():
                self._resume()
            case ev.StopAsked():
                self._stop()
            case ev.LimitChanged(limit=limit):
                self.execution.limit = limit
            case ev.TimePassed():
                pass
            case ev.FileRead(uri=uri, content=content):
                self._file_read(uri, content)
            case ev.CacheAnswered():
                self._cache_answered(event)
            case ev.Created() | ev.Refused() | ev.Ended():
                self._child_event(event)

    def _resume(self) -> None:
        for name in sorted(self.execution.running, key=self._index):
            run = self.execution.runs[name]
            if run.retry_at is not None:
                continue
            if run.status == "Starting":
                self._others.append(self._start(run))
            else:
                self._others.append(ev.Observe(run=run))
        if self.execution.stopping:
            self._stop()

    def _index(self, name: str) -> int:
        return self.execution.plan.definition.steps[name].index

    def _stop(self) -> None:
        self.execution.stopping = True
        for name in sorted(self.execution.running, key=self._index):
            run = self.execution.runs[name]
            if run.retry_at is not None:
                self._end(run, "Stopped", "")
            elif run.status != "Starting" and self.execution.plan.definition.steps[name].type.is_job:
                self._stop_child(run)

    def _stop_child(self, run: StepRun) -> None:
        stopping = replace(run, status="Stopping")
        self._save(stopping)
        self._others.append(ev.StopChild(run=stopping))

    def _file_read(self, uri: str, content: Any) -> None:
        self.execution.files[uri] = content
        for name, uris in list(self.execution.gathering.items()):
            if uri not in uris:
                continue
            left = uris - {uri}
            if left:
                self.execution.gathering[name] = left
            else:
                del self.execution.gathering[name]
                self._prepare(name)

    def _cache_answered(self, event: ev.CacheAnswered) -> None:
        if event.step not in self.execution.gathering:
            return
        del self.execution.gathering[event.step]
        if not event.source:
            self.execution.cache_misses.add(event.step)
            self._prepare(event.step)
            return
        started_at = self._start_time()
        run = StepRun(
            name=event.step,
            status="Succeeded",
            started_at=started_at,
            ended_at=started_at,
            round=self.execution.round,
            metadata=event.metadata or {},
            properties=event.properties or {},
            cached_from=event.source,
        )
        self._save(run)
        succeeded(self.execution, run.name)

    def _child_event(self, event: ev.Created | ev.Refused | ev.Ended) -> None:
        run = self.execution.runs.get(event.step)
        if run is None or event.step not in self.execution.running or event.attempt != run.attempt:
            return
        if isinstance(event, ev.Created):
            self._created(run, event)
        elif isinstance(event, ev.Refused):
            self._failed(run, event.exception_type, event.reason)
        elif event.outcome == "Completed":
            self._completed(run, event.properties)
        elif event.outcome == "Stopped":
            self._end(run, "Stopped", event.reason)
        else:
            self._failed(run, exception_type_of(event.reason), event.reason)

    def _created(self, run: StepRun, event: ev.Created) -> None:
        if run.status != "Starting":
            return
        step_type = self.execution.plan.definition.steps[run.name].type
        run = replace(
            run,
            status="Executing",
            child=event.child,
            metadata={step_type.metadata_member: {"Arn": event.arn}},
        )
        self._save(run)
        if self.execution.stopping and step_type.is_job:
            self._stop_child(run)
        self._others.append(ev.Observe(run=run))

    def _completed(self, run: StepRun, properties: Document) -> None:
        done = replace(run, status="Succeeded", ended_at=self._end_time(run), properties=properties, request={})
        self.execution.running.discard(run.name)
        self._save(done)
        if done.cache_key:
            self._others.append(ev.Remember(run=done))
        succeeded(self.execution, run.name)

    def _failed(self, run: StepRun, exception_type: str, reason: str) -> None:
        step = self.execution.plan.definition.steps[run.name]
        if exception_type and not self.execution.stopping:
            waiting = retried(step, run, exception_type=exception_type, now=self.now)
            if waiting is not None and waiting.retry_at is not None:
                self.execution.retrying.add(run.name)
                self._save(replace(waiting, reason=reason[:_MAX_REASON]))
                self._others.append(ev.WakeAt(at=waiting.retry_at))
                return
        self._end(run, "Failed", reason)

    def _end(self, run: StepRun, status: str, reason: str) -> None:
        self.execution.running.discard(run.name)
        self.execution.retrying.discard(run.name)
        self._save(
            replace(
                run, status=status, ended_at=self._end_time(run), reason=reason[:_MAX_REASON], retry_at=None, request={}
            )
        )
        unsuccessful(self.execution, run.name)

    # ----------------------------------------------------------------------------------------------------- advance

    def advance(self) -> None:
        """Begin what can begin; finish when nothing is left."""
        execution = self.execution
        self._retry_due()
        if execution.stopping or execution.halted:
            abandon(execution)
        while not (execution.stopping or execution.halted):
            if execution.decisions:
                self._prepare(execution.decisions.popleft())
            elif execution.ready and self._has_slot():
                self._prepare(execution.ready.popleft())
            else:
                break
        if execution.stopping or execution.halted:
            abandon(execution)
        if execution.open == 0:
            self._others.append(self._finish())

    def _retry_due(self) -> None:
        for name in sorted(self.execution.retrying, key=self._index):
            run = self.execution.runs[name]
            if run.retry_at is None:
                continue
            if run.retry_at <= self.now:
                self.execution.retrying.discard(name)
                self._attempt(replace(run, attempt=run.attempt + 1, retry_at=None, reason=""))
            else:
                self._others.append(ev.WakeAt(at=run.retry_at))

    def _has_slot(self) -> bool:
        execution = self.execution
        if execution.limit is None:
            return True
        gathering = sum(execution.plan.definition.steps[name].type.runs for name in execution.gathering)
        return len(execution.running) + gathering < execution.limit

    def _finish(self) -> ev.Finish:
        execution = self.execution
        failed = [name for name in execution.failed if execution.runs[name].status == "Failed"]
        if execution.stopping:
            return ev.Finish(status="Stopped", reason="")
        if not execution.failed:
            return ev.Finish(status="Succeeded", reason="")
        told = [f"{name}: {execution.runs[name].reason or execution.runs[name].status}" for name in failed]
        told += [f"{name}: Stopped" for name in execution.failed if name not in failed]
        reason = f"Step failure: One or multiple steps failed. {'; '.join(told)}"
        return ev.Finish(status="Failed", reason=reason[:_MAX_EXECUTION_REASON])

    # ----------------------------------------------------------------------------------------------------- prepare

    def _prepare(self, name: str) -> None:
        """Take a step one stage on: gather files, ask the cache, begin."""
        execution = self.execution
        step = execution.plan.definition.steps[name]
        run = self._fresh_run(step)
        scope = execution.scope(self._variables(step, run), execution.plan.needs[name])
        try:
            needed = files_needed(step.arguments, scope)
            if needed:
                self._gather(name, needed)
                return
            request = resolve(step.arguments, scope, execution.shapes.get(step.type.create))
            if not step.type.runs:
                self._decided(step, run, request)
                return
        except Invalid as error:
            self._save(run)
            self._end(run, "Failed", f"ClientError: {error.message}")
            return
        run = replace(run, cache_key=cache_key(step, request))
        if step.cache_for_s is not None and name not in execution.cache_misses:
            execution.gathering[name] = frozenset()
            self._others.append(ev.AskCache(step=name, key=run.cache_key, since=self.now - step.cache_for_s))
            return
        self._attempt(replace(run, request=request))

    def _gather(self, name: str, needed: set[str]) -> None:
        self.execution.gathering[name] = frozenset(needed)
        self._others.extend(ev.ReadFile(uri=uri) for uri in sorted(needed - self.execution.asked_files))
        self.execution.asked_files |= needed

    def _fresh_run(self, step: Step) -> StepRun:
        earlier = self.execution.runs.get(step.name)
        return StepRun(
            name=step.name,
            status="Starting",
            started_at=self._start_time(),
            attempt=1 if earlier is None else earlier.attempt + 1,
            round=self.execution.round,
        )

    def _start_time(self) -> float:
        self.execution.last_started_at = max(self.now, self.execution.last_started_at + _TICK_S)
        return self.execution.last_started_at

    def _end_time(self, run: StepRun) -> float:
        return max(self.now, run.started_at)

    def _variables(self, step: Step, run: StepRun) -> dict[str, Any]:
        facts = self.execution.facts
        variables = {
            "PipelineName": facts.pipeline_name,
            "PipelineArn": facts.pipeline_arn,
            "PipelineExecutionId": facts.id,
            "PipelineExecutionArn": facts.arn,
            "StartDateTime": iso_time(facts.started_at),
            "CurrentDateTime": iso_time(self.now),
        }
        if step.type.kind in {"TrainingJob", "ProcessingJob"}:
            prefix = step.arguments.get(step.type.name_member)
            variables[step.type.name_member] = child_name(facts, step, attempt=run.attempt, prefix=prefix)
        return variables

    def _attempt(self, run: StepRun) -> None:
        """Begin an attempt of a step whose arguments are resolved."""
        step = self.execution.plan.definition.steps[run.name]
        child = ""
        if step.type.name != "RegisterModel":
            prefix = run.request.get(step.type.name_member)
            child = child_name(self.execution.facts, step, attempt=run.attempt, prefix=prefix)
        begun = replace(run, status="Starting", child=child)
        self.execution.running.add(run.name)
        self._save(begun)
        self._others.append(self._start(begun))

    def _start(self, run: StepRun) -> ev.Start:
        """Return the creation of an attempt's child: its arguments, its name, and the marks that it is ours."""
        facts, step = self.execution.facts, self.execution.plan.definition.steps[run.name]
        request = dict(run.request)
        if step.type.name == "RegisterModel":  # versioned packages take no tags, their token is the mark
            request["ClientToken"] = client_token(facts, step, attempt=run.attempt)
        else:
            request["Tags"] = with_tags(request, child_tags(facts, run.name))
            request[step.type.name_member] = run.child
        return ev.Start(run=run, request=request)

    def _decided(self, step: Step, run: StepRun, arguments: Document) -> None:
        """End a step that takes no time."""
        if step.type.name == "Fail":
            message = spell(arguments["ErrorMessage"])
            run = replace(run, metadata={"Fail": {"ErrorMessage": message}})
            self._save(run)
            self._end(run, "Failed", message)
            return
        outcome = "True" if all_hold(arguments["Conditions"]) else "False"
        self._save(
            replace(
                run,
                status="Succeeded",
                ended_at=run.started_at,
                metadata={"Condition": {"Outcome": outcome}},
                properties={"Outcome": outcome},
            )
        )
        succeeded(self.execution, step.name)

    def _save(self, run: StepRun) -> None:
        self.execution.runs[run.name] = run
        self._saves[run.name] = run
