"""What steps do to the world: their jobs and models through the house's own operations, files, remembered results."""

import logging
from typing import Any

from sagehouse.controllers.pipelines_live import Inbox, Live
from sagehouse.domain.jobs.source import S3Uri
from sagehouse.domain.pipelines import events as ev
from sagehouse.domain.pipelines import records
from sagehouse.domain.pipelines.execution import StepRun
from sagehouse.domain.pipelines.functions import Unreadable
from sagehouse.domain.pipelines.naming import child_tags
from sagehouse.domain.pipelines.retrying import RESOURCE_LIMIT, SERVICE_FAULT, THROTTLING
from sagehouse.domain.pipelines.step_types import StepType
from sagehouse.kit.arn import is_arn
from sagehouse.kit.document import Document
from sagehouse.kit.errors import (
    Conflict,
    InUse,
    Invalid,
    LimitExceeded,
    NotFound,
    SagehouseError,
    Throttled,
    Unavailable,
)
from sagehouse.kit.json_text import read_json
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Catalog, Insert, Key, Replace
from sagehouse.ports.clock import Clock, Ids
from sagehouse.ports.dispatch import Dispatch
from sagehouse.ports.objects import Objects

_log = logging.getLogger(__name__)

_ENDED = frozenset({"Completed", "Failed", "Stopped"})


class Children:
    """Performs the actions of `decide`, and knows whose child a job is."""

    def __init__(self, *, catalog: Catalog, objects: Objects, dispatch: Dispatch, clock: Clock, ids: Ids) -> None:
        self._catalog = catalog
        self._objects = objects
        self._dispatch = dispatch
        self._clock = clock
        self._ids = ids
        self._owners: dict[Key, tuple[Inbox, str]] = {}
        """Key of a running job -> whom to tell, and the step."""

    # ------------------------------------------------------------------------------------------------------ owners

    def wake(self, key: Key) -> None:
        """Tell the execution whose job was written; other jobs are nobody's here."""
        owner = self._owners.get(key.plain)
        if owner is not None:
            owner[0].child(owner[1])

    def adopt(self, live: Live) -> None:
        """Listen to the running jobs of an execution that was loaded."""
        for name in live.execution.running:
            self._own(live, live.execution.runs[name])

    def forget(self, inbox: Inbox) -> None:
        """Listen no longer for an execution that has ended."""
        for key in [key for key, owner in self._owners.items() if owner[0] is inbox]:
            del self._owners[key]

    def _own(self, live: Live, run: StepRun) -> None:
        step_type = _type(live, run.name)
        if step_type.is_job and run.child:
            self._owners[_child_key(live, step_type, run.child)] = (live.inbox, run.name)

    # ----------------------------------------------------------------------------------------------------- perform

    async def perform(self, live: Live, action: ev.Action) -> list[ev.Event]:
        """Do one thing and return what came of it."""
        match action:
            case ev.Start():
                return await self._start(live, action)
            case ev.Observe(run=run):
                return await self._observe(live, run)
            case ev.StopChild(run=run):
                return await self._stop(live, run)
            case ev.ReadFile(uri=uri):
                return [ev.FileRead(uri=uri, content=await self._read(uri))]
            case ev.AskCache():
                return [await self._ask_cache(live, action)]
            case ev.Remember(run=run):
                await self._remember(live, run)
        return []

    async def look(self, live: Live, name: str) -> list[ev.Event]:
        """Return how a step's child has ended, or nothing while it runs. Cheap: most writes of a job are progress."""
        run = live.execution.runs.get(name)
        if run is None or name not in live.execution.running or run.status == "Starting":
            return []
        stored = await self._catalog.get(_child_key(live, _type(live, name), run.child))
        if stored is not None and stored.status not in _ENDED:
            return []
        return await self._observe(live, run)

    async def _ask(self, live: Live, operation: str, request: Document) -> Document:
        role = live.role.rsplit("/", 1)[-1]
        call = Call(
            service="sagemaker",
            operation=operation,
            region=live.key.region,
            account=live.key.account,
            principal=f"arn:aws:sts::{live.key.account}:assumed-role/{role}/pipelines-{live.execution.facts.id}",
            request_id=self._ids.uuid(),
            now=self._clock.now(),
        )
        return await self._dispatch(call, request)

    # ------------------------------------------------------------------------------------------------------- start

    async def _start(self, live: Live, action: ev.Start) -> list[ev.Event]:
        run, step_type = action.run, _type(live, action.run.name)
        self._own(live, run)
        try:
            if step_type.name == "RegisterModel":
                await self._ensure_group(live, action.request)
            response = await self._ask(live, step_type.create, action.request)
            arn = response[step_type.arn_member]
        except SagehouseError as error:
            arn = await self._adopted(live, run, step_type) if _says_exists(error) else ""
            if not arn:
                return [_refused(run, step_type, error)]
        except Exception as error:  # noqa: BLE001 - an operation's defect is a fault of the service, retried as such
            _log.exception("pipeline_step_start_failed execution=%s step=%s", live.key.name, run.name)
            fault = Unavailable(f"{type(error).__name__}: {error}")
            return [_refused(run, step_type, fault)]
        child = run.child or arn
        return [ev.Created(step=run.name, attempt=run.attempt, child=child, arn=arn)]

    async def _adopted(self, live: Live, run: StepRun, step_type: StepType) -> str:
        """Return the ARN of a child with our name if it is this step's, "" if it is someone else's."""
        try:
            arn: str = (await self._describe(live, step_type, run.child))[step_type.arn_member]
            tags = (await self._ask(live, "ListTags", {"ResourceArn": arn})).get("Tags", [])
        except SagehouseError:
            return ""
        ours = child_tags(live.execution.facts, run.name)
        return arn if all(tag in tags for tag in ours) else ""

    async def _ensure_group(self, live: Live, request: Document) -> None:
        """Make the group a model package is to join, as registering from a pipeline does."""
        name = request.get("ModelPackageGroupName")
        if not isinstance(name, str) or is_arn(name):
            return
        try:
            await self._ask(live, "DescribeModelPackageGroup", {"ModelPackageGroupName": name})
        except (NotFound, Invalid):
            try:
                await self._ask(live, "CreateModelPackageGroup", {"ModelPackageGroupName": name})
            except SagehouseError as error:
                if not _says_exists(error):
                    raise

    # ----------------------------------------------------------------------------------------------------- observe

    async def _describe(self, live: Live, step_type: StepType, child: str) -> Document:
        return await self._ask(live, step_type.describe, {step_type.name_member: child})

    async def _observe(self, live: Live, run: StepRun) -> list[ev.Event]:
        step_type = _type(live, run.name)
        try:
            properties = await self._describe(live, step_type, run.child)
        except (NotFound, Invalid) as error:
            reason = f"ClientError: {step_type.name} {run.child} cannot be described any more: {error.message}"
            return [_ended(run, "Failed", reason, {})]
        if not step_type.is_job:
            return [_ended(run, "Completed", "", properties)]
        status = properties[f"{step_type.kind}Status"]
        if status not in _ENDED:
            return []
        self._owners.pop(_child_key(live, step_type, run.child), None)
        return [_ended(run, status, _reason(properties, step_type, run, status), properties)]

    async def _stop(self, live: Live, run: StepRun) -> list[ev.Event]:
        step_type = _type(live, run.name)
        try:
            await self._ask(live, step_type.stop, {step_type.name_member: run.child})
        except (Invalid, NotFound, InUse) as error:
            _log.info("pipeline_child_not_stopped child=%s reason=%s", run.child, error.message)
        return await self._observe(live, run)

    # ----------------------------------------------------------------------------------------------- files and cache

    async def _read(self, uri: str) -> Any:
        try:
            place = S3Uri.parse(uri)
            return read_json(await self._objects.read(place.bucket, place.key))
        except (NotFound, Invalid) as error:
            return Unreadable(problem=error.message)
        except ValueError as error:
            return Unreadable(problem=f"it is not valid JSON: {error}")

    async def _ask_cache(self, live: Live, question: ev.AskCache) -> ev.CacheAnswered:
        stored = await self._catalog.get(_cache_key(live, question.key))
        if stored is None or stored.document["EndTime"] < question.since:
            return ev.CacheAnswered(step=question.step)
        return ev.CacheAnswered(
            step=question.step,
            source=stored.document["PipelineExecutionArn"],
            metadata=stored.document["Metadata"],
            properties=stored.document["_properties"],
        )

    async def _remember(self, live: Live, run: StepRun) -> None:
        key, now = _cache_key(live, run.cache_key), self._clock.now()
        facts = live.execution.facts
        document: Document = {
            "StepName": run.name,
            "PipelineExecutionArn": facts.arn,
            "EndTime": run.ended_at,
            "Metadata": run.metadata,
            "_properties": run.properties,
        }
        stored = await self._catalog.get(key)
        change: Insert | Replace
        if stored is None:
            arn = f"{facts.pipeline_arn}/cached-step/{run.cache_key}"
            change = Insert(key=key, arn=arn, document=document, now=now, parent=facts.pipeline_name.lower())
        else:
            change = Replace(key=key, document=document, status="", expect_version=stored.version, now=now)
        try:
            await self._catalog.write(change)
        except Conflict:  # another execution has just remembered a result as good as this
            _log.info("pipeline_cache_race execution=%s step=%s", live.key.name, run.name)


def _type(live: Live, step: str) -> StepType:
    return live.execution.plan.definition.steps[step].type


def _child_key(live: Live, step_type: StepType, child: str) -> Key:
    return Key(account=live.key.account, region=live.key.region, kind=step_type.kind, name=child.lower())


def _cache_key(live: Live, key: str) -> Key:
    name = records.cached_step_name(live.execution.facts.pipeline_name.lower(), key)
    return Key(account=live.key.account, region=live.key.region, kind=records.CACHED_STEP, name=name)


def _ended(run: StepRun, outcome: str, reason: str, properties: Document) -> ev.Ended:
    return ev.Ended(step=run.name, attempt=run.attempt, outcome=outcome, reason=reason, properties=properties)


def _reason(properties: Document, step_type: StepType, run: StepRun, status: str) -> str:
    if status == "Completed":
        return ""
    told: str = properties.get("FailureReason") or properties.get("ExitMessage") or ""
    return told or f"ClientError: {step_type.name} job {run.child} ended {status}."


def _says_exists(error: SagehouseError) -> bool:
    return isinstance(error, InUse) or (isinstance(error, Invalid) and "already exist" in error.message.lower())


def _refused(run: StepRun, step_type: StepType, error: SagehouseError) -> ev.Refused:
    exception_type = ""
    if isinstance(error, Throttled):
        exception_type = THROTTLING
    elif isinstance(error, LimitExceeded):
        exception_type = RESOURCE_LIMIT
    elif isinstance(error, Unavailable):
        exception_type = SERVICE_FAULT
    origin = "InternalServerError" if error.fault == "server" else "ClientError"
    reason = f"{origin}: Failed to invoke sagemaker:{step_type.create}. Error Details: {error.message}"
    return ev.Refused(step=run.name, attempt=run.attempt, exception_type=exception_type, reason=reason)
