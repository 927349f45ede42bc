"""The steps of an execution that have begun."""

from sagehouse.domain.pipelines import records
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Query, Stored
from sagehouse.ports.house import House
from sagehouse.resources.verbs import load
from sagehouse.services.sagemaker.pipelines.kinds import EXECUTION

_PAGE = 100
"""The SDKs read one page only."""
_ALL = 1000


async def list_pipeline_execution_steps(house: House, call: Call, request: Document) -> Document:
    """List the steps that have begun, the one that began last first unless asked otherwise."""
    if "PipelineExecutionArn" not in request:
        raise Invalid("ListPipelineExecutionSteps needs PipelineExecutionArn.")
    execution = await load(house, call, EXECUTION, request["PipelineExecutionArn"])
    page = await house.catalog.page(
        Query(
            account=call.account,
            region=call.region,
            kind=records.STEP,
            parent=execution.key.name.lower(),
            descending=request.get("SortOrder", "Descending") == "Descending",
            limit=request.get("MaxResults", _PAGE),
            token=request.get("NextToken") or None,
        )
    )
    rows = [
        {member: value for member, value in step.document.items() if not member.startswith("_")} for step in page.items
    ]
    output: Document = {"PipelineExecutionSteps": rows}
    if page.next_token is not None:
        output["NextToken"] = page.next_token
    return output


async def all_steps(house: House, call: Call, execution: Stored) -> list[Stored]:
    """Return every step of an execution that has begun."""
    steps: list[Stored] = []
    token: str | None = None
    while True:
        page = await house.catalog.page(
            Query(
                account=call.account,
                region=call.region,
                kind=records.STEP,
                parent=execution.key.name.lower(),
                limit=_ALL,
                token=token,
            )
        )
        steps += page.items
        token = page.next_token
        if token is None:
            return steps
