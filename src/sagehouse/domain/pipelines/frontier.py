"""The frontier of an execution: which steps are held back, may begin, run, or are left out, and how that moves on."""

from sagehouse.domain.pipelines.execution import UNFINISHED_STEPS, Execution
from sagehouse.domain.pipelines.functions import spell


def admit(execution: Execution, name: str) -> None:
    """Put a step whose needs have all succeeded where it belongs, from what is known of it.

    Where it has succeeded already, so are the steps that need it; iterative, for chains of any length.
    """
    stack = [name]
    while stack:
        current = stack.pop()
        execution.waiting.pop(current, None)
        run = execution.runs.get(current)
        step = execution.plan.definition.steps[current]
        if run is not None and run.status in UNFINISHED_STEPS:
            execution.running.add(current)
            if run.retry_at is not None:
                execution.retrying.add(current)
        elif run is not None and run.status == "Succeeded":
            stack.extend(reversed(_freed(execution, current)))
        elif run is not None and run.round == execution.round:
            unsuccessful(execution, current)
        elif execution.selected is not None and current not in execution.selected:
            _skip(execution, current)
        else:
            (execution.ready if step.type.runs else execution.decisions).append(current)


def succeeded(execution: Execution, name: str) -> None:
    """Let go on what needed this step and now lacks nothing."""
    for other in _freed(execution, name):
        admit(execution, other)


def unsuccessful(execution: Execution, name: str) -> None:
    """Leave out what needed this step, which failed or was stopped."""
    execution.open -= 1
    execution.failed.append(name)
    execution.halted |= execution.plan.definition.steps[name].type.name == "Fail"
    for other in execution.plan.dependents[name]:
        _skip(execution, other)


def abandon(execution: Execution) -> None:
    """Give up every step that has not begun."""
    names = [*execution.decisions, *execution.ready, *execution.gathering, *execution.waiting]
    execution.decisions.clear()
    execution.ready.clear()
    execution.gathering.clear()
    execution.waiting.clear()
    fresh = set(names) - execution.skipped
    execution.skipped |= fresh
    execution.open -= len(fresh)


def _freed(execution: Execution, name: str) -> list[str]:
    """Count a step as succeeded, leave out the branch not taken, and return the steps that nothing holds back now."""
    execution.open -= 1
    outcome = execution.runs[name].properties.get("Outcome")
    freed = []
    for other in execution.plan.dependents[name]:
        guard = execution.plan.definition.steps[other].guard
        if guard is not None and guard.condition == name and spell(guard.outcome) != str(outcome).lower():
            _skip(execution, other)
        elif other in execution.waiting:
            execution.waiting[other] -= 1
            if execution.waiting[other] == 0:
                freed.append(other)
    return freed


def _skip(execution: Execution, name: str) -> None:
    """Leave out a step and, since they need it, all that follow it."""
    stack = [name]
    while stack:
        current = stack.pop()
        if current in execution.skipped:
            continue
        execution.waiting.pop(current, None)
        execution.skipped.add(current)
        execution.open -= 1
        stack.extend(execution.plan.dependents[current])
