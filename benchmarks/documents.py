"""DescribeTrainingJob and ListTrainingJobs with 10,000 jobs stored, against moto's server, request by request."""

import asyncio
import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.figure import Figure
from benchmarks.house import ROOT, House, a_home, plain_environment
from benchmarks.sizes import Sizes
from benchmarks.timing import in_turns
from benchmarks.training import IMAGE
from benchmarks.uv import make_environment
from sagehouse.ports.catalog import Insert, Key
from sagehouse.storage.catalog import SqliteCatalog

MOTO = ROOT / ".envs" / "bench"
_MOTO_REQUIREMENTS = ROOT / "constraints" / "bench.txt"
_BATCH = 1000
_ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
_HEADERS = {
    "Content-Type": "application/x-amz-json-1.1",
    "Authorization": (
        "AWS4-HMAC-SHA256 Credential=123456789012/20200101/us-east-1/sagemaker/aws4_request, "
        "SignedHeaders=host, Signature=0"
    ),
}


def measure(sizes: Sizes) -> list[Figure]:
    with ExitStack() as open_things:
        servers = {"sagehouse": open_things.enter_context(_house(sizes.stored_jobs))}
        if not sizes.is_tiny or MOTO.is_dir():
            servers["moto"] = open_things.enter_context(_moto(sizes.stored_jobs))
        middle = _name(sizes.stored_jobs // 2)
        describe = {"TrainingJobName": middle}
        page = {"MaxResults": 100, "SortBy": "CreationTime", "SortOrder": "Descending"}
        return [
            *_compare(servers, "DescribeTrainingJob", describe, sizes, target_ms=3),
            *_compare(servers, "ListTrainingJobs", page, sizes, target_ms=10),
        ]


def _compare(
    servers: dict[str, str], operation: str, request: dict[str, object], sizes: Sizes, *, target_ms: float
) -> list[Figure]:
    asks = {name: _asker(url, operation, request) for name, url in servers.items()}
    for ask in asks.values():
        ask()
    found = in_turns(sizes.requests, asks)
    ours = statistics.median(found["sagehouse"]) * 1000
    late = statistics.quantiles(found["sagehouse"], n=20)[-1] * 1000
    stored = f"{operation}, {sizes.stored_jobs:,} jobs stored"
    figures = [
        Figure(what=stored, value=ours, unit="ms", target=target_ms, against=f"median; 95th percentile {late:.1f} ms")
    ]
    if "moto" in found:
        theirs = statistics.median(found["moto"]) * 1000
        figures.append(
            Figure(
                what=f"{operation}, as many times faster than moto's server",
                value=theirs / ours,
                unit="x",
                target=3,
                reach="at least",
                against=f"moto {_moto_version()}: {theirs:.1f} ms",
            )
        )
    return figures


def _asker(url: str, operation: str, request: dict[str, object]) -> Callable[[], float]:
    """Return a function that asks once, on a connection kept open if the server keeps it, and says how long it took."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
    body = json.dumps(request).encode()
    headers = {**_HEADERS, "X-Amz-Target": f"SageMaker.{operation}"}

    def ask() -> float:
        began = time.perf_counter()
        connection.request("POST", "/", body=body, headers=headers)
        answer = connection.getresponse()
        told = answer.read()
        took = time.perf_counter() - began
        if answer.status != 200 or b"TrainingJob" not in told:
            raise RuntimeError(f"{url} answered {operation} with {answer.status}: {told[:500]!r}")
        return took

    return ask


def _name(number: int) -> str:
    return f"job-{number:06}"


@contextmanager
def _house(jobs: int) -> Iterator[str]:
    """A house whose catalog was filled through its own adapter before it came up."""
    with a_home() as house:
        house.up()
        house.down()
        asyncio.run(_fill(house, jobs))
        house.up()
        try:
            yield house.url
        finally:
            house.down()


async def _fill(house: House, jobs: int) -> None:
    catalog = SqliteCatalog(house.home / "catalog" / "catalog.sqlite", on_commit=[])
    try:
        for first in range(0, jobs, _BATCH):
            await catalog.write(*(_insert(number) for number in range(first, min(first + _BATCH, jobs))))
    finally:
        catalog.close()


def _insert(number: int) -> Insert:
    name, at = _name(number), 1_700_000_000.0 + number
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name}"
    steps = [("Starting", at, at + 0.1), ("Downloading", at + 0.1, at + 0.2), ("Training", at + 0.2, at + 9)]
    document = {
        **_request(name),
        "TrainingJobArn": arn,
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "CreationTime": at,
        "TrainingStartTime": at + 0.1,
        "TrainingEndTime": at + 9,
        "LastModifiedTime": at + 9,
        "ModelArtifacts": {"S3ModelArtifacts": f"s3://benchmark/output/{name}/output/model.tar.gz"},
        "SecondaryStatusTransitions": [
            {"Status": status, "StartTime": start, "EndTime": end, "StatusMessage": status}
            for status, start, end in steps
        ],
    }
    key = Key(account="123456789012", region="us-east-1", kind="TrainingJob", name=name)
    return Insert(key=key, arn=arn, document=document, now=at, status="Completed")


def _request(name: str) -> dict[str, object]:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://benchmark/train/"}}
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": _ROLE,
        "HyperParameters": {"max-depth": "4", "n-estimators": "50"},
        "InputDataConfig": [{"ChannelName": "train", "DataSource": source}],
        "OutputDataConfig": {"S3OutputPath": "s3://benchmark/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }


@contextmanager
def _moto(jobs: int) -> Iterator[str]:
    """moto's server in an environment of its own, its backend filled with as many jobs."""
    python = MOTO / "bin" / "python"
    if not python.exists():
        make_environment(MOTO, "--requirements", str(_MOTO_REQUIREMENTS), python=sys.executable)
    program = Path(__file__).parent / "peers" / "moto_server.py"
    asked = json.dumps([_request(_name(number)) for number in range(jobs)])
    process = subprocess.Popen(
        [python, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=plain_environment()
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(asked)
        process.stdin.close()
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _moto_version() -> str:
    command = [MOTO / "bin" / "python", "-c", "import moto; print(moto.__version__)"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
