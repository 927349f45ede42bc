"""How pipelines, executions and steps are kept: the kinds, their names, and what an execution's document says.

The operations write these documents and the controller reads them; the words between the two are here.
"""

from typing import Any

from sagehouse.domain.pipelines.execution import Facts
from sagehouse.kit.document import Document

PIPELINE = "Pipeline"
VERSION = "PipelineVersion"
"""One definition of a pipeline; its parent is the pipeline."""
EXECUTION = "PipelineExecution"
"""Parent: the pipeline."""
STEP = "PipelineExecutionStep"
"""Parent: the execution. Only steps that have begun exist."""
CACHED_STEP = "PipelineCachedStep"
"""The latest good result of a step with certain arguments. Parent: the pipeline."""


def version_name(pipeline: str, version: int) -> str:
    return f"{pipeline}/{version}"


def execution_name(pipeline: str, execution_id: str) -> str:
    return f"{pipeline}/{execution_id}"


def step_name(execution: str, index: int) -> str:
    """Return a step's name by its place in the definition: names of steps differ by case, names of resources do not."""
    return f"{execution}/{index:05d}"


def cached_step_name(pipeline: str, key: str) -> str:
    return f"{pipeline}/{key}"


def execution_document(
    facts: Facts,
    *,
    version: int,
    role: str,
    given: list[Document],
    selected: list[str] | None,
) -> Document:
    """Return the members of a new execution's document that are the controller's."""
    return {
        "PipelineArn": facts.pipeline_arn,
        "PipelineExecutionArn": facts.arn,
        "PipelineVersionId": version,
        "RoleArn": role,
        "_pipeline": facts.pipeline_name,
        "_id": facts.id,
        "_parameters": dict(facts.parameters),
        "_given": given,
        "_selected": selected,
        "_round": 0,
    }


def facts_of(document: Document) -> Facts:
    """Return what an execution's document says of it."""
    experiment: dict[str, Any] = document.get("PipelineExperimentConfig", {})
    return Facts(
        pipeline_name=document["_pipeline"],
        pipeline_arn=document["PipelineArn"],
        id=document["_id"],
        arn=document["PipelineExecutionArn"],
        started_at=document["CreationTime"],
        parameters=document["_parameters"],
        experiment=experiment,
    )
