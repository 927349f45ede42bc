"""S3 PUT and GET of 1 GB through boto3, against copying the bytes through a bare asyncio HTTP server."""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure
from benchmarks.house import a_house, client, plain_environment
from benchmarks.process import PeakMemory
from benchmarks.sizes import MB, Sizes
from benchmarks.timing import in_turns, seconds

BUCKET = "benchmark"
_BLOCK_BYTES = 8 * MB


def measure(sizes: Sizes) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="sagehouse-benchmark-") as name, a_house() as house:
        folder = Path(name)
        source = _file(folder / "source", sizes.transfer_bytes)
        with _bare(folder / "bare") as url:
            clients = {"sagehouse": house.client("s3"), "bare": client("s3", url)}
            for each in clients.values():
                each.create_bucket(Bucket=BUCKET)
            puts = in_turns(sizes.transfers, {name: _putter(each, source) for name, each in clients.items()})
            gets = in_turns(
                sizes.transfers, {name: _getter(each, source, folder / "got") for name, each in clients.items()}
            )
        flat = source if sizes.flat_bytes == sizes.transfer_bytes else _file(folder / "flat", sizes.flat_bytes)
        s3 = house.client("s3")
        with PeakMemory(house.pid) as memory:
            s3.upload_file(str(flat), BUCKET, "flat")
            s3.delete_object(Bucket=BUCKET, Key="flat")
            s3.put_object(Bucket=BUCKET, Key="flat-one-put", Body=flat.open("rb"))
    total = f"{sizes.transfer_bytes / MB:.0f} MB"
    return [
        _ratio(f"S3 PUT of {total} through boto3, speed of the bare server", puts, sizes),
        _ratio(f"S3 GET of {total} through boto3, speed of the bare server", gets, sizes),
        Figure(
            what=f"growth of the house's memory by uploads of {sizes.flat_bytes / MB:.0f} MB, in parts and in one",
            value=memory.growth_bytes / MB,
            unit="MB",
            target=64,
            against=f"resident, from {memory.before_bytes / MB:.0f} MB",
        ),
    ]


def _ratio(what: str, found: dict[str, list[float]], sizes: Sizes) -> Figure:
    ours, bare = (statistics.median(found[name]) for name in ("sagehouse", "bare"))
    speeds = ", ".join(
        f"{name} {sizes.transfer_bytes / MB / taken:.0f} MB/s" for name, taken in (("sagehouse", ours), ("bare", bare))
    )
    rounds = zip(found["sagehouse"], found["bare"], strict=True)
    return Figure(
        what=what,
        value=100 * bare / ours,
        unit="%",
        target=60,
        reach="at least",
        against=speeds,
        samples=[100 * theirs / mine for mine, theirs in rounds],
    )


def _file(path: Path, size: int) -> Path:
    """Write a file whose blocks differ."""
    with path.open("wb") as file:
        for first in range(0, size, _BLOCK_BYTES):
            file.write(os.urandom(min(_BLOCK_BYTES, size - first)))
    return path


def _putter(s3: Any, source: Path) -> Any:
    return lambda: seconds(lambda: s3.upload_file(str(source), BUCKET, "object"))


def _getter(s3: Any, source: Path, target: Path) -> Any:
    def get() -> float:
        taken = seconds(lambda: s3.download_file(BUCKET, "object", str(target)))
        if target.stat().st_size != source.stat().st_size:
            raise RuntimeError(f"{target} has {target.stat().st_size} bytes")
        target.unlink()
        return taken

    return get


@contextmanager
def _bare(folder: Path) -> Iterator[str]:
    folder.mkdir()
    program = Path(__file__).parent / "peers" / "bare_server.py"
    command = [sys.executable, str(program), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=plain_environment())
    with process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
