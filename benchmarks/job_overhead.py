"""A whole training job against the bare `python train.py` of the same script in the same environment."""

import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks import training
from benchmarks.figure import Figure
from benchmarks.house import House, a_house
from benchmarks.sizes import Sizes
from benchmarks.timing import in_ms, in_turns, median_ms, seconds

SCRIPT = """\
import argparse, os, sys
import joblib
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
parser = argparse.ArgumentParser()
parser.add_argument("--train", default=os.environ["SM_CHANNEL_TRAIN"])
parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
arguments, _ = parser.parse_known_args()
rows = pd.read_csv(os.path.join(arguments.train, "train.csv"), header=None)
features, labels = load_iris(return_X_y=True)
model = LogisticRegression(max_iter=200).fit(features, labels)
joblib.dump(model, os.path.join(arguments.model_dir, "model.joblib"))
print("python is", sys.executable)
"""


def measure(sizes: Sizes) -> list[Figure]:
    with a_house() as house, tempfile.TemporaryDirectory(prefix="sagehouse-benchmark-") as folder:
        training.prepare(house, "source", SCRIPT)
        python = _job(house, "first")
        (Path(folder) / "train.py").write_text(SCRIPT)
        (Path(folder) / "train.csv").write_bytes(b"1,2,3\n" * 100)
        _bare(python, Path(folder))
        numbers = iter(range(sizes.jobs))
        found = in_turns(
            sizes.jobs,
            {
                "bare": lambda: _bare(python, Path(folder)),
                "job": lambda: _whole(house, f"whole-{next(numbers)}"),
            },
        )
    overhead = [job - bare for job, bare in zip(found["job"], found["bare"], strict=True)]
    job, bare = median_ms(found["job"]), median_ms(found["bare"])
    return [
        Figure(
            what="whole training job minus the bare `python train.py`",
            value=median_ms(overhead),
            unit="ms",
            target=400,
            against=f"job {job:.0f} ms, bare {bare:.0f} ms (imports pandas, scikit-learn): {job / bare:.2f} x",
            samples=in_ms(overhead),
        )
    ]


def _job(house: House, name: str) -> str:
    """Run a job and return the interpreter its script ran in."""
    training.run(house, house.client("sagemaker"), training.request(name, source="source"))
    [line] = [line for line in training.log(house, name) if line.startswith("python is ")]
    return line.removeprefix("python is ").strip()


def _whole(house: House, name: str) -> float:
    began, ended, _ = training.run(house, house.client("sagemaker"), training.request(name, source="source"))
    return ended - began


def _bare(python: str, folder: Path) -> float:
    variables = {"SM_CHANNEL_TRAIN": str(folder), "SM_MODEL_DIR": str(folder), "PATH": os.defpath, "LANG": "C.UTF-8"}
    command = [python, "train.py"]
    return seconds(lambda: subprocess.run(command, check=True, cwd=folder, env=variables, stdout=subprocess.DEVNULL))
