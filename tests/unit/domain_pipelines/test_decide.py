"""The executor on graphs of any shape: order, ends, and what each event costs."""

import json
import sys
from collections import deque
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sagehouse.domain.pipelines import events as ev
from sagehouse.domain.pipelines.checking import Plan, plan
from sagehouse.domain.pipelines.decide import begin, decide
from sagehouse.domain.pipelines.definition import parse
from sagehouse.domain.pipelines.execution import Facts, StepRun


def a_plan(needs: dict[str, list[str]]) -> Plan:
    steps = [{"Name": n, "Type": "Processing", "Arguments": {}, "DependsOn": needed} for n, needed in needs.items()]
    return plan(parse(json.dumps({"Version": "2020-12-01", "Steps": steps})))


def facts() -> Facts:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p"
    return Facts(
        pipeline_name="p", pipeline_arn=arn, id="x" * 12, arn=f"{arn}/execution/x", started_at=0.0, parameters={}
    )


class Simulation:
    """Performs the actions at once; jobs end in the order given by `order`, as `outcomes` says."""

    def __init__(self, checked: Plan, *, outcomes: dict[str, str] | None = None, limit: int | None = None) -> None:
        self.plan, self.limit = checked, limit
        self.outcomes = outcomes or {}
        self.execution = begin(checked, facts(), {}, limit=limit)
        self.stored: dict[str, dict[str, Any]] = {}
        self.started: list[str] = []
        self.children: set[str] = set()
        self.running: deque[str] = deque()
        self.finish: ev.Finish | None = None
        self.most_at_once = 0

    def turn(self, *events: ev.Event, crash: bool = False) -> None:
        """Decide and perform; with a crash, forget everything that was not stored and begin again."""
        pending: list[ev.Event] = list(events)
        while True:
            before = self.execution
            self.execution, actions = decide(before, pending, 1.0)
            for action in actions:
                if isinstance(action, ev.Save):
                    self.stored[action.run.name] = json.loads(json.dumps(action.run.to_document()))
            if crash:
                crash = False
                runs = [StepRun.from_document(document) for document in self.stored.values()]
                self.execution = begin(self.plan, facts(), {}, runs=runs, limit=self.limit)
                pending = [ev.Resumed()]
                continue
            pending = [event for action in actions for event in self._perform(action)]
            if not pending:
                return

    def _perform(self, action: ev.Action) -> list[ev.Event]:
        if isinstance(action, ev.Finish):
            self.finish = action
        if not isinstance(action, ev.Start):
            return []
        run = action.run
        if run.child not in self.children:
            self.children.add(run.child)
            self.started.append(run.name)
            self.running.append(run.name)
        self.most_at_once = max(self.most_at_once, len(self.running))
        return [ev.Created(step=run.name, attempt=run.attempt, child=run.child, arn=f"arn:{run.child}")]

    def end(self, name: str, *, crash: bool = False) -> None:
        self.running.remove(name)
        run = self.execution.runs[name]
        outcome = self.outcomes.get(name, "Completed")
        event = ev.Ended(step=name, attempt=run.attempt, outcome=outcome, reason="", properties={})
        self.turn(event, crash=crash)


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    count = draw(st.integers(1, 12))
    names = [f"S{index}" for index in range(count)]
    return {
        name: draw(st.lists(st.sampled_from(names[:index]), unique=True, max_size=3)) if index else []
        for index, name in enumerate(names)
    }


def ancestors(needs: dict[str, list[str]], name: str) -> set[str]:
    found = set(needs[name])
    for needed in needs[name]:
        found |= ancestors(needs, needed)
    return found


@settings(max_examples=80, deadline=None)
@given(graphs(), st.randoms(use_true_random=False), st.integers(1, 4), st.data())
def test_every_step_that_can_run_runs_once_after_what_it_needs(
    needs: dict[str, list[str]], random: Any, limit: int, data: st.DataObject
) -> None:
    failing = data.draw(st.sets(st.sampled_from(sorted(needs)), max_size=2))
    simulation = Simulation(a_plan(needs), outcomes=dict.fromkeys(failing, "Failed"), limit=limit)
    simulation.turn(ev.Resumed())
    while simulation.running:
        simulation.end(random.choice(list(simulation.running)), crash=random.random() < 0.3)
    doomed = {name for name in needs if ancestors(needs, name) & failing}
    assert sorted(simulation.started) == sorted(set(needs) - doomed)
    for position, name in enumerate(simulation.started):
        assert set(needs[name]) <= set(simulation.started[:position])
    assert simulation.most_at_once <= limit
    assert simulation.finish is not None
    assert simulation.finish.status == ("Failed" if failing - doomed else "Succeeded")


def test_deciding_changes_nothing_that_was_given() -> None:
    before = begin(a_plan({"A": [], "B": ["A"]}), facts(), {})
    first = decide(before, [ev.Resumed()], 1.0)
    assert decide(before, [ev.Resumed()], 1.0)[1] == first[1]
    assert before.runs == {}


def test_events_of_another_attempt_are_ignored() -> None:
    simulation = Simulation(a_plan({"A": []}))
    simulation.turn(ev.Resumed())
    late = ev.Ended(step="A", attempt=7, outcome="Failed", reason="", properties={})
    unknown = ev.Ended(step="Z", attempt=1, outcome="Failed", reason="", properties={})
    after, actions = decide(simulation.execution, [late, unknown], 2.0)
    assert actions == []
    assert after.runs == simulation.execution.runs


def test_a_chain_longer_than_pythons_stack_is_loaded() -> None:
    needs = {f"S{index}": [f"S{index - 1}"] if index else [] for index in range(3000)}
    checked = a_plan(needs)
    runs = [StepRun(name=name, status="Succeeded", started_at=0.0) for name in needs]
    execution, actions = decide(begin(checked, facts(), {}, runs=runs), [ev.Resumed()], 1.0)
    assert execution.open == 0
    assert actions == [ev.Finish(status="Succeeded", reason="")]


def test_an_event_costs_what_it_touches_in_a_large_fan_out() -> None:
    def calls_of_an_event(count: int) -> int:
        needs: dict[str, list[str]] = {"Root": [], **{f"S{index}": ["Root"] for index in range(count)}}
        execution = begin(a_plan(needs), facts(), {})
        execution, _ = decide(execution, [ev.Resumed()], 1.0)
        root = ev.Ended(step="Root", attempt=1, outcome="Completed", reason="", properties={})
        execution, _ = decide(execution, [root], 1.0)
        calls = 0

        def count_call(_frame: Any, kind: str, _argument: Any) -> None:
            nonlocal calls
            calls += kind == "call"

        ended = ev.Ended(step="S7", attempt=1, outcome="Completed", reason="", properties={})
        sys.setprofile(count_call)
        decide(execution, [ended], 1.0)
        sys.setprofile(None)
        return calls

    assert calls_of_an_event(2000) == calls_of_an_event(20)
