"""Scripts put to work in a running house by plain boto3, and what is left of them."""

import io
import json
import os
import signal
import tarfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import boto3
from botocore.config import Config
from tests.system.conftest import RunningHouse, a_house

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/SageMakerRole"
SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
MOVING = {"InProgress", "Stopping", "Creating", "Updating", "Executing", "Deleting"}
MB = 1024 * 1024
_LOOK_S = 0.05
_LIMIT_S = 60.0


@dataclass
class Lab:
    """One house and a bucket in it. Names of jobs are given by the tests; clients do not retry."""

    house: RunningHouse
    bucket: str = "lab"
    _clients: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.s3.create_bucket(Bucket=self.bucket)

    def client(self, service: str) -> Any:
        """Return a client of the house as it is now: after a restart it may answer elsewhere."""
        url = self.house.url
        found = self._clients.get(f"{service} {url}")
        if found is None:
            found = self._clients[f"{service} {url}"] = boto3.session.Session().client(
                service,
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id=ACCOUNT,
                aws_secret_access_key="sagehouse",
                config=Config(retries={"max_attempts": 0}, read_timeout=60),
            )
        return found

    @property
    def s3(self) -> Any:
        return self.client("s3")

    @property
    def sagemaker(self) -> Any:
        return self.client("sagemaker")

    # -- objects

    def put(self, key: str, data: bytes | str = b"1,2\n") -> str:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)
        return f"s3://{self.bucket}/{key}"

    def get(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    # -- jobs

    def process(self, name: str, script: str, *, inputs: dict[str, str] | None = None, **more: Any) -> str:
        """Start a script as a processing job; what it leaves in /opt/ml/processing/out goes to {name}/."""
        code = self.put(f"code/{name}/script.py", textwrap.dedent(script))
        given = {"code": code, **(inputs or {})}
        request: dict[str, Any] = {
            "ProcessingJobName": name,
            "RoleArn": ROLE,
            "AppSpecification": {
                "ImageUri": SKLEARN,
                "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/script.py"],
            },
            "ProcessingInputs": [
                {
                    "InputName": channel,
                    "S3Input": {
                        "S3Uri": uri,
                        "LocalPath": f"/opt/ml/processing/input/{channel}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
                for channel, uri in given.items()
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "out",
                        "S3Output": {
                            "S3Uri": f"s3://{self.bucket}/{name}",
                            "LocalPath": "/opt/ml/processing/out",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 10}
            },
        }
        self.sagemaker.create_processing_job(**{**request, **more})
        return name

    def train(
        self,
        name: str,
        script: str,
        *,
        inputs: dict[str, str] | None = None,
        files: Mapping[str, str] = MappingProxyType({}),
        **more: Any,
    ) -> str:
        """Start a script, with `files` beside it, as a training job in script mode.

        Its model goes to {name}/output/model.tar.gz.
        """
        code = self.put(f"code/{name}/sourcedir.tar.gz", archive({"train.py": textwrap.dedent(script), **files}))
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "AlgorithmSpecification": {"TrainingImage": SKLEARN, "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "HyperParameters": {
                "sagemaker_program": '"train.py"',
                "sagemaker_submit_directory": json.dumps(code),
            },
            "InputDataConfig": [
                {
                    "ChannelName": channel,
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
                }
                for channel, uri in (inputs or {}).items()
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }
        if not inputs:
            del request["InputDataConfig"]
        self.sagemaker.create_training_job(**{**request, **more})
        return name

    def model(
        self,
        name: str,
        *,
        script: str,
        data: bytes | None = None,
        files: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Store a model whose inference script is `script`, with `files` beside it; `data` replaces its archive."""
        uri = self.put(f"models/{name}/model.tar.gz", archive({"weights": "1"}) if data is None else data)
        code = self.put(f"models/{name}/sourcedir.tar.gz", archive({"serve.py": textwrap.dedent(script), **files}))
        environment = {"SAGEMAKER_PROGRAM": "serve.py", "SAGEMAKER_SUBMIT_DIRECTORY": code}
        container = {"Image": SKLEARN, "ModelDataUrl": uri, "Environment": environment}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        return name

    def deploy(self, name: str) -> str:
        """Serve the model of that name; the endpoint is called the same. Returns at once."""
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": name,
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
        }
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        return name

    def transform(self, name: str, *, model: str, prefix: str, **more: Any) -> str:
        """Put every file under a prefix through a model; results go to {name}/."""
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{self.bucket}/{prefix}"}}
        request: dict[str, Any] = {
            "TransformJobName": name,
            "ModelName": model,
            "TransformInput": {"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
            "TransformOutput": {"S3OutputPath": f"s3://{self.bucket}/{name}", "AssembleWith": "Line"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        }
        self.sagemaker.create_transform_job(**{**request, **more})
        return name

    # -- looking

    def describe(self, kind: str, name: str) -> dict[str, Any]:
        """Return what DescribeX answers of "TrainingJob", "ProcessingJob", "TransformJob" or "Endpoint"."""
        words = {
            "TrainingJob": "training_job",
            "ProcessingJob": "processing_job",
            "TransformJob": "transform_job",
            "Endpoint": "endpoint",
        }
        described: dict[str, Any] = getattr(self.sagemaker, f"describe_{words[kind]}")(**{f"{kind}Name": name})
        return described

    def ended(self, kind: str, name: str, *, limit_s: float = _LIMIT_S) -> dict[str, Any]:
        """Return what is described of something once nothing more will happen to it by itself."""
        return awaited(
            lambda: (found := self.describe(kind, name))[f"{kind}Status"] not in MOVING and found,
            f"{kind} {name} ends",
            limit_s=limit_s,
        )

    def processed(self, name: str, script: str, **more: Any) -> dict[str, Any]:
        """Run a processing job to its end."""
        return self.ended("ProcessingJob", self.process(name, script, **more))

    def trained(self, name: str, script: str, **more: Any) -> dict[str, Any]:
        """Run a training job to its end."""
        return self.ended("TrainingJob", self.train(name, script, **more))

    def lines(self, kind: str, name: str) -> list[str]:
        """Return every line of a job's log so far."""
        logs, group = self.client("logs"), f"/aws/sagemaker/{kind}s"
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, logStreamNamePrefix=f"{name}/")
            return [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []

    def said(self, kind: str, name: str, word: str) -> bool:
        return any(word in line for line in self.lines(kind, name))

    def hears(self, kind: str, name: str, word: str) -> None:
        """Return once a job has said a word."""
        awaited(lambda: self.said(kind, name, word), f"{kind} {name} says {word!r}")

    # -- bad days

    def kill(self) -> None:
        """Kill the house, and only it, as `kill -9` does; return once it is gone."""
        pid = int(self.house.card["pid"])
        gone = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(gone, signal.SIGKILL)
            awaited(lambda: not _runs(pid), f"process {pid} ends")
        finally:
            os.close(gone)

    def gate(self, name: str) -> tuple[str, Callable[[], object]]:
        """Return a URL that a script asks until it is there, and what lets it go on."""
        key = f"gates/{name}"
        url = self.s3.generate_presigned_url("get_object", Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=3600)
        return url, lambda: self.put(key, b"go")

    def crash(self) -> float:
        """Kill the house and start it again; return how many seconds it took until it answered."""
        self.kill()
        began = time.monotonic()
        self.house.up()
        self.s3.head_bucket(Bucket=self.bucket)
        return time.monotonic() - began


def archive(files: dict[str, str | bytes]) -> bytes:
    """Return a tar.gz of these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def awaited(look: Callable[[], Any], what: str, *, limit_s: float = _LIMIT_S) -> Any:
    """Return the first answer of `look` that is true."""
    deadline = time.monotonic() + limit_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {limit_s:.0f} s: {what}"
        time.sleep(_LOOK_S)
    return found


def processes_of(home: Path) -> Iterator[tuple[int, str]]:
    """Yield (process id, command line) of everything that runs for the house of a data directory.

    Supervisors have the directory in their command line; the house itself has it in its environment.
    """
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            house = f"SAGEHOUSE_HOME={home}\0".encode() in (entry / "environ").read_bytes() + b"\0"
            is_ours = str(home) in line or (house and "sagehouse" in line)
        except OSError:
            continue  # it has ended meanwhile
        if is_ours and _runs(int(entry.name)):
            yield int(entry.name), line


def _runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        status = (Path("/proc") / str(pid) / "stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


@contextmanager
def a_lab(home: Path) -> Iterator[Lab]:
    """A house of a test file's own; afterwards nothing of it runs any more."""
    house = a_house(home)
    house.up()
    try:
        yield Lab(house)
    finally:
        house.up()
        house.reset()
        house.down()
        awaited(lambda: not list(processes_of(home)), f"nothing runs for {home}")
