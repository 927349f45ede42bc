"""`kill -9` of the house at any moment: acknowledged writes stay, running work is adopted, nothing runs twice."""

import hashlib
import http.client
import io
import json
import random
import tarfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.system.lab import MB, SKLEARN, Lab, a_lab, awaited, processes_of

pytestmark = pytest.mark.system

WAITS_AT_A_GATE = """
    import os, time, urllib.error, urllib.request
    print("begun", flush=True)
    while True:
        try:
            urllib.request.urlopen(os.environ["GATE"], timeout=5).read()
            break
        except (OSError, urllib.error.URLError):
            time.sleep(0.05)
"""
SERVES_ITS_NAME = """
    import uuid
    def model_fn(directory):
        return uuid.uuid4().hex
    def input_fn(body, content_type):
        return body
    def predict_fn(data, model):
        return model
    def output_fn(prediction, accept):
        return prediction.encode()
"""
DOUBLES_SLOWLY = """
    import time
    def model_fn(directory):
        return 2
    def input_fn(body, content_type):
        return [int(line) for line in body.split()]
    def predict_fn(data, model):
        time.sleep(0.05)
        return [model * number for number in data]
    def output_fn(prediction, accept):
        return "\\n".join(map(str, prediction)).encode()
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with a_lab(tmp_path_factory.mktemp("killed") / "house") as lab:
        yield lab


def content(key: str) -> bytes:
    """Return what belongs under a key: its hash, repeated; how often, the key says too."""
    digest = hashlib.sha256(key.encode()).digest()
    return digest * (1 + int.from_bytes(digest[:2], "big") * 2)


# Uploads.


def put_for_ever(lab: Lab, prefix: str, acknowledged: list[str]) -> None:
    """Put one object after the other, and say which were acknowledged, until the house is gone."""
    client = lab.s3
    for number in range(1_000_000):
        key = f"{prefix}/{number}"
        try:
            client.put_object(Bucket=lab.bucket, Key=key, Body=content(key))
        except (BotoCoreError, ClientError, OSError):
            return
        acknowledged.append(key)


@pytest.mark.parametrize("rounds", [3])
def test_every_acknowledged_object_is_there_and_every_object_is_whole(lab: Lab, rounds: int) -> None:
    acknowledged: list[str] = []
    for number in range(rounds):
        with ThreadPoolExecutor(4) as pool:
            for thread in range(4):
                pool.submit(put_for_ever, lab, f"put/{number}/{thread}", acknowledged)
            awaited(lambda n=number: len(acknowledged) >= 40 * (n + 1), "some objects are stored")
            lab.kill()
        lab.house.up()
        stored = lab.keys("put/")
        assert set(acknowledged) <= set(stored)
        for key in stored:
            assert lab.get(key) == content(key), key


def test_an_upload_that_was_cut_off_leaves_no_object(lab: Lab) -> None:
    lab.put("cut/replaced", b"before")
    host, port = lab.house.url.removeprefix("http://").split(":")
    cut = []
    for key in ("cut/new", "cut/replaced"):
        url = lab.s3.generate_presigned_url("put_object", Params={"Bucket": lab.bucket, "Key": key})
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        connection.putrequest("PUT", url[url.index("/", 8) :])
        connection.putheader("content-length", str(4 * MB))
        connection.endheaders(b"x" * 3 * MB)
        cut.append(connection)
    blobs = lab.house.home / "objects" / "blobs"

    def sizes() -> list[int]:
        return [path.stat().st_size for path in blobs.rglob("*") if path.is_file()]

    awaited(lambda: sum(size > MB for size in sizes()) >= 2, "the beginnings of both are on the disk")
    lab.crash()
    for connection in cut:
        connection.close()
    assert lab.keys("cut/") == ["cut/replaced"]
    assert lab.get("cut/replaced") == b"before"
    awaited(lambda: all(3 * MB not in (size, size - MB) for size in sizes()), "nothing is left of them")


def test_the_parts_of_a_multipart_upload_survive_and_it_can_be_completed(lab: Lab) -> None:
    upload = lab.s3.create_multipart_upload(Bucket=lab.bucket, Key="parts/whole")["UploadId"]
    here = {"Bucket": lab.bucket, "Key": "parts/whole", "UploadId": upload}
    parts = {
        number: lab.s3.upload_part(**here, PartNumber=number, Body=bytes([number]) * 5 * MB)["ETag"]
        for number in (1, 2)
    }
    lab.crash()
    assert {one["PartNumber"]: one["ETag"] for one in lab.s3.list_parts(**here)["Parts"]} == parts
    assert [one["UploadId"] for one in lab.s3.list_multipart_uploads(Bucket=lab.bucket)["Uploads"]] == [upload]
    parts[3] = lab.s3.upload_part(**here, PartNumber=3, Body=b"\3")["ETag"]
    listed = [{"PartNumber": number, "ETag": etag} for number, etag in parts.items()]
    lab.s3.complete_multipart_upload(**here, MultipartUpload={"Parts": listed})
    lab.crash()
    assert lab.get("parts/whole") == b"\1" * 5 * MB + b"\2" * 5 * MB + b"\3"
    assert "Uploads" not in lab.s3.list_multipart_uploads(Bucket=lab.bucket)


# Jobs.


def test_a_running_processing_job_is_adopted_and_completes(lab: Lab) -> None:
    gate, go = lab.gate("processing")
    lab.process(
        "adopted",
        WAITS_AT_A_GATE
        + """
    os.makedirs("/opt/ml/processing/out/deep", exist_ok=True)
    for number in range(50):
        with open(f"/opt/ml/processing/out/deep/{number}", "w") as file:
            file.write("x" * number)
    print("done")
    """,
        Environment={"GATE": gate},
    )
    lab.hears("ProcessingJob", "adopted", "begun")
    lab.crash()
    assert lab.describe("ProcessingJob", "adopted")["ProcessingJobStatus"] == "InProgress"
    lab.crash()
    go()
    assert lab.ended("ProcessingJob", "adopted")["ProcessingJobStatus"] == "Completed"
    assert lab.lines("ProcessingJob", "adopted") == ["begun", "done"]
    assert {len(lab.get(key)) for key in lab.keys("adopted/")} == set(range(50))


def test_a_job_that_ends_while_the_house_is_gone_is_seen_to_have_ended(lab: Lab) -> None:
    name = lab.process("alone", "import time; print('begun', flush=True); time.sleep(0.5); raise SystemExit(3)")
    lab.hears("ProcessingJob", name, "begun")
    lab.kill()
    home = lab.house.home
    awaited(lambda: not [line for _, line in processes_of(home) if name in line], "the job ends by itself")
    lab.house.up()
    ended = lab.ended("ProcessingJob", name)
    assert (ended["ProcessingJobStatus"], "exit code: 3" in ended["FailureReason"]) == ("Failed", True)
    assert lab.lines("ProcessingJob", name) == ["begun"]


def test_a_stop_asked_before_the_house_was_killed_is_done_after(lab: Lab) -> None:
    gate, _ = lab.gate("never")
    names = [
        lab.process(f"stopped-{number}", WAITS_AT_A_GATE, Environment={"GATE": gate}, StoppingCondition=limit)
        for number, limit in enumerate([{"MaxRuntimeInSeconds": 600}] * 3)
    ]
    for name in names:
        lab.hears("ProcessingJob", name, "begun")
    for name in names:
        lab.sagemaker.stop_processing_job(ProcessingJobName=name)
    lab.crash()
    assert {lab.ended("ProcessingJob", name)["ProcessingJobStatus"] for name in names} == {"Stopped"}


TRAINS = """
    import os, random
    print("begun", flush=True)
    seen = sorted(os.listdir("/opt/ml/input/data/train"))
    dice = random.Random(7)
    for number in range(40):
        with open(f"/opt/ml/model/{number}", "wb") as file:
            file.write(dice.randbytes(250_000))
    os.makedirs("/opt/ml/output/data", exist_ok=True)
    with open("/opt/ml/output/data/seen", "w") as file:
        file.write(" ".join(seen))
    print("done")
"""


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


def is_whole(lab: Lab, name: str) -> None:
    """The job ran once and left what it must."""
    ended = lab.ended("TrainingJob", name)
    assert ended["TrainingJobStatus"] == "Completed", ended.get("FailureReason")
    said = lab.lines("TrainingJob", name)
    assert [said.count(word) for word in ("begun", "done")] == [1, 1], said
    dice = random.Random(7)
    assert members(lab.get(f"{name}/output/model.tar.gz")) == {str(n): dice.randbytes(250_000) for n in range(40)}
    inputs = " ".join(sorted(str(number) for number in range(300))).encode()
    assert members(lab.get(f"{name}/output/output.tar.gz")) == {"seen": inputs}


@pytest.fixture(scope="module")
def channel(lab: Lab) -> str:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: lab.put(f"channel/{number}", str(number)), range(300)))
    return f"s3://{lab.bucket}/channel/"


@pytest.mark.parametrize("phase", ["Starting", "Downloading", "Training", "Uploading", "any"])
def test_training_jobs_complete_and_run_once_whatever_they_were_doing(lab: Lab, channel: str, phase: str) -> None:
    """Three jobs at a time, the house killed as soon as one of them is seen in the phase, or at a random moment."""
    dice = random.Random(phase)
    names = [lab.train(f"kill-{phase.lower()}-{number}", TRAINS, inputs={"train": channel}) for number in range(3)]
    seen = set()
    for _ in range(3 if phase == "any" else 1):
        until = time.monotonic() + (dice.random() if phase == "any" else 30)
        while time.monotonic() < until:
            seen = {lab.describe("TrainingJob", name)["SecondaryStatus"] for name in names}
            if phase in seen or seen <= {"Completed", "Failed"}:
                break
        lab.crash()
    for name in names:
        is_whole(lab, name)


# Pipelines.


def a_step(lab: Lab, name: str, script: str, **more: Any) -> dict[str, Any]:
    code = lab.put(f"code/{name}/script.py", script)
    source = {"S3Uri": code, "LocalPath": "/opt/ml/processing/input/code", "S3DataType": "S3Prefix"}
    arguments = {
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.t3.medium", "InstanceCount": 1, "VolumeSizeInGB": 10}
        },
        "AppSpecification": {
            "ImageUri": SKLEARN,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/script.py"],
        },
        "ProcessingInputs": [{"InputName": "code", "S3Input": {**source, "S3InputMode": "File"}}],
        "RoleArn": "arn:aws:iam::123456789012:role/SageMakerRole",
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **more}


def test_a_pipeline_goes_on_where_it_was(lab: Lab) -> None:
    """Killed while each of its steps runs, and in between."""
    steps = [
        a_step(
            lab,
            f"Step{number}",
            "import time; print('begun', flush=True); time.sleep(0.4); print('done')",
            **({"DependsOn": [f"Step{number - 1}"]} if number else {}),
        )
        for number in range(4)
    ]
    definition = {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": steps}
    lab.sagemaker.create_pipeline(
        PipelineName="goes-on",
        PipelineDefinition=json.dumps(definition),
        RoleArn="arn:aws:iam::123456789012:role/SageMakerRole",
        ClientRequestToken="t" * 32,
    )
    started = lab.sagemaker.start_pipeline_execution(PipelineName="goes-on", ClientRequestToken="u" * 32)
    arn = started["PipelineExecutionArn"]

    def found() -> list[dict[str, Any]]:
        answer = lab.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")
        listed: list[dict[str, Any]] = answer["PipelineExecutionSteps"]
        return listed

    for number in range(4):
        awaited(lambda n=number: len(found()) > n, f"step {number} is under way")
        lab.crash()
    ended = awaited(
        lambda: (
            (one := lab.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))["PipelineExecutionStatus"]
            != "Executing"
            and one
        ),
        "the execution ends",
    )
    assert ended["PipelineExecutionStatus"] == "Succeeded", ended.get("FailureReason")
    assert [(one["StepName"], one["StepStatus"]) for one in found()] == [(f"Step{n}", "Succeeded") for n in range(4)]
    arns = [one["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2] for one in found()]
    jobs = [lab.describe("ProcessingJob", name)["ProcessingJobName"] for name in arns]
    assert [lab.lines("ProcessingJob", job) for job in jobs] == [["begun", "done"]] * 4
    every = lab.sagemaker.list_processing_jobs(NameContains="pipelines-")["ProcessingJobSummaries"]
    assert len(every) == 4, "no step has two jobs"


# Endpoints and transforms.


def test_an_endpoint_lives_on_and_answers_again(lab: Lab) -> None:
    lab.deploy(lab.model("lives-on", script=SERVES_ITS_NAME))
    assert lab.ended("Endpoint", "lives-on")["EndpointStatus"] == "InService"
    answers: list[bytes] = []
    is_over = threading.Event()

    def ask() -> bytes | None:
        try:
            runtime = lab.client("sagemaker-runtime")
            answer = runtime.invoke_endpoint(EndpointName="lives-on", ContentType="text/csv", Body=b"1")
        except ClientError as error:
            if error.response["Error"]["Code"] == "ServiceUnavailable":  # which clients retry
                return None
            raise
        except (BotoCoreError, OSError, ValueError):
            return None  # the house is gone
        body: bytes = answer["Body"].read()
        return body

    def ask_on() -> None:
        while not is_over.is_set():
            answer = ask()
            if answer is not None:
                answers.append(answer)

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask_on) for _ in range(2)]
        try:
            awaited(lambda: len(answers) > 20, "the endpoint answers")
            lab.kill()
            before = len(answers)
            began = time.monotonic()
            lab.house.up()
            awaited(lambda: len(answers) > before, "the endpoint answers again", limit_s=15)
            print(f"an endpoint answered {time.monotonic() - began:.2f} s after its house was started again")
            awaited(lambda: len(answers) > before + 20, "and again")
        finally:
            is_over.set()
    for one in asking:
        one.result()
    assert len(set(answers)) == 1, "the replica that answers is the one that answered before"
    lab.sagemaker.delete_endpoint(EndpointName="lives-on")


def test_an_endpoint_that_was_being_made_is_made_once(lab: Lab) -> None:
    lab.model("half-made", script=SERVES_ITS_NAME)
    for number in range(3):
        name = f"half-made-{number}"
        variant = {"VariantName": "A", "ModelName": "half-made", "InitialInstanceCount": 1}
        lab.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}]
        )
        lab.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        if number == 1:
            awaited(lambda: list((lab.house.home / "run").glob("*/run/.workload/*/began")), "its replica is started")
        lab.crash()
        assert lab.ended("Endpoint", name)["EndpointStatus"] == "InService"
        servers = [line for _, line in processes_of(lab.house.home) if "supervisor" in line]
        assert len({line.rpartition("/")[2] for line in servers}) == 1, "one replica is wanted"
        lab.sagemaker.delete_endpoint(EndpointName=name)
        lab.crash()
        awaited(lambda: not lab.sagemaker.list_endpoints()["Endpoints"], "the endpoint is deleted")
        awaited(
            lambda: not [line for _, line in processes_of(lab.house.home) if "supervisor" in line],
            "its replica has ended",
        )


def test_a_transform_goes_on_with_the_files_that_have_no_result(lab: Lab) -> None:
    lab.model("doubles", script=DOUBLES_SLOWLY)
    for number in range(12):
        lab.put(f"numbers/{number}.csv", "".join(f"{number}{line}\n" for line in range(10)))
    lab.transform("transformed", model="doubles", prefix="numbers/", BatchStrategy="SingleRecord")
    for count in (2, 6):
        awaited(lambda c=count: len(lab.keys("transformed/")) >= c, f"{count} files are transformed")
        lab.crash()
    ended = lab.ended("TransformJob", "transformed")
    assert ended["TransformJobStatus"] == "Completed", ended.get("FailureReason")
    for number in range(12):
        expected = "".join(f"{2 * int(f'{number}{line}')}\n" for line in range(10)).encode()
        assert lab.get(f"transformed/{number}.csv.out") == expected
