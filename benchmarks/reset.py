"""Emptying a whole house between two tests: objects, resources, and nothing that has to be stopped first."""

import statistics
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from benchmarks.figure import Figure
from benchmarks.house import House, a_house
from benchmarks.sizes import Sizes
from benchmarks.timing import in_ms, seconds

_OBJECTS, _GROUPS = 300, 50
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def measure(sizes: Sizes) -> list[Figure]:
    with a_house() as house:
        bare = [seconds(lambda: _empty(house)) for _ in range(sizes.starts)]
        full = []
        for _ in range(sizes.starts):
            _fill(house)
            full.append(seconds(lambda: _empty(house)))
    return [
        Figure(
            what=f"emptying a house of {_OBJECTS} objects and {_GROUPS} resources",
            value=statistics.median(full) * 1000,
            unit="ms",
            target=100,
            against=f"an empty one, {statistics.median(bare) * 1000:.0f} ms",
            samples=in_ms(full),
        )
    ]


def _fill(house: House) -> None:
    s3, sagemaker = house.client("s3"), house.client("sagemaker")
    s3.create_bucket(Bucket="benchmark")

    def put(number: int) -> None:
        s3.put_object(Bucket="benchmark", Key=f"k/{number}", Body=b"x")
        if number < _GROUPS:
            sagemaker.create_model_package_group(ModelPackageGroupName=f"group-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(_OBJECTS)))


def _empty(house: House) -> None:
    request = urllib.request.Request(f"{house.url}/_sagehouse/reset", method="POST")
    with _opener.open(request) as answer:
        answer.read()
