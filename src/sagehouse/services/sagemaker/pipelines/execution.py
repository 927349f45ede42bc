"""Executions of pipelines: asked for here, brought to their end by the pipelines controller."""

import hashlib
import json

from sagehouse.domain.pipelines import records
from sagehouse.domain.pipelines.checking import Plan, plan
from sagehouse.domain.pipelines.definition import parse
from sagehouse.domain.pipelines.execution import Facts
from sagehouse.domain.pipelines.functions import Scope, resolve, spell
from sagehouse.domain.pipelines.naming import iso_time
from sagehouse.domain.pipelines.parameters import bind
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Insert, Key, Stored
from sagehouse.ports.house import House
from sagehouse.resources.listing import list_page
from sagehouse.resources.transition import move
from sagehouse.resources.verbs import amend, load, presented
from sagehouse.services.sagemaker.pipelines.kinds import EXECUTION, PIPELINE, by
from sagehouse.services.sagemaker.pipelines.pipeline import load_version
from sagehouse.services.sagemaker.pipelines.selection import borrowed_steps

_ID_LENGTH = 12
_ID_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PARAMETERS_PAGE = 100
_ECHOED = (
    "PipelineExecutionDisplayName",
    "PipelineExecutionDescription",
    "ParallelismConfiguration",
    "SelectiveExecutionConfig",
)


async def start_pipeline_execution(house: House, call: Call, request: Document) -> Document:
    """Start an execution; again with the same ClientRequestToken it is the same execution."""
    for member in ("PipelineVersionAlias", "MlflowExperimentName"):
        if request.get(member):
            raise Invalid(f"StartPipelineExecution: sagehouse does not implement the member {member}; leave it out.")
    pipeline = await load(house, call, PIPELINE, request["PipelineName"])
    version = await load_version(house, call, pipeline, request.get("PipelineVersionId"))
    checked = plan(parse(version.document["PipelineDefinition"]))
    insert = _new_execution(call, request, pipeline, version, checked)
    borrowed = await borrowed_steps(house, call, checked, insert, request.get("SelectiveExecutionConfig"))
    try:
        await house.catalog.write(insert, *borrowed)
    except Conflict as error:
        if error.code != "AlreadyExists":
            raise
        existing = await load(house, call, EXECUTION, insert.arn)
        if existing.document["_request"] != insert.document["_request"]:
            raise Invalid(
                f"ClientRequestToken {request['ClientRequestToken']!r} has already started {insert.arn} with another "
                "request; use a new token."
            ) from error
    house.wake(insert.key)
    return {"PipelineExecutionArn": insert.arn}


def _new_execution(call: Call, request: Document, pipeline: Stored, version: Stored, checked: Plan) -> Insert:
    name = pipeline.document["PipelineName"]
    seed = f"{pipeline.arn} {pipeline.created_at} {request['ClientRequestToken']}"
    execution_id = _id_of(seed)
    given = request.get("PipelineParameters", [])
    facts = Facts(
        pipeline_name=name,
        pipeline_arn=pipeline.arn,
        id=execution_id,
        arn=f"{pipeline.arn}/execution/{execution_id}",
        started_at=call.now,
        parameters=bind(checked.definition, given),
    )
    number = version.document["PipelineVersionId"]
    selective = request.get("SelectiveExecutionConfig")
    document = {
        "PipelineExecutionDisplayName": f"execution-{int(call.now * 1000)}",
        **({"ParallelismConfiguration": limit} if (limit := pipeline.document.get("ParallelismConfiguration")) else {}),
        **{member: request[member] for member in _ECHOED if member in request},
        "CreationTime": call.now,
        "LastModifiedTime": call.now,
        "CreatedBy": by(call),
        "LastModifiedBy": by(call),
        "PipelineExecutionStatus": "Executing",
        **records.execution_document(
            facts,
            version=number,
            role=request.get("RoleArn") or pipeline.document["RoleArn"],
            given=given,
            selected=None if selective is None else [step["StepName"] for step in selective["SelectedSteps"]],
        ),
        "_version_text": str(number),
        "_request": hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest(),
    }
    experiment = _experiment(checked, facts)
    if experiment:
        document["PipelineExperimentConfig"] = experiment
    key_name = records.execution_name(name, execution_id)
    return Insert(
        key=Key(account=call.account, region=call.region, kind=records.EXECUTION, name=key_name),
        arn=facts.arn,
        document=document,
        status="Executing",
        parent=name.lower(),
        now=call.now,
        who=call.principal,
        why=call.operation,
    )


def _id_of(seed: str) -> str:
    """Return the id a seed always has: so a repeated token meets the execution it started."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big")
    letters = []
    for _ in range(_ID_LENGTH):
        number, at = divmod(number, len(_ID_LETTERS))
        letters.append(_ID_LETTERS[at])
    return "".join(letters)


def _experiment(checked: Plan, facts: Facts) -> Document:
    variables = {
        "PipelineName": facts.pipeline_name,
        "PipelineArn": facts.pipeline_arn,
        "PipelineExecutionId": facts.id,
        "PipelineExecutionArn": facts.arn,
        "StartDateTime": iso_time(facts.started_at),
        "CurrentDateTime": iso_time(facts.started_at),
    }
    scope = Scope(parameters=facts.parameters, execution=variables, properties={})
    resolved: Document = resolve(checked.definition.experiment, scope)
    return {member: spell(value) for member, value in resolved.items() if value is not None}


async def describe_pipeline_execution(house: House, call: Call, request: Document) -> Document:
    return presented(call, EXECUTION, await load(house, call, EXECUTION, request["PipelineExecutionArn"]))


async def list_pipeline_executions(house: House, call: Call, request: Document) -> Document:
    """List a pipeline's executions, the newest first unless asked otherwise."""
    pipeline = await load(house, call, PIPELINE, request["PipelineName"])
    return await list_page(house, call, EXECUTION, request, parent=pipeline.key.name.lower(), handled={"PipelineName"})


async def update_pipeline_execution(house: House, call: Call, request: Document) -> Document:
    """Rename or describe an execution, or change how many of its steps may run at the same time."""
    members = ("PipelineExecutionDescription", "PipelineExecutionDisplayName", "ParallelismConfiguration")
    changes = {member: request[member] for member in members if member in request}
    changes["LastModifiedBy"] = by(call)
    stored = await amend(
        house, call, EXECUTION, request["PipelineExecutionArn"], lambda stored: {**stored.document, **changes}
    )
    house.wake(stored.key)
    return {"PipelineExecutionArn": stored.arn}


async def stop_pipeline_execution(house: House, call: Call, request: Document) -> Document:
    """Stop an execution: what runs is stopped, what has not begun never does. Stopping twice is no error."""

    def stopping(stored: Stored) -> Document:
        if stored.status not in {"Executing", "Stopping"}:
            raise Conflict(
                f"Pipeline execution '{stored.arn}' is {stored.status}; only an Executing one can be stopped."
            )
        return {**stored.document, "LastModifiedBy": by(call)}

    stored = await move(house, call, EXECUTION, request["PipelineExecutionArn"], stopping, to="Stopping")
    return {"PipelineExecutionArn": stored.arn}


async def retry_pipeline_execution(house: House, call: Call, request: Document) -> Document:
    """Run the steps of a Failed or Stopped execution that have not succeeded, under the same ARN and definition."""
    arn, token = request["PipelineExecutionArn"], request["ClientRequestToken"]
    if (await load(house, call, EXECUTION, arn)).document.get("_retry_token") == token:
        return {"PipelineExecutionArn": arn}

    def retried(stored: Stored) -> Document:
        if stored.status not in {"Failed", "Stopped"}:
            raise Conflict(
                f"Pipeline execution '{stored.arn}' is {stored.status}; only Failed or Stopped ones are retried."
            )
        document = {**stored.document, "_round": stored.document["_round"] + 1, "_retry_token": token}
        document["LastModifiedBy"] = by(call)
        document.pop("FailureReason", None)
        if "ParallelismConfiguration" in request:
            document["ParallelismConfiguration"] = request["ParallelismConfiguration"]
        return document

    stored = await move(house, call, EXECUTION, arn, retried, to="Executing")
    return {"PipelineExecutionArn": stored.arn}


async def describe_pipeline_definition_for_execution(house: House, call: Call, request: Document) -> Document:
    """Return the definition that an execution runs, whatever the pipeline has become since."""
    execution = await load(house, call, EXECUTION, request["PipelineExecutionArn"])
    pipeline = await load(house, call, PIPELINE, execution.document["PipelineArn"])
    version = await load_version(house, call, pipeline, execution.document["PipelineVersionId"])
    return {
        "PipelineDefinition": version.document["PipelineDefinition"],
        "CreationTime": version.document["CreationTime"],
    }


async def list_pipeline_parameters_for_execution(house: House, call: Call, request: Document) -> Document:
    """List every parameter's value, given or default, as text."""
    execution = await load(house, call, EXECUTION, request["PipelineExecutionArn"])
    given = {pair["Name"]: pair["Value"] for pair in execution.document["_given"]}
    values = execution.document["_parameters"]
    rows = [{"Name": name, "Value": given.get(name, spell(value))} for name, value in values.items()]
    token = request.get("NextToken") or "0"
    if not token.isdecimal():
        raise Invalid(f"Invalid pagination token {token!r}: it was not issued by ListPipelineParametersForExecution.")
    start = int(token)
    end = start + int(request.get("MaxResults", _PARAMETERS_PAGE))
    output: Document = {"PipelineParameters": rows[start:end]}
    if end < len(rows):
        output["NextToken"] = str(end)
    return output
