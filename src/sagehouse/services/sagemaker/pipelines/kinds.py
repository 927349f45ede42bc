"""What pipelines and their executions are as resources."""

from sagehouse.domain.lifecycle import PIPELINE_EXECUTION
from sagehouse.domain.pipelines import records
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid, NotFound, SagehouseError
from sagehouse.ports.call import Call
from sagehouse.resources.kind import Kind

_PIPELINE_ROW = (
    "PipelineArn",
    "PipelineName",
    "PipelineDisplayName",
    "PipelineDescription",
    "RoleArn",
    "CreationTime",
    "LastModifiedTime",
)
_EXECUTION_ROW = {
    "PipelineExecutionArn": "PipelineExecutionArn",
    "CreationTime": "StartTime",
    "PipelineExecutionStatus": "PipelineExecutionStatus",
    "PipelineExecutionDescription": "PipelineExecutionDescription",
    "PipelineExecutionDisplayName": "PipelineExecutionDisplayName",
    "FailureReason": "PipelineExecutionFailureReason",
}


def _no_pipeline(arn: str, _name: str) -> SagehouseError:
    return NotFound(f"Pipeline '{arn}' does not exist.")


def _pipeline_exists(_arn: str, name: str) -> SagehouseError:
    return Invalid(
        f"Pipeline names must be unique within an AWS account and region. Pipeline with name ({name}) already exists."
    )


def _no_execution(arn: str, _name: str) -> SagehouseError:
    return NotFound(f"Pipeline execution '{arn}' does not exist.")


def by(call: Call) -> Document:
    """Return the caller as CreatedBy and LastModifiedBy name them."""
    return {"IamIdentity": {"Arn": call.principal}}


def _prepare(call: Call, document: Document) -> Document:
    return {
        "PipelineDisplayName": document["PipelineName"],
        **document,
        "PipelineStatus": "Active",
        "CreatedBy": by(call),
        "LastModifiedBy": by(call),
        "_version": 1,
    }


def _pipeline_row(_call: Call, document: Document) -> Document:
    return {member: document[member] for member in _PIPELINE_ROW if member in document}


def _execution_row(_call: Call, document: Document) -> Document:
    return {row: document[member] for member, row in _EXECUTION_ROW.items() if member in document}


PIPELINE = Kind(
    name=records.PIPELINE,
    name_member="PipelineName",
    arn_member="PipelineArn",
    arn_resource="pipeline/{name}",
    summaries_member="PipelineSummaries",
    missing=_no_pipeline,
    taken=_pipeline_exists,
    prepare=_prepare,
    summarize=_pipeline_row,
)

EXECUTION = Kind(
    name=records.EXECUTION,
    name_member="PipelineExecutionArn",
    arn_member="PipelineExecutionArn",
    arn_resource="pipeline/{name}",
    summaries_member="PipelineExecutionSummaries",
    lifecycle=PIPELINE_EXECUTION,
    first_status="Executing",
    missing=_no_execution,
    summarize=_execution_row,
)
