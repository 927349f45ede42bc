"""From CreateTrainingJob to the first line of the script, with a warm environment."""

from benchmarks import training
from benchmarks.figure import Figure
from benchmarks.house import a_house
from benchmarks.sizes import Sizes
from benchmarks.timing import in_ms, median_ms

SCRIPT = "import time; print(f'first line at {time.time():.6f}')\n"


def measure(sizes: Sizes) -> list[Figure]:
    waits = []
    with a_house() as house:
        training.prepare(house, "source", SCRIPT)
        sagemaker = house.client("sagemaker")
        for number in range(sizes.jobs + 1):
            name = f"start-{number}"
            began, _, _ = training.run(house, sagemaker, training.request(name, source="source"))
            [line] = [line for line in training.log(house, name) if line.startswith("first line at ")]
            waits.append(float(line.rpartition(" ")[2]) - began)
    del waits[0]  # found nothing in memory yet
    return [
        Figure(
            what="CreateTrainingJob to the first line of the script",
            value=median_ms(waits),
            unit="ms",
            target=150,
            against="warm environment; scikit-learn script mode, one channel",
            samples=in_ms(waits),
        )
    ]
