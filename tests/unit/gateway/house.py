"""A gateway over six-line services, listening on a real port: what the gateway's tests share."""

import asyncio
import errno
import hashlib
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import uvloop
from botocore.config import Config

from sagehouse.gateway.app import Gateway
from sagehouse.gateway.authority import Authority
from sagehouse.gateway.dispatcher import Dispatcher
from sagehouse.gateway.listener import Listener, bind
from sagehouse.gateway.tunnel import Upstream
from sagehouse.kit.errors import Conflict, Invalid, NotFound
from sagehouse.ports.house import House
from sagehouse.ports.stream import FileSlice


class SteadyClock:
    def now(self) -> float:
        return datetime.now(UTC).timestamp()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class CountingIds:
    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def uuid(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._numbers):012d}"

    def suffix(self, length: int) -> str:
        return "a" * length


@dataclass
class Shelf:
    """A service of three kinds of answer, and what it was asked."""

    directory: Path
    calls: list[Any] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)
    """Per PutObject: (bytes, digest, trailers); "broken" for a body that ended early."""

    async def get_caller_identity(self, _house, call, _request):
        self.calls.append(call)
        return {"Account": call.account, "Arn": call.principal, "UserId": "AROAEXAMPLE:session"}

    async def create_training_job(self, _house, call, request):
        self.calls.append(call)
        return {"TrainingJobArn": f"arn:aws:sagemaker:{call.region}:{call.account}:training-job/x", "Surprise": request}

    async def describe_training_job(self, _house, _call, request):
        raise NotFound("Requested resource not found.", code="ValidationException")

    async def list_training_jobs(self, _house, _call, _request):
        raise ZeroDivisionError("nobody foresaw this")

    async def describe_endpoint(self, house, call, request):
        from dataclasses import replace

        inner = replace(call, service="sts", operation="GetCallerIdentity")
        identity = await house.dispatch(inner, {})
        return {"EndpointName": request["EndpointName"], "EndpointArn": identity["Arn"]}

    async def put_object(self, _house, call, request):
        self.calls.append(call)
        if request["Bucket"] == "absent":
            raise NotFound("The specified bucket does not exist", code="NoSuchBucket", details={"BucketName": "absent"})
        digest, size = hashlib.md5(), 0
        try:
            async for chunk in request["Body"]:
                digest.update(chunk)
                size += len(chunk)
        except BaseException:
            self.seen.append("broken")
            raise
        self.seen.append((size, digest.hexdigest(), dict(request["Body"].trailers)))
        return {"ETag": f'"{digest.hexdigest()}"'}

    async def get_object(self, _house, _call, request):
        key = request["Key"]
        if key == "changed":
            raise Conflict("Not modified", code="NotModified", details={"etag": '"abc"'})
        if key == "iterated":
            return {"Body": self._pieces(), "ContentType": "text/plain"}
        path = self.directory / key
        if not path.exists():
            raise NotFound("The specified key does not exist.", code="NoSuchKey", details={"Key": key})
        size = path.stat().st_size
        return {
            "Body": FileSlice(path=path, start=0, length=size),
            "ContentLength": size,
            "ContentType": "binary/octet-stream",
            "Metadata": {"who": "me"},
        }

    async def _pieces(self) -> AsyncIterator[bytes]:
        for number in range(3):
            yield f"{number},".encode()

    async def head_object(self, _house, _call, request):
        if request["Key"] != "there":
            raise NotFound("Not Found", code="NoSuchKey")
        return {"ContentLength": 12, "ETag": '"e"'}

    async def delete_objects(self, _house, _call, request):
        return {"Deleted": [{"Key": item["Key"]} for item in request["Delete"]["Objects"]]}

    async def get_bucket_location(self, _house, _call, _request):
        return {"LocationConstraint": "eu-west-1"}

    async def delete_bucket(self, _house, _call, request):
        if request["Bucket"] == "full-disk":
            raise OSError(errno.ENOSPC, "No space left on device", "/somewhere")
        return {}

    async def invoke_endpoint(self, _house, _call, request):
        if request["EndpointName"] == "failing":
            details = {"OriginalStatusCode": "500", "OriginalMessage": "boom", "LogStreamArn": "arn:x"}
            raise Invalid("Received server error (500) from model", code="ModelError", details=details)
        return {"Body": request["Body"][::-1], "ContentType": request.get("ContentType", "text/csv")}

    async def get_role(self, _house, _call, request):
        raise NotFound(f"The role with name {request['RoleName']} cannot be found.")

    def operations(self):
        return {
            "sts": {"GetCallerIdentity": self.get_caller_identity},
            "iam": {"GetRole": self.get_role},
            "logs": {},
            "sagemaker": {
                "CreateTrainingJob": self.create_training_job,
                "DescribeTrainingJob": self.describe_training_job,
                "ListTrainingJobs": self.list_training_jobs,
                "DescribeEndpoint": self.describe_endpoint,
            },
            "sagemaker-runtime": {"InvokeEndpoint": self.invoke_endpoint},
            "s3": {
                "PutObject": self.put_object,
                "GetObject": self.get_object,
                "HeadObject": self.head_object,
                "DeleteObjects": self.delete_objects,
                "GetBucketLocation": self.get_bucket_location,
                "DeleteBucket": self.delete_bucket,
            },
        }


async def _health(method: str, query: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, {"status": "up", "method": method, "query": dict(query)}


def a_gateway(shelf: Shelf) -> Gateway:
    dispatcher = Dispatcher(shelf.operations())
    unused: Any = None
    house = House(
        catalog=unused,
        objects=unused,
        uploads=unused,
        streams=unused,
        serving=unused,
        wake=unused,
        ids=unused,
        dispatch=dispatcher,
    )
    dispatcher.open(house)
    return Gateway(dispatcher, clock=SteadyClock(), ids=CountingIds(), admin={"health": _health})


@dataclass(frozen=True)
class Running:
    port: int
    shelf: Shelf
    authority: Authority
    bundle: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str, **more: Any) -> Any:
        settings = {
            "endpoint_url": self.url,
            "region_name": "eu-west-1",
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
            "config": Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=20),
        }
        return boto3.session.Session().client(service, **{**settings, **more})


@contextmanager
def listening(run: Callable[[], Awaitable[None]], *, loop_factory: Callable[[], Any]) -> Iterator[None]:
    """Run an endless coroutine in a thread of its own until the block ends."""
    loop = loop_factory()
    tasks: list[asyncio.Task[None]] = []
    started = threading.Event()

    async def main() -> None:
        tasks.append(asyncio.ensure_future(run()))
        started.set()
        await asyncio.gather(*tasks, return_exceptions=True)

    def work() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(main())

    thread = threading.Thread(target=work, name="gateway under test")
    thread.start()
    started.wait()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(tasks[0].cancel)
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def a_running_gateway(
    directory: Path, *, loop_factory: Callable[[], Any] = uvloop.new_event_loop, upstream: Upstream | None = None
) -> Iterator[Running]:
    shelf = Shelf(directory)
    authority = Authority(directory / "authority", SteadyClock())
    bundle = directory / "bundle.pem"
    authority.bundle(bundle)
    listener = Listener(a_gateway(shelf), bind("127.0.0.1", 0), authority=authority, upstream=upstream, grace_s=1.0)
    with listening(listener.run, loop_factory=loop_factory):
        yield Running(listener.port, shelf, authority, bundle)
