"""What laying out a channel of 2 GB in 1,000 objects costs a job, and that not one byte of it is copied."""

import os
import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import training
from benchmarks.figure import Figure
from benchmarks.house import House, a_house
from benchmarks.sizes import MB, Sizes
from benchmarks.timing import in_ms, in_turns

SCRIPT = """\
import os, time
folder = "/opt/ml/input/data/train"
print("files", len(os.listdir(folder)))
time.sleep(0.5)
"""
_UPLOADERS = 4


def measure(sizes: Sizes) -> list[Figure]:
    copied: list[int] = []
    with a_house() as house:
        training.prepare(house, "source", SCRIPT)
        _fill(house, sizes)
        _stage(house, "first", "big/", [])
        numbers = iter(range(2 * sizes.jobs))
        found = in_turns(
            max(1, sizes.jobs // 3),
            {
                "one": lambda: _stage(house, f"stage-{next(numbers)}", "train/", []),
                "big": lambda: _stage(house, f"stage-{next(numbers)}", "big/", copied),
            },
        )
    one = statistics.median(found["one"]) * 1000
    total = f"{sizes.channel_bytes / MB:.0f} MB in {sizes.channel_objects} objects"
    return [
        Figure(
            what=f"staging a channel of {total}",
            value=statistics.median(found["big"]) * 1000,
            unit="ms",
            target=200,
            against=f"Downloading, as DescribeTrainingJob tells; one small object {one:.0f} ms",
            samples=in_ms(found["big"]),
        ),
        Figure(
            what=f"bytes copied to stage {total}",
            value=max(copied) / MB,
            unit="MB",
            target=1,
            against="files of the job's directory that are no links to stored objects, while the script runs",
        ),
    ]


def _fill(house: House, sizes: Sizes) -> None:
    body = os.urandom(sizes.channel_bytes // sizes.channel_objects)
    s3 = house.client("s3")

    def put(number: int) -> None:
        s3.put_object(Bucket=training.BUCKET, Key=f"big/part-{number:05}.bin", Body=body)

    with ThreadPoolExecutor(_UPLOADERS) as pool:
        list(pool.map(put, range(sizes.channel_objects)))


def _stage(house: House, name: str, channel: str, copied: list[int]) -> float:
    """Run a job on a channel; return how long its secondary status was Downloading."""
    sagemaker = house.client("sagemaker")
    sagemaker.create_training_job(**training.request(name, source="source", channel=channel))
    job = _await(house, sagemaker, name, "Training")
    copied.append(sum(_own_files(house.home / "jobs")))
    job = _await(house, sagemaker, name, "Completed")
    [downloading] = [step for step in job["SecondaryStatusTransitions"] if step["Status"] == "Downloading"]
    return float((downloading["EndTime"] - downloading["StartTime"]).total_seconds())


def _await(house: House, sagemaker: Any, name: str, status: str) -> dict[str, Any]:
    while True:
        job: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
        if job["SecondaryStatus"] == status:
            return job
        if job["SecondaryStatus"] in {"Failed", "Stopped", "Completed"}:
            raise RuntimeError(f"{name} is {job['SecondaryStatus']}, not {status}: {job.get('FailureReason')}")
        house.await_change(name, timeout_s=0.05)


def _own_files(top: Path) -> Iterator[int]:
    """Yield the size on disk of every file below a job directory's inputs that has no other name."""
    for folder, _, names in os.walk(top):
        if "/inputs" in folder:
            for name in names:
                status = os.lstat(Path(folder) / name)
                if status.st_nlink == 1:
                    yield status.st_blocks * 512
