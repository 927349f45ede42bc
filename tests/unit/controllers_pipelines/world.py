"""A little SageMaker for the pipelines controller: real pipeline operations, jobs that end when the test says so."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from botocore.loaders import Loader
from tests.fakes.catalog import FakeCatalog
from tests.fakes.house import ACCOUNT, REGION, FakeIds, a_call, a_house
from tests.fakes.objects import FakeObjects

from sagehouse.controllers.pipelines import PipelinesController
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, Invalid, NotFound
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Insert, Key, Replace, Stored
from sagehouse.services.sagemaker.pipelines import OPERATIONS
from sagehouse.wire.model import ServiceModels
from sagehouse.wire.validate import validate

MODELS = ServiceModels(lambda name: Loader().load_service_model(name, "service-2"), ["sagemaker"])
MODEL = MODELS.service("sagemaker")
JOBS = {"TrainingJob": "training-job", "ProcessingJob": "processing-job", "TransformJob": "transform-job"}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/SageMakerRole"
BUCKET = "sagemaker-us-east-1-123456789012"


class VirtualClock:
    """Time passes only when the test moves it."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        self._sleepers.append((self._now + seconds, event))
        if seconds <= 0:
            event.set()
        await event.wait()

    def advance(self, seconds: float) -> None:
        self._now += seconds
        for at, event in self._sleepers:
            if at <= self._now:
                event.set()


class CrashError(BaseException):
    """`kill -9`: nothing after this line runs."""


class World:
    """Catalog and objects outlive the controller, as they do on disk."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.objects = FakeObjects()
        self.calls: list[tuple[str, Document]] = []
        self.errors: dict[str, list[BaseException]] = {}
        """Operation -> errors its next calls raise."""
        self.before_write: Callable[[Sequence[Any]], None] = lambda changes: None
        self.after_create: Callable[[str], None] = lambda operation: None
        self.controller: PipelinesController | None = None
        self.catalog = _WatchedCatalog(self)
        self.house = a_house(
            catalog=self.catalog, objects=self.objects, ids=FakeIds(), dispatch=self.dispatch, wake=self._wake
        )
        self._serial = itertools.count(1)
        self._ids = FakeIds()

    def _wake(self, key: Key) -> None:
        if self.controller is not None:
            self.controller.wake(key)

    def committed(self, keys: Sequence[Key]) -> None:
        """What the app does: every committed write of a kind the controller watches wakes it."""
        if self.controller is not None:
            for key in keys:
                if key.kind in (*PipelinesController.watched, *PipelinesController.kinds):
                    self.controller.wake(key)

    # ------------------------------------------------------------------------------------------------- operations

    async def ask(self, operation: str, **request: Any) -> Document:
        if "ClientRequestToken" in MODEL.operation(operation).input.members:
            request.setdefault("ClientRequestToken", f"{next(self._serial):032d}")
        return await self.dispatch(a_call(operation, now=self.clock.now()), request)

    async def dispatch(self, call: Call, request: Document) -> Document:
        validate(MODEL.operation(call.operation), request)
        self.calls.append((call.operation, request))
        waiting = self.errors.get(call.operation)
        if waiting:
            raise waiting.pop(0)
        if call.operation in OPERATIONS:
            return await OPERATIONS[call.operation](self.house, call, request)
        answer: Callable[[Document], Awaitable[Document]] = getattr(self, f"_{_snake(call.operation)}", None) or (
            lambda request: self._job(call.operation, request)
        )
        response = await answer(request)
        if call.operation.startswith("Create"):
            self.after_create(call.operation)
        return response

    async def _job(self, operation: str, request: Document) -> Document:
        kind = next(kind for kind in JOBS if operation.endswith(kind))
        name = request[f"{kind}Name"]
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{JOBS[kind]}/{name.lower()}"
        key = Key(account=ACCOUNT, region=REGION, kind=kind, name=name)
        if operation.startswith("Create"):
            tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
            document = {k: v for k, v in request.items() if k != "Tags"}
            document |= {f"{kind}Arn": arn, f"{kind}Status": "InProgress"}
            await self._insert(
                Insert(key=key, arn=arn, document=document, now=0.0, status="InProgress", tags=tags), "ResourceInUse"
            )
            return {f"{kind}Arn": arn}
        stored = await self.catalog.get(key)
        if stored is None:
            raise Invalid("Requested resource not found.")
        if operation.startswith("Stop"):
            await self._end(stored, "Stopped", {})
            return {}
        return dict(stored.document)

    async def _insert(self, insert: Insert, _code: str) -> Stored:
        try:
            return (await self.catalog.write(insert))[0]
        except Conflict:
            raise Invalid(f"{insert.arn} already exists") from None

    async def _create_model(self, request: Document) -> Document:
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/{request['ModelName'].lower()}"
        tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
        key = Key(account=ACCOUNT, region=REGION, kind="Model", name=request["ModelName"])
        await self._insert(Insert(key=key, arn=arn, document=request, now=0.0, tags=tags), "")
        return {"ModelArn": arn}

    async def _describe_model(self, request: Document) -> Document:
        stored = await self.catalog.get(Key(account=ACCOUNT, region=REGION, kind="Model", name=request["ModelName"]))
        if stored is None:
            raise Invalid('Could not find model "x".')
        return {**stored.document, "ModelArn": stored.arn}

    async def _describe_model_package_group(self, request: Document) -> Document:
        key = Key(account=ACCOUNT, region=REGION, kind="ModelPackageGroup", name=request["ModelPackageGroupName"])
        if await self.catalog.get(key) is None:
            raise NotFound("ModelPackageGroup does not exist.")
        return request

    async def _create_model_package_group(self, request: Document) -> Document:
        name = request["ModelPackageGroupName"]
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package-group/{name.lower()}"
        key = Key(account=ACCOUNT, region=REGION, kind="ModelPackageGroup", name=name)
        await self._insert(Insert(key=key, arn=arn, document=request, now=0.0), "")
        return {"ModelPackageGroupArn": arn}

    async def _create_model_package(self, request: Document) -> Document:
        for package in self.packages():
            if package["ClientToken"] == request["ClientToken"]:
                return {"ModelPackageArn": package["ModelPackageArn"]}
        group = request["ModelPackageGroupName"]
        await self._describe_model_package_group(request)
        number = len(self.packages()) + 1
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{group.lower()}/{number}"
        key = Key(account=ACCOUNT, region=REGION, kind="ModelPackage", name=f"{group}/{number}")
        document = {**request, "ModelPackageArn": arn}
        await self._insert(Insert(key=key, arn=arn, document=document, now=0.0), "")
        return {"ModelPackageArn": arn}

    async def _describe_model_package(self, request: Document) -> Document:
        stored = await self.catalog.find(request["ModelPackageName"])
        assert stored is not None
        return dict(stored.document)

    async def _list_tags(self, request: Document) -> Document:
        tags = await self.catalog.tags(request["ResourceArn"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    # ------------------------------------------------------------------------------------------------------- jobs

    def packages(self) -> list[Document]:
        return [stored.document for stored in self.catalog.all("ModelPackage")]

    def jobs(self, *statuses: str) -> list[Stored]:
        found = [stored for kind in JOBS for stored in self.catalog.all(kind)]
        return [stored for stored in found if not statuses or stored.status in statuses]

    async def job(self, step: str) -> Stored:
        """The latest job of a step, once it is there."""
        await settle()
        found = [stored for stored in self.jobs() if f"-{step}-" in stored.key.name]
        assert found, f"no job of step {step} among {[stored.key.name for stored in self.jobs()]}"
        return found[-1]

    async def end(self, step: str, status: str = "Completed", **members: Any) -> None:
        """Let the running job of a step end."""
        await settle()
        running = [stored for stored in self.jobs("InProgress") if f"-{step}-" in stored.key.name]
        assert len(running) == 1, f"{len(running)} running jobs of step {step}"
        await self._end(running[0], status, members)
        await settle()

    async def _end(self, stored: Stored, status: str, members: Document) -> None:
        document = {**stored.document, f"{stored.key.kind}Status": status, **members}
        if stored.key.kind == "TrainingJob" and status == "Completed":
            uri = f"s3://{BUCKET}/{stored.key.name}/output/model.tar.gz"
            document.setdefault("ModelArtifacts", {"S3ModelArtifacts": uri})
        await self.catalog.write(
            Replace(key=stored.key, document=document, status=status, expect_version=stored.version, now=0.0)
        )

    # -------------------------------------------------------------------------------------------------- controller

    @asynccontextmanager
    async def running(self):
        """A controller over this world; leaving kills it without a word, as `kill -9` would."""
        self.controller = PipelinesController(
            catalog=self.catalog,
            objects=self.objects,
            dispatch=self.dispatch,
            clock=self.clock,
            ids=self._ids,
            input_shape=lambda operation: MODEL.operation(operation).input,
        )
        task = asyncio.create_task(self.controller.run())
        await settle()
        try:
            yield self
        finally:
            self.controller = None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def start(self, definition: str, name: str = "quickstart", **more: Any) -> str:
        """Create a pipeline of this definition and start it; return the execution's ARN."""
        await self.ask("CreatePipeline", PipelineName=name, PipelineDefinition=definition, RoleArn=ROLE)
        return await self.again(name, **more)

    async def again(self, name: str = "quickstart", **more: Any) -> str:
        arn = (await self.ask("StartPipelineExecution", PipelineName=name, **more))["PipelineExecutionArn"]
        await settle()
        return str(arn)

    async def execution(self, arn: str) -> Document:
        await settle()
        return await self.ask("DescribePipelineExecution", PipelineExecutionArn=arn)

    async def status(self, arn: str) -> str:
        return str((await self.execution(arn))["PipelineExecutionStatus"])

    async def steps(self, arn: str) -> list[Document]:
        """In the order in which they began."""
        await settle()
        output = await self.ask("ListPipelineExecutionSteps", PipelineExecutionArn=arn, SortOrder="Ascending")
        return list(output["PipelineExecutionSteps"])

    async def statuses(self, arn: str) -> dict[str, str]:
        return {step["StepName"]: step["StepStatus"] for step in await self.steps(arn)}

    async def put_json(self, uri: str, text: str) -> None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not any(found.name == bucket for found in await self.objects.buckets(ACCOUNT)):
            await self.objects.create_bucket(bucket, account=ACCOUNT, region=REGION, now=0.0)
        await self.objects.write(bucket, key, text.encode(), content_type="application/json", now=0.0)


class _WatchedCatalog(FakeCatalog):
    def __init__(self, world: World) -> None:
        super().__init__(on_commit=[world.committed])
        self._world = world

    async def write(self, *changes: Any) -> list[Stored]:
        self._world.before_write(changes)
        return await super().write(*changes)

    def all(self, kind: str) -> list[Stored]:
        return [
            replace(stored, document=json.loads(text))
            for stored, text in self._room.resources.values()
            if stored.key.kind == kind
        ]


async def settle() -> None:
    """Let every task run until nothing moves any more."""
    for _ in range(200):
        await asyncio.sleep(0)


def _snake(operation: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")
