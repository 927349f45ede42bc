"""Whether a definition that was read makes sense: references lead somewhere, steps can be ordered."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sagehouse.domain.pipelines.conditions import check_conditions
from sagehouse.domain.pipelines.definition import Definition, Step
from sagehouse.domain.pipelines.functions import EXECUTION_VARIABLES, Reference, references
from sagehouse.kit.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A checked definition and its graph. Immutable; one plan serves every execution of a version."""

    definition: Definition
    needs: Mapping[str, frozenset[str]]
    """Step -> the steps that must have succeeded before it."""
    dependents: Mapping[str, tuple[str, ...]]
    """Step -> the steps that need it."""


def plan(definition: Definition) -> Plan:
    """Return the definition with its graph; Invalid naming step and member if it cannot run."""
    _check_experiment(definition)
    needs = {name: _needs(definition, step) for name, step in definition.steps.items()}
    dependents: dict[str, list[str]] = {name: [] for name in definition.steps}
    for name, needed in needs.items():
        for other in needed:
            dependents[other].append(name)
    _check_order(needs, dependents)
    return Plan(
        definition=definition,
        needs=needs,
        dependents={name: tuple(others) for name, others in dependents.items()},
    )


def _check_experiment(definition: Definition) -> None:
    for member, reference in references(definition.experiment, "PipelineExperimentConfig"):
        if reference.root == "Steps":
            raise Invalid(f"{member}: steps have not run when the experiment is named.")
        _check_reference(definition, reference, member)


def _needs(definition: Definition, step: Step) -> frozenset[str]:
    needed: set[str] = set() if step.guard is None else {step.guard.condition}
    for name in step.depends_on:
        if name not in definition.steps:
            raise Invalid(f"Step {step.name!r}, member DependsOn: there is no step {name!r}.")
        needed.add(name)
    if step.type.name == "Condition":
        check_conditions(step.arguments["Conditions"], f"Step {step.name!r}, member Arguments.Conditions")
    if step.type.name == "Fail" and set(step.arguments) != {"ErrorMessage"}:
        raise Invalid(f"Step {step.name!r}, member Arguments: a Fail step has an ErrorMessage and nothing else.")
    for member, reference in _step_references(step):
        where = f"Step {step.name!r}, member {member}"
        _check_reference(definition, reference, where)
        if reference.root == "Steps":
            needed.add(reference.name)
    if step.name in needed:
        raise Invalid(f"Step {step.name!r} depends on itself.")
    return frozenset(needed)


def _step_references(step: Step) -> Iterator[tuple[str, Reference]]:
    try:
        yield from references(step.arguments, "Arguments")
    except Invalid as error:
        raise Invalid(f"Step {step.name!r}, member {error.message}") from None


def _check_reference(definition: Definition, reference: Reference, where: str) -> None:
    if reference.root == "Parameters" and reference.name not in definition.parameters:
        known = ", ".join(definition.parameters) or "none"
        raise Invalid(f"{where}: there is no parameter {reference.name!r}; declared are: {known}.")
    if reference.root == "Execution" and reference.name not in EXECUTION_VARIABLES:
        raise Invalid(
            f"{where}: there is no Execution.{reference.name}; known: {', '.join(sorted(EXECUTION_VARIABLES))}."
        )
    if reference.root == "PipelineExperimentConfig" and reference.name not in {"ExperimentName", "TrialName"}:
        raise Invalid(f"{where}: there is no PipelineExperimentConfig.{reference.name}.")
    if reference.root == "Steps":
        _check_step_reference(definition, reference, where)


def _check_step_reference(definition: Definition, reference: Reference, where: str) -> None:
    step = definition.steps.get(reference.name)
    if step is None:
        raise Invalid(f"{where}: Steps.{reference.name}.{reference.path} names no step of the pipeline.")
    if step.type.name == "Fail":
        raise Invalid(f"{where}: a Fail step has no properties; Steps.{reference.name} cannot be used.")
    if not reference.path:
        raise Invalid(f"{where}: Steps.{reference.name} names a step but no property of it.")
    root, _, name = reference.path.partition(".")
    if root == "PropertyFiles" and name not in {file.name for file in step.property_files}:
        raise Invalid(f"{where}: step {step.name!r} has no property file {name!r}.")


def _check_order(needs: Mapping[str, frozenset[str]], dependents: Mapping[str, list[str]]) -> None:
    open_needs = {name: len(needed) for name, needed in needs.items()}
    ready = deque(name for name, count in open_needs.items() if count == 0)
    while ready:
        name = ready.popleft()
        del open_needs[name]
        for other in dependents[name]:
            open_needs[other] -= 1
            if open_needs[other] == 0:
                ready.append(other)
    if open_needs:
        raise Invalid(f"Steps depend on each other in a circle: {', '.join(open_needs)}.")
