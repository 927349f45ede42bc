"""Pipelines: a checked definition under a name, every definition kept as a version."""

from sagehouse.domain.pipelines import records
from sagehouse.domain.pipelines.checking import plan
from sagehouse.domain.pipelines.definition import parse
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, Invalid, NotFound
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Change, Delete, Insert, Key, Query, Replace, Stored
from sagehouse.ports.house import House
from sagehouse.resources.listing import list_page
from sagehouse.resources.verbs import ATTEMPTS, load, new, presented
from sagehouse.services.sagemaker.pipelines.kinds import PIPELINE, by

_MAX_DEFINITION_BYTES = 1024 * 1024
"""Source: the service model, PipelineDefinition."""
_DELETES_AT_ONCE = 500


async def create_pipeline(house: House, call: Call, request: Document) -> Document:
    """Create a pipeline; again with the same ClientRequestToken it is the same pipeline."""
    document = await _with_definition(house, call, request)
    if "PipelineDefinition" not in document:
        raise Invalid("CreatePipeline needs either PipelineDefinition or PipelineDefinitionS3Location.")
    document["_token"] = document.pop("ClientRequestToken")
    insert = new(call, PIPELINE, document)
    try:
        await house.catalog.write(insert, _version(call, insert.document))
    except Conflict as error:
        if error.code != "AlreadyExists":
            raise
        stored = await load(house, call, PIPELINE, request["PipelineName"])
        if stored.document.get("_token") != document["_token"]:
            raise PIPELINE.taken(insert.arn, insert.key.name) from error
    return {"PipelineArn": insert.arn}


async def update_pipeline(house: House, call: Call, request: Document) -> Document:
    """Change a pipeline; a definition becomes its next version. Executions under way keep theirs."""
    changes = await _with_definition(house, call, request)
    for attempt in range(ATTEMPTS):
        stored = await load(house, call, PIPELINE, request["PipelineName"])
        document = {**stored.document, **changes, "PipelineName": stored.document["PipelineName"]}
        document |= {"LastModifiedTime": call.now, "LastModifiedBy": by(call)}
        writes: list[Change] = []
        if "PipelineDefinition" in changes:
            document["_version"] += 1
            writes.append(_version(call, document))
        replace = Replace(
            key=stored.key,
            document=document,
            status=stored.status,
            expect_version=stored.version,
            now=call.now,
            who=call.principal,
            why=call.operation,
        )
        try:
            await house.catalog.write(replace, *writes)
            return {"PipelineArn": stored.arn, "PipelineVersionId": document["_version"]}
        except Conflict as error:
            if error.code not in {"VersionChanged", "AlreadyExists"} or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


async def describe_pipeline(house: House, call: Call, request: Document) -> Document:
    """Describe a pipeline as it is, or as one of its versions was."""
    _refuse_aliases(call, request)
    stored = await load(house, call, PIPELINE, request["PipelineName"])
    version = await load_version(house, call, stored, request.get("PipelineVersionId"))
    output = presented(call, PIPELINE, stored)
    for member in ("PipelineDefinition", "PipelineVersionDisplayName", "PipelineVersionDescription"):
        if member in version.document:
            output[member] = version.document[member]
    last = await _last_execution(house, call, stored)
    if last is not None:
        output["LastRunTime"] = last.created_at
    return output


async def list_pipelines(house: House, call: Call, request: Document) -> Document:
    """List the pipelines; those AWS would manage are none."""
    if request.get("ManagedBy") == "AWS":
        return {"PipelineSummaries": []}
    output = await list_page(house, call, PIPELINE, request, handled={"ManagedBy"})
    for row in output["PipelineSummaries"]:
        last = await _last_execution(house, call, await load(house, call, PIPELINE, row["PipelineName"]))
        if last is not None:
            row["LastExecutionTime"] = last.created_at
    return output


async def delete_pipeline(house: House, call: Call, request: Document) -> Document:
    """Delete a pipeline with its versions and executions; Conflict while one of them runs.

    The pipeline goes last, so that a delete that was cut short can be repeated.
    """
    stored = await load(house, call, PIPELINE, request["PipelineName"])
    parent = stored.key.name.lower()
    for status in ("Executing", "Stopping"):
        query = Query(
            account=call.account, region=call.region, kind=records.EXECUTION, parent=parent, status=status, limit=1
        )
        if (await house.catalog.page(query)).items:
            raise Conflict(f"Pipeline '{stored.arn}' has executions that are {status}; stop them first.")
    await _delete_children(house, call, records.EXECUTION, parent)
    await _delete_children(house, call, records.CACHED_STEP, parent)
    await _delete_children(house, call, records.VERSION, parent)
    await house.catalog.write(Delete(key=stored.key, now=call.now, who=call.principal, why=call.operation))
    return {"PipelineArn": stored.arn}


async def _delete_children(house: House, call: Call, kind: str, parent: str) -> None:
    query = Query(account=call.account, region=call.region, kind=kind, parent=parent, limit=_DELETES_AT_ONCE)
    while True:
        found = (await house.catalog.page(query)).items
        if not found:
            return
        if kind == records.EXECUTION:
            for execution in found:
                await _delete_children(house, call, records.STEP, execution.key.name.lower())
        await house.catalog.write(
            *(Delete(key=stored.key, now=call.now, who=call.principal, why=call.operation) for stored in found)
        )


async def load_version(house: House, call: Call, pipeline: Stored, version: int | None) -> Stored:
    """Return a version of a pipeline, the latest if none is named."""
    number = pipeline.document["_version"] if version is None else version
    name = records.version_name(pipeline.document["PipelineName"], number)
    stored = await house.catalog.get(_key(call, records.VERSION, name))
    if stored is None:
        latest = pipeline.document["_version"]
        raise PIPELINE.missing(f"{pipeline.arn}/version/{number}", str(latest))
    return stored


def _version(call: Call, pipeline: Document) -> Insert:
    number = pipeline["_version"]
    name = pipeline["PipelineName"]
    return Insert(
        key=_key(call, records.VERSION, records.version_name(name, number)),
        arn=f"{pipeline['PipelineArn']}/version/{number}",
        document={
            "PipelineArn": pipeline["PipelineArn"],
            "PipelineVersionId": number,
            "CreationTime": call.now,
            "PipelineDefinition": pipeline["PipelineDefinition"],
        },
        now=call.now,
        parent=name.lower(),
        who=call.principal,
        why=call.operation,
    )


def _key(call: Call, kind: str, name: str) -> Key:
    return Key(account=call.account, region=call.region, kind=kind, name=name)


async def _with_definition(house: House, call: Call, request: Document) -> Document:
    """Return the request with its definition in it, fetched if it is in S3, and checked."""
    _refuse_aliases(call, request)
    document = {member: value for member, value in request.items() if member != "PipelineDefinitionS3Location"}
    location = request.get("PipelineDefinitionS3Location")
    if location is not None and "PipelineDefinition" in request:
        raise Invalid("Give PipelineDefinition or PipelineDefinitionS3Location, not both.")
    if location is not None:
        document["PipelineDefinition"] = await _fetched(house, location)
    if "PipelineDefinition" in document:
        check_definition(document["PipelineDefinition"])
    return document


async def _fetched(house: House, location: Document) -> str:
    """Return the definition at a place in S3; Invalid, and not an error of S3's, if there is none."""
    if "VersionId" in location:
        raise Invalid("PipelineDefinitionS3Location.VersionId is not implemented: objects have no versions here.")
    bucket, key = location["Bucket"], location["ObjectKey"]
    try:
        text = await house.objects.read(bucket, key, limit_bytes=_MAX_DEFINITION_BYTES)
    except NotFound as missing:
        raise Invalid(f"Could not read the pipeline definition at s3://{bucket}/{key}: {missing.message}") from missing
    return text.decode(errors="replace")


def check_definition(text: str) -> None:
    """Raise Invalid, naming step and member, unless a definition can run here."""
    definition = parse(text)
    try:
        plan(definition)
    except Invalid as error:
        raise Invalid(f"Unable to parse pipeline definition. {error.message}") from None


def _refuse_aliases(call: Call, request: Document) -> None:
    for member in ("PipelineVersionAliases", "PipelineVersionAlias"):
        if request.get(member):
            raise Invalid(f"{call.operation}: sagehouse does not implement the member {member}; use PipelineVersionId.")


async def _last_execution(house: House, call: Call, pipeline: Stored) -> Stored | None:
    query = Query(
        account=call.account,
        region=call.region,
        kind=records.EXECUTION,
        parent=pipeline.key.name.lower(),
        limit=1,
    )
    return next(iter((await house.catalog.page(query)).items), None)
