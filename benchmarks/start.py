"""From `sagehouse up` to the first answer of S3; what the house then occupies; what `import sagehouse` costs."""

import statistics
import subprocess
import sys
import time
import urllib.request

from benchmarks.figure import Figure
from benchmarks.house import House, a_home, plain_environment
from benchmarks.process import own_bytes, resident_bytes
from benchmarks.sizes import MB, Sizes
from benchmarks.timing import in_ms, in_turns, seconds

_SETTLED_S = 2.0
"""How long a house has been idle when its memory is read."""
_AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=123456789012/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
)
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def measure(sizes: Sizes) -> list[Figure]:
    with a_home() as house:
        first = _start(house)  # makes the certificate authority
        starts = [_start(house) for _ in range(sizes.starts)]
        house.up()
        _ask(house)
        time.sleep(_SETTLED_S)
        resident, own = resident_bytes(house.pid), own_bytes(house.pid)
        house.down()
    imports = in_turns(sizes.starts, {"bare": lambda: _python("pass"), "with": lambda: _python("import sagehouse")})
    cost = [a - b for a, b in zip(imports["with"], imports["bare"], strict=True)]
    bare = statistics.median(imports["bare"]) * 1000
    return [
        Figure(
            what="`sagehouse up` to the first S3 answer",
            value=statistics.median(starts),
            unit="s",
            target=1.5,
            against=f"the very first, which makes the certificate authority, {first:.2f} s",
            samples=starts,
        ),
        Figure(
            what="memory of an idle house",
            value=resident / MB,
            unit="MB",
            target=150,
            against=f"resident; proportional {own / MB:.0f} MB",
        ),
        Figure(
            what="`import sagehouse`",
            value=max(0.0, statistics.median(cost)) * 1000,
            unit="ms",
            target=200,
            against=f"beyond `python -c pass`, {bare:.0f} ms",
            samples=in_ms(cost),
        ),
    ]


def _start(house: House) -> float:
    """Return how long a user waits from typing `sagehouse up --detach` until S3 has answered."""
    began = time.perf_counter()
    house.up()
    _ask(house)
    waited = time.perf_counter() - began
    house.down()
    return waited


def _ask(house: House) -> None:
    """List the buckets over plain HTTP: making a boto3 client alone takes as long as a start."""
    request = urllib.request.Request(house.url, headers={"Authorization": _AUTHORIZATION})
    with _opener.open(request) as answer:
        assert b"ListAllMyBucketsResult" in answer.read()


def _python(program: str) -> float:
    command = [sys.executable, "-c", program]
    return seconds(lambda: subprocess.run(command, check=True, env=plain_environment()))
