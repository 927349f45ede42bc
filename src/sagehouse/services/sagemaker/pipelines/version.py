"""Versions of a pipeline: one per definition it was ever given."""

from sagehouse.domain.pipelines import records
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Query, Replace, Stored
from sagehouse.ports.house import House
from sagehouse.resources.verbs import ATTEMPTS, load
from sagehouse.services.sagemaker.pipelines.kinds import PIPELINE
from sagehouse.services.sagemaker.pipelines.pipeline import load_version

_PAGE = 100
_ROW = (
    "PipelineArn",
    "PipelineVersionId",
    "CreationTime",
    "PipelineVersionDescription",
    "PipelineVersionDisplayName",
)


async def list_pipeline_versions(house: House, call: Call, request: Document) -> Document:
    """List a pipeline's versions, the newest first unless asked otherwise."""
    pipeline = await load(house, call, PIPELINE, request["PipelineName"])
    page = await house.catalog.page(
        Query(
            account=call.account,
            region=call.region,
            kind=records.VERSION,
            parent=pipeline.key.name.lower(),
            created_after=request.get("CreatedAfter"),
            created_before=request.get("CreatedBefore"),
            descending=request.get("SortOrder", "Descending") == "Descending",
            limit=request.get("MaxResults", _PAGE),
            token=request.get("NextToken") or None,
        )
    )
    rows = [await _row(house, call, pipeline, version) for version in page.items]
    output: Document = {"PipelineVersionSummaries": rows}
    if page.next_token is not None:
        output["NextToken"] = page.next_token
    return output


async def _row(house: House, call: Call, pipeline: Stored, version: Stored) -> Document:
    row = {member: version.document[member] for member in _ROW if member in version.document}
    executions = Query(
        account=call.account,
        region=call.region,
        kind=records.EXECUTION,
        parent=pipeline.key.name.lower(),
        equals={"_version_text": str(version.document["PipelineVersionId"])},
        limit=1,
    )
    for execution in (await house.catalog.page(executions)).items:
        row["LastExecutionPipelineExecutionArn"] = execution.arn
    return row


async def update_pipeline_version(house: House, call: Call, request: Document) -> Document:
    """Name and describe a version."""
    if request.get("PipelineVersionAliasOperations"):
        raise Invalid("UpdatePipelineVersion: sagehouse does not implement the member PipelineVersionAliasOperations.")
    pipeline = await load(house, call, PIPELINE, request["PipelineArn"])
    members = ("PipelineVersionDisplayName", "PipelineVersionDescription")
    changes = {member: request[member] for member in members if member in request}
    for attempt in range(ATTEMPTS):
        version = await load_version(house, call, pipeline, request["PipelineVersionId"])
        try:
            await house.catalog.write(
                Replace(
                    key=version.key,
                    document={**version.document, **changes},
                    status=version.status,
                    expect_version=version.version,
                    now=call.now,
                    who=call.principal,
                    why=call.operation,
                )
            )
            break
        except Conflict as error:
            if error.code != "VersionChanged" or attempt == ATTEMPTS - 1:
                raise
    return {"PipelineArn": pipeline.arn, "PipelineVersionId": request["PipelineVersionId"]}
