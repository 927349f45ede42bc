"""A small data set whose label is plain to see: 1 where the first two numbers exceed 1 together."""

import random


def table(count: int, seed: int = 1) -> list[list[float]]:
    """Return rows of a label and four numbers."""
    draw = random.Random(seed)
    numbers = [[round(draw.random(), 4) for _ in range(4)] for _ in range(count)]
    return [[float(row[0] + row[1] > 1), *row] for row in numbers]


def csv(rows: list[list[float]], delimiter: str = ",") -> str:
    return "".join(delimiter.join(f"{value:g}" for value in row) + "\n" for row in rows)


def libsvm(rows: list[list[float]]) -> str:
    return "".join(
        f"{row[0]:g} " + " ".join(f"{at}:{value:g}" for at, value in enumerate(row[1:])) + "\n" for row in rows
    )
