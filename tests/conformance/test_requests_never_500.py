"""Thousands of requests, right, nearly right and broken, for every bound operation of a whole house: never a 500.

All adapters are the real ones, in a directory of the tests' own; what the requests start really runs. Only the Python
environments are those of the tests, so that nothing is installed.
"""

import asyncio
import base64
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import pytest
from tests.conformance.test_kinds_robustness import mixed
from tests.conformance.test_wire_robustness import broken, mutated
from tests.conformance.wire_documents import Maker, client_request
from tests.conformance.world import BUCKET, ROLE, SKLEARN, WALKS, a_version
from tests.fakes.environments import FakeEnvironments

from sagehouse.app.admin import Admin
from sagehouse.app.bound import SERVICES
from sagehouse.app.config import Config
from sagehouse.app.rooms import Rooms, build_rooms
from sagehouse.app.serve import Household
from sagehouse.gateway.app import Gateway
from sagehouse.gateway.authority import Authority
from sagehouse.wire.http import HttpRequest
from sagehouse.wire.shapes import Shape

SEED = int(os.environ.get("SAGEHOUSE_TEST_SEED", "7"))
"""Another seed asks other requests; a failure names none, for its requests are made again by the same one."""
ROUNDS = {"allowed": 20, "nearly": 40, "strange": 40, "odd": 20, "broken": 30}
"""Requests of each sort per operation."""
OPTIONAL = 0.3
"""How often a member that need not be there is: all of them together exclude each other."""
LIMIT_S = 10.0
"""No answer takes longer, on a machine that is busy with what the requests have started."""
OPERATIONS = [(service, name) for service, functions in SERVICES.items() for name in functions]
ACCOUNT, REGION = "123456789012", "eu-west-1"  # as tests.conformance.wire_documents signs
HERE = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
STARTED = re.compile(r"^(Create(Training|Processing|Transform)Job|CreateEndpoint|StartPipelineExecution)$")
"""What starts processes is asked for less often."""

TOKENS: list[Any] = [
    "",
    "not a token",
    "é",
    "=",
    "AAAA",
    *(
        base64.urlsafe_b64encode(text.encode()).decode()
        for text in (
            "5",
            "null",
            "[]",
            "{}",
            "[1]",
            '["a"]',
            '["a", "b"]',
            '["a", 1]',
            "[1, 2, 3, 4]",
            "1 2",
            "a b",
            "[[" * 40,
        )
    ),
]
"""Tokens that were never given out, for pages that do not exist."""
KNOWN: dict[str, list[Any]] = {
    "Bucket": [BUCKET],
    "ExpectedBucketOwner": [ACCOUNT],
    "ExpectedSourceBucketOwner": [ACCOUNT],
    "VersionId": ["null"],
    "Key": ["data/train/a.csv", "odd//key/../ä", "absent"],
    "Prefix": ["", "data/", "d"],
    "CopySource": [f"{BUCKET}/data/train/a.csv", f"{BUCKET}/absent"],
    "Range": ["bytes=0-1", "bytes=-5", "bytes=9-1", "bytes=0-", "words=1"],
    "UploadId": ["upload"],
    "TrainingJobName": ["job-1"],
    "ProcessingJobName": ["job-1"],
    "TransformJobName": ["job-1"],
    "ModelName": ["the-model"],
    "EndpointConfigName": ["the-config"],
    "EndpointName": ["the-endpoint"],
    "ModelPackageGroupName": ["the-group"],
    "PipelineName": ["the-pipeline"],
    "RoleArn": [ROLE],
    "RoleName": ["SageMakerRole", "Other"],
    "UserName": ["session"],
    "PolicyName": ["allow"],
    "PolicyArn": ["arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"],
    "logGroupName": ["/aws/sagemaker/TrainingJobs", "group"],
    "logStreamName": ["stream"],
    "logStreamNamePrefix": ["s"],
    "filterPattern": ['"a"', "?a ?b", "-x", "{ $.a = 1 }", "[a, b]", '"'],
    "NextToken": TOKENS,
    "nextToken": [*TOKENS, "f/0", "b/99999999999", "f/", "f/-1", "f/9" + "9" * 30],
    "ContinuationToken": TOKENS,
    "KeyMarker": TOKENS,
    "Marker": TOKENS,
}


ODD = (
    *(
        "\ud800",
        "a\udfff",
        "\0",
        "\x7f",
        "\u202etxt.exe",
        "\ufffe",
        "a" * 70_000,
        "ß" * 2000,
        "../../etc/passwd",
        "/",
        ".",
    ),
    *(
        "%00",
        "%s%n",
        "${jndi:ldap://x}",
        "'; DROP TABLE resources; --",
        "s3://",
        "arn:",
        "arn:aws:sagemaker:::",
        "*",
        "-",
    ),
    *(10**400, -(10**400), 1e308, -0.0, float("nan"), float("inf"), 2**63, -(2**63) - 1, 2**53 + 1),
    *([[]] * 300, {"": ""}, {"a": {"a": {"a": {}}}}, False),
)
"""What JSON can say and other things choke on: lone surrogates, numbers no machine has, names that lead elsewhere."""


def odder(value: Any, dice: random.Random) -> Any:
    """Return a document with odd things in one or two of its leaves."""
    if isinstance(value, dict) and value:
        name = dice.choice(list(value))
        return {**value, name: odder(value[name], dice)}
    if isinstance(value, list) and value:
        place = dice.randrange(len(value))
        return [*value[:place], odder(value[place], dice), *value[place + 1 :]]
    kin = [odd for odd in ODD if isinstance(odd, str)] if isinstance(value, str) else ODD
    return dice.choice(kin)


def knowing(value: Any, names: dict[str, list[Any]], dice: random.Random) -> Any:
    """Return a document in which names of what exists stand in places that ask for such names."""
    if isinstance(value, dict):
        return {
            name: dice.choice(names[name])
            if name in names and isinstance(item, str) and dice.random() < 0.8
            else knowing(item, names, dice)
            for name, item in value.items()
        }
    return [knowing(item, names, dice) for item in value] if isinstance(value, list) else value


@dataclass
class WholeHouse:
    """A running house and its front door."""

    rooms: Rooms
    gateway: Gateway

    async def ask(self, request: HttpRequest) -> tuple[int, bytes]:
        """Return status and body as a client hears them; TimeoutError if it would still wait after LIMIT_S."""
        sent: list[dict[str, Any]] = []
        messages = [{"type": "http.request", "body": request.body, "more_body": False}]
        never = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if not messages:
                await never.wait()
            return messages.pop()

        async def send(message: Any) -> None:
            sent.append(dict(message))

        scope = {
            "type": "http",
            "method": request.method,
            "raw_path": request.raw_path.encode("latin-1", errors="replace"),
            "query_string": request.query.encode("latin-1", errors="replace"),
            "headers": [
                (name.encode("latin-1"), value.encode("utf-8", errors="replace"))
                for name, value in request.headers.items()
            ],
        }
        async with asyncio.timeout(LIMIT_S):
            await self.gateway(scope, receive, send)
        assert not sent[-1].get("more_body")
        return int(sent[0]["status"]), b"".join(message.get("body", b"") for message in sent[1:])

    async def do(self, service: str, name: str, document: dict[str, Any]) -> tuple[int, bytes]:
        return await self.ask(client_request(self.operation(service, name), document))

    async def must(self, service: str, name: str, document: dict[str, Any]) -> bytes:
        status, body = await self.do(service, name, document)
        assert status < 300, (name, status, body)
        return body

    def operation(self, service: str, name: str) -> Any:
        return self.rooms.dispatcher.models.service(service).operation(name)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, runner: asyncio.Runner) -> Iterator[WholeHouse]:
    home = tmp_path_factory.mktemp("house")
    config = Config(home=home, environments=home / "environments", region=REGION)
    rooms = replace(build_rooms(config, url="http://127.0.0.1:9"), environments=FakeEnvironments())
    Authority(config.authority, rooms.clock).bundle(config.bundle, extra=[])
    for name in ("aws", "sagemaker"):
        (home / name).mkdir()
    household = Household(rooms)
    admin = Admin(catalog=rooms.catalog, feed=rooms.feed, started_at=0.0, empty_house=household.empty)
    house = WholeHouse(rooms, Gateway(rooms.dispatcher, clock=rooms.clock, ids=rooms.ids, admin=admin.routes()))
    living = runner.get_loop().create_task(household.run(), name="household")
    runner.run(furnish(house))
    yield house
    assert not living.done(), "the house has died"
    runner.run(household.empty())
    living.cancel()
    runner.run(asyncio.wait([living]))
    rooms.close()


async def furnish(house: WholeHouse) -> None:
    """Let there be one of everything that requests may name."""
    await house.must("s3", "CreateBucket", {"Bucket": BUCKET, **HERE})
    for key in ("data/train/a.csv", "odd//key/../ä", "model/model.tar.gz"):
        await house.must("s3", "PutObject", {"Bucket": BUCKET, "Key": key, "Body": b"1,2\n" * 100})
    answer = await house.must("s3", "CreateMultipartUpload", {"Bucket": BUCKET, "Key": "data/train/a.csv"})
    upload = re.search(rb"<UploadId>(.*)</UploadId>", answer)
    assert upload
    KNOWN["UploadId"] = [upload.group(1).decode()]
    for noun, name in (
        ("Model", "the-model"),
        ("EndpointConfig", "the-config"),
        ("ModelPackageGroup", "the-group"),
        ("Pipeline", "the-pipeline"),
        ("TrainingJob", "job-1"),
        ("ProcessingJob", "job-1"),
        ("TransformJob", "job-1"),
        ("Endpoint", "the-endpoint"),
    ):
        sample = next(walk for walk in WALKS if walk.noun == noun).request(name)
        await house.must("sagemaker", f"Create{noun}", here(sample))
    await house.must("logs", "CreateLogGroup", {"logGroupName": "group"})
    await house.must("logs", "CreateLogStream", {"logGroupName": "group", "logStreamName": "stream"})


def here(document: Any) -> Any:
    """Return a sample as this house takes it: in its region."""
    return json.loads(
        json.dumps(document).replace("us-east-1", REGION).replace(BUCKET.replace("us-east-1", REGION), BUCKET)
    )


SAMPLES = {f"Create{walk.noun}": walk.request for walk in WALKS} | {"CreateModelPackage": lambda _: a_version()}


def requests_of(house: WholeHouse, service: str, name: str) -> Iterator[tuple[str, HttpRequest]]:
    """Yield (how it was made, request): the same ones whenever it is asked."""
    operation = house.operation(service, name)
    dice = random.Random(f"{SEED} {service} {name}")
    share = 0.1 if STARTED.match(name) else 1.0
    for sort, count in ROUNDS.items():
        for number in range(max(2, int(count * share))):
            document = a_document(operation.input, name, sort, f"{sort}-{number}", dice)
            yield from a_request(operation, document, sort, dice)


def a_document(shape: Shape | None, name: str, sort: str, label: str, dice: random.Random) -> dict[str, Any]:
    document = Maker(dice.randrange(1 << 30), is_full=dice.random() < 0.3, is_valid=True).document(shape)
    if sort != "allowed":
        asked = shape.required if shape else ()
        lean = {member: item for member, item in document.items() if member in asked or dice.random() < OPTIONAL}
        document = knowing(lean, KNOWN, dice)
    if sort in {"nearly", "strange"} and name in SAMPLES:
        document = mixed(here(SAMPLES[name](f"new-{label}")), document, dice)
    return document


def a_request(
    operation: Any, document: dict[str, Any], sort: str, dice: random.Random
) -> Iterator[tuple[str, HttpRequest]]:
    request = client_request(operation, document)
    if sort in {"strange", "odd"} and operation.service.protocol == "json":
        worse = mutated(document, dice) if sort == "strange" else odder(document, dice)
        request = replace(request, body=json.dumps(worse).encode())
    elif sort in {"strange", "odd", "broken"}:
        sort, request = "broken", broken(request, dice)
    yield f"{sort} {json.dumps(document, default=repr)[:3000]}", request


def is_fine(service: str, status: int, body: bytes, *, sort: str) -> bool:
    """Whether that is an answer.

    An endpoint without a model that answers is unavailable, and S3 does not implement what it does not honour; both say
    so in AWS's words. A broken request may have become that of an operation which is not bound.
    """
    if status == 501:
        unhonoured = service == "s3" and (b"implies functionality that is not implemented" in body or not body)
        return unhonoured or (sort == "broken" and b"does not implement" in body)
    return status < 500 or (service == "sagemaker-runtime" and status == 503 and b"ServiceUnavailable" in body)


@pytest.mark.parametrize("service", SERVICES)
def test_whatever_is_asked_of_any_operation_is_answered(
    house: WholeHouse, runner: asyncio.Runner, service: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In eight lines at once, as clients ask; a failure names the request, which the seed makes again."""
    failures: list[str] = []
    statuses: Counter[int] = Counter()

    async def ask_all(names: list[str]) -> None:
        for name in names:
            for how, request in requests_of(house, service, name):
                began = time.monotonic()
                try:
                    status, body = await house.ask(request)
                except TimeoutError:
                    failures.append(f"{name}: no answer after {LIMIT_S:.0f} s to {how}")
                    continue
                statuses[status] += 1
                if not is_fine(service, status, body, sort=how.partition(" ")[0]):
                    failures.append(f"{name}: {status} {body[:500]!r} to {how} ({time.monotonic() - began:.1f} s)")

    async def all_at_once() -> None:
        names = list(SERVICES[service])
        async with asyncio.TaskGroup() as group:
            for line in range(8):
                group.create_task(ask_all(names[line::8]), name=f"line-{line}")

    runner.run(all_at_once())
    print(f"{service}: {dict(sorted(statuses.items()))}")
    assert not failures, f"{len(failures)} failures\n" + "\n".join(failures[:20])
    if service != "sagemaker-runtime":  # no model answers here
        assert sum(count for status, count in statuses.items() if status < 300) > sum(statuses.values()) / 50
    unforeseen = [record.getMessage() for record in caplog.records if record.exc_info]
    assert unforeseen == []


DEEP = 200_000
LAUGHING = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "ha">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
    + b"]><Tagging>&a9;</Tagging>"
)
BODIES = {
    "deep lists": b"[" * DEEP,
    "deep objects": b'{"a":' * DEEP,
    "deep and whole": b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a number of a million digits": b'{"MaxResults": ' + b"9" * 1_000_000 + b"}",
    "a list": b"[]",
    "null": b"null",
    "text": b'"a"',
    "twice the same": b'{"NameContains": "a", "NameContains": 1}',
    "not UTF-8": b'{"NameContains": "\xff"}',
    "UTF-16": '{"NameContains": "a"}'.encode("utf-16"),
    "with a mark": b'\xef\xbb\xbf{"NameContains": "a"}',
    "two": b"{}{}",
    "endless name": b'{"' + b"a" * 10_000_000 + b'": 1}',
    "deep XML": b"<a>" * DEEP,
    "deep and whole XML": b"<Tagging>" + b"<a>" * DEEP + b"</a>" * DEEP + b"</Tagging>",
    "laughing XML": LAUGHING,
    "laughing XML in UTF-16": LAUGHING.decode().encode("utf-16"),
    "many attributes": b"<a " + b" ".join(b'a%d="1"' % n for n in range(100_000)) + b"/>",
    "form": b"Action=ListRoles&Version=2010-05-08&" + b"&".join(b"A.member.%d=1" % n for n in range(50_000)),
    "form with a far index": b"Action=TagRole&Version=2010-05-08&RoleName=a&Tags.member.99999999999.Key=a",
}


@pytest.mark.parametrize("what", BODIES)
def test_whatever_a_body_is_it_is_answered(house: WholeHouse, runner: asyncio.Runner, what: str) -> None:
    """Of one operation of each protocol."""
    asked = {
        "ListTrainingJobs": ("sagemaker", {}),
        "DescribeLogGroups": ("logs", {}),
        "PutBucketTagging": ("s3", {"Bucket": BUCKET, "Tagging": {"TagSet": []}}),
        "ListRoles": ("iam", {}),
    }
    for name, (service, document) in asked.items():
        request = client_request(house.operation(service, name), document)
        headers = {key: value for key, value in request.headers.items() if "md5" not in key and "checksum" not in key}
        status, body = runner.run(house.ask(replace(request, headers=headers, body=BODIES[what])))
        assert status < 500, (name, status, body[:500])
    assert runner.run(house.must("sagemaker", "ListModels", {}))


def test_afterwards_the_house_is_well_and_a_job_completes(house: WholeHouse, runner: asyncio.Runner) -> None:
    async def work() -> None:
        route = quote("/_sagehouse/health")
        status, body = await house.ask(HttpRequest(method="GET", raw_path=route, query="", headers={}, body=b""))
        assert (status, json.loads(body)["status"]) == (200, "up")
        script = b"import os; os.chdir('/opt/ml/processing/out'); open('a', 'w').write('done')"
        await house.must("s3", "CreateBucket", {"Bucket": "after", **HERE})
        await house.must("s3", "PutObject", {"Bucket": "after", "Key": "code/x.py", "Body": script})
        local = "/opt/ml/processing"
        source = {"S3Uri": "s3://after/code/x.py", "S3DataType": "S3Prefix", "S3InputMode": "File"}
        target = {"S3Uri": "s3://after/out", "LocalPath": f"{local}/out", "S3UploadMode": "EndOfJob"}
        await house.must(
            "sagemaker",
            "CreateProcessingJob",
            {
                "ProcessingJobName": "afterwards",
                "AppSpecification": {"ImageUri": SKLEARN, "ContainerEntrypoint": ["python", f"{local}/in/x.py"]},
                "ProcessingInputs": [{"InputName": "code", "S3Input": {**source, "LocalPath": f"{local}/in"}}],
                "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": target}]},
                "ProcessingResources": {
                    "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 1}
                },
                "RoleArn": ROLE,
            },
        )
        async with asyncio.timeout(60):
            while True:
                body = await house.must("sagemaker", "DescribeProcessingJob", {"ProcessingJobName": "afterwards"})
                job = json.loads(body)
                if job["ProcessingJobStatus"] != "InProgress":
                    break
                await asyncio.sleep(0.05)
        assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
        assert await house.must("s3", "GetObject", {"Bucket": "after", "Key": "out/a"}) == b"done"

    runner.run(work())
