"""A house on a disk of a few megabytes: what fills it fails and says so, what is stored stays whole."""

import contextlib
import os
import subprocess
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.system.lab import MB, ROLE, SKLEARN, Lab, a_lab, awaited

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system of its own needs root"),
]

SIZE_MB = 64
TREASURE = {f"treasure/{number}": os.urandom(1000 * number) for number in range(30)}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small file system; skipped where even root may not mount one."""
    disk = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"this machine mounts no tmpfs: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture(scope="module")
def lab(disk: Path) -> Iterator[Lab]:
    with a_lab(disk / "house") as lab:
        for key, data in TREASURE.items():
            lab.put(key, data)
        yield lab


@pytest.fixture(autouse=True)
def whole(lab: Lab, disk: Path) -> Iterator[None]:
    """After each test: what was stored is there, a job runs, and the room is given back."""
    before = free_mb(disk)
    yield
    check_treasure(lab)
    name = f"after-{os.urandom(4).hex()}"
    after = lab.processed(name, "print('fine')")
    assert (after["ProcessingJobStatus"], lab.lines("ProcessingJob", name)) == ("Completed", ["fine"])
    awaited(lambda: free_mb(disk) > before - 6, "the room is given back")  # 4 of them a reserve may hold again
    assert lab.house.cli("status").stdout.startswith("up")


def check_treasure(lab: Lab) -> None:
    assert {key: lab.get(key) for key in lab.keys("treasure/")} == TREASURE


def free_mb(disk: Path) -> float:
    room = os.statvfs(disk)
    return room.f_bavail * room.f_frsize / MB


@contextlib.contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not one byte is left on the disk inside."""
    with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        for block in (MB, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    filler.write(b"x" * block)
    try:
        yield
    finally:
        (disk / "filler").unlink()


def reason(job: dict[str, Any]) -> str:
    assert (job.get("TrainingJobStatus") or job["ProcessingJobStatus"]) == "Failed"
    text: str = job["FailureReason"]
    return text


FILLS = """
    import os
    os.makedirs("{top}", exist_ok=True)
    with open("{top}/large", "wb", buffering=0) as file:
        while file.write(os.urandom(1 << 20)):
            pass
"""
SWALLOWS = """
    import os
    os.makedirs("{top}", exist_ok=True)
    try:
        with open("{top}/large", "wb", buffering=0) as file:
            while file.write(os.urandom(1 << 20)):
                pass
    except OSError:
        pass
"""


def test_a_processing_job_that_fills_the_disk_with_its_output_says_so(lab: Lab) -> None:
    job = lab.processed("fills", FILLS.format(top="/opt/ml/processing/out"))
    assert "No space left on device" in reason(job)
    assert lab.keys("fills/") == []


@pytest.mark.parametrize("top", ["/opt/ml/model", "/opt/ml/output/data", "/tmp/scratch"])
def test_a_training_job_that_fills_the_disk_says_so(lab: Lab, top: str) -> None:
    name = f"fills{top.replace('/', '-')}"
    assert "No space left on device" in reason(lab.trained(name, FILLS.format(top=top)))
    assert lab.keys(f"{name}/output/model") == []


def test_a_model_that_leaves_no_room_to_pack_it_fails_its_job(lab: Lab) -> None:
    assert "No space left on device" in reason(lab.trained("packs", SWALLOWS.format(top="/opt/ml/model")))
    assert lab.keys("packs/") == []


def test_a_log_that_fills_the_disk_fails_its_job(lab: Lab, disk: Path) -> None:
    script = "import os\nline = b'x' * 4095 + b'\\n'\nwhile True: os.write(1, line * 16)"
    assert "No space left on device" in reason(lab.processed("talks", script))
    stream = lab.client("logs").describe_log_streams(
        logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix="talks/"
    )["logStreams"][0]["logStreamName"]
    lab.client("logs").delete_log_stream(logGroupName="/aws/sagemaker/ProcessingJobs", logStreamName=stream)


def test_an_object_that_does_not_fit_is_refused_and_leaves_nothing(lab: Lab, disk: Path) -> None:
    before = free_mb(disk)
    large = os.urandom(SIZE_MB * MB)
    for key in ("new", "treasure/5"):
        with pytest.raises(ClientError, match="No space left on device"):
            lab.s3.put_object(Bucket=lab.bucket, Key=key, Body=large)
    assert lab.keys("new") == []
    upload = lab.s3.create_multipart_upload(Bucket=lab.bucket, Key="parts")["UploadId"]
    here = {"Bucket": lab.bucket, "Key": "parts", "UploadId": upload}
    with pytest.raises(ClientError, match="No space left on device"):
        lab.s3.upload_part(**here, PartNumber=1, Body=large)
    etag = lab.s3.upload_part(**here, PartNumber=1, Body=b"fits")["ETag"]
    lab.s3.complete_multipart_upload(**here, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert lab.get("parts") == b"fits"
    awaited(lambda: free_mb(disk) > before - 1, "the room is given back")


def test_everything_can_be_read_and_deleted_while_not_one_byte_is_left(lab: Lab, disk: Path) -> None:
    lab.put("goes", b"x" * 3 * MB)
    with full(disk):
        check_treasure(lab)
        with pytest.raises(ClientError, match="No space left on device"):
            lab.put("new", b"x" * MB)
        assert lab.sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
        lab.s3.delete_object(Bucket=lab.bucket, Key="goes")
        assert lab.keys("goes") == []
    assert lab.keys("new") == []


def a_request(name: str, code: str) -> dict[str, Any]:
    source = {"S3Uri": code, "LocalPath": "/opt/ml/processing/input/code", "S3DataType": "S3Prefix"}
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {
            "ImageUri": SKLEARN,
            "ContainerEntrypoint": ["python3", f"{source['LocalPath']}/script.py"],
        },
        "ProcessingInputs": [{"InputName": "code", "S3Input": {**source, "S3InputMode": "File"}}],
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 10}
        },
    }


def test_jobs_asked_for_while_the_disk_is_full_are_refused_or_fail_and_are_told_of(lab: Lab, disk: Path) -> None:
    code = lab.put("code/early/script.py", "print('x')")
    asked, refused = [], []
    with full(disk):
        for number in range(3):
            name = f"early-{number}"
            try:
                lab.sagemaker.create_processing_job(**a_request(name, code))
            except ClientError as error:
                refused.append(error.response["Error"]["Message"])
            else:
                asked.append(name)
    assert len(asked) + len(refused) == 3
    assert all("full" in text or "No space" in text for text in refused)
    for name in asked:
        assert "No space left on device" in reason(lab.ended("ProcessingJob", name))


def test_a_house_that_is_killed_on_a_full_disk_comes_back_with_everything(lab: Lab, disk: Path) -> None:
    with full(disk):
        lab.kill()
        up = lab.house.cli("up", "--detach", "--port", "0", "--allow-reset", check=False)
        if up.returncode == 0:
            check_treasure(lab)
        else:
            assert "No space left on device" in up.stderr
    lab.house.up()
    check_treasure(lab)


def test_an_archive_that_does_not_fit_fails_what_needs_it(lab: Lab) -> None:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo("weights")
        info.size = 2 * SIZE_MB * MB
        tar.addfile(info, BytesIO(bytes(info.size)))
    lab.deploy(lab.model("swollen", script="", data=packed.getvalue()))
    ended = lab.ended("Endpoint", "swollen")
    assert ended["EndpointStatus"] == "Failed"
    assert "'weights'" in ended["FailureReason"]
    lab.sagemaker.delete_endpoint(EndpointName="swollen")
