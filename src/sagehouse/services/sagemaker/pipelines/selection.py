"""Selective executions: some steps run, those before them lend their results from an earlier execution."""

from dataclasses import replace

from sagehouse.domain.pipelines import records
from sagehouse.domain.pipelines.checking import Plan
from sagehouse.domain.pipelines.execution import StepRun
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Insert, Key, Stored
from sagehouse.ports.house import House
from sagehouse.resources.verbs import load
from sagehouse.services.sagemaker.pipelines.kinds import EXECUTION
from sagehouse.services.sagemaker.pipelines.steps import all_steps


async def borrowed_steps(
    house: House, call: Call, plan: Plan, execution: Insert, config: Document | None
) -> list[Insert]:
    """Return the steps that a new execution takes over from its source; none unless it is selective.

    Source: developer guide, "Selective execution of pipeline steps": the source is of the same pipeline and has ended
    Succeeded or Failed, and steps between two selected steps are selected too.
    """
    if config is None:
        return []
    selected = [step["StepName"] for step in config["SelectedSteps"]]
    unknown = [name for name in selected if name not in plan.definition.steps]
    if unknown:
        raise Invalid(f"SelectedSteps: the pipeline has no step {unknown[0]!r}.")
    needed = _ancestors(plan, selected) - set(selected)
    between = sorted(name for name in needed if _ancestors(plan, [name]) & set(selected))
    if between:
        raise Invalid(f"SelectedSteps {selected}: the steps {between} lie between selected steps; select them too.")
    if not needed:
        return []
    source_arn = config.get("SourcePipelineExecutionArn")
    if not source_arn:
        raise Invalid(
            "Invalid SourcePipelineExecutionArn: null. "
            f"The selected steps {selected} have dependencies on {sorted(needed)}."
        )
    source = await load(house, call, EXECUTION, source_arn)
    if source.parent != execution.parent or source.status not in {"Succeeded", "Failed"}:
        raise Invalid(
            f"Invalid SourcePipelineExecutionArn: {source_arn} is {source.status}; it must be an execution of the same "
            "pipeline that is Succeeded or Failed."
        )
    names = sorted(needed, key=lambda name: plan.definition.steps[name].index)
    lenders = {step.document["StepName"]: step for step in await all_steps(house, call, source)}
    return [_borrow(call, plan, execution, source, name, lenders.get(name)) for name in names]


def _ancestors(plan: Plan, names: list[str]) -> set[str]:
    """Return every step that must have succeeded before one of these."""
    found: set[str] = set()
    stack = list(names)
    while stack:
        fresh = plan.needs[stack.pop()] - found
        found |= fresh
        stack.extend(fresh)
    return found


def _borrow(call: Call, plan: Plan, execution: Insert, source: Stored, name: str, lent: Stored | None) -> Insert:
    """Return a step as taken over; by name, for the source may have run a version that has it in another place."""
    if lent is None or lent.status != "Succeeded":
        status = "did not run" if lent is None else f"is {lent.status}"
        raise Invalid(
            f"Invalid SourcePipelineExecutionArn: step {name!r} {status} in {source.arn}, nothing can be reused."
        )
    index = plan.definition.steps[name].index
    at = call.now + index * 1e-6
    run = StepRun.from_document(lent.document)
    run = replace(run, started_at=at, ended_at=at, attempt=1, round=0, request={}, selected_from=source.arn)
    key = Key(
        account=call.account,
        region=call.region,
        kind=records.STEP,
        name=records.step_name(execution.key.name.lower(), index),
    )
    return Insert(
        key=key,
        arn=f"{execution.arn}/step/{index:05d}",
        document={**lent.document, **run.to_document()},
        now=at,
        status=run.status,
        parent=execution.key.name.lower(),
        who=call.principal,
        why=call.operation,
    )
