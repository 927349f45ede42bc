"""Labs: warm interpreters in the environments of images."""

import base64
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.unit.algorithms.environments import ROOT, python_of

from sagehouse.runtimes.environments import MARKER


@dataclass(frozen=True)
class Ran:
    code: int
    output: str

    @property
    def rounds(self) -> list[str]:
        return [line for line in self.output.splitlines() if line.startswith("[") and line.split("]")[0][1:].isdigit()]


class Lab:
    def __init__(self, image: str) -> None:
        self.image = image
        here = Path(__file__).parent
        python = python_of(image)
        packages = json.loads((python.parent.parent / MARKER).read_text())["Packages"]
        self.xgboost = tuple(int(part) for part in (packages.get("xgboost") or packages["xgboost-cpu"]).split(".")[:2])
        """The version that was installed: what an image names may have no wheel for a Python of this machine."""
        self._process = subprocess.Popen(
            [python, here / "lab.py", "xgboost", "pandas", "sklearn.metrics", "scipy.sparse"],
            env={
                "PATH": os.environ["PATH"],
                "LD_LIBRARY_PATH": str(python.parent.parent / "lib"),
                "PYTHONPATH": f"{ROOT / 'src'}:{here}",
                "PYTHONWARNINGS": "ignore",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def run(self, request: Mapping[str, Any]) -> Ran:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Ran(code=answer["code"], output=answer["output"])

    def close(self) -> None:
        self._process.communicate(timeout=30)


class XGBoostJob:
    """/opt/ml of one job of the built-in algorithm."""

    def __init__(self, base: Path, lab: Lab) -> None:
        self.base = base
        self.lab = lab
        self.variables: dict[str, str] = {}
        for name in ("input/config", "input/data", "model", "output"):
            (base / name).mkdir(parents=True)

    def channel(self, name: str, **files: str | bytes) -> None:
        for file, content in files.items():
            path = self.base / "input/data" / name / file.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def train(
        self, kind: str | None = "text/csv", *, hosts: int = 1, checkpoints: bool = False, **hyperparameters: str
    ) -> Ran:
        data = self.base / "input/data"
        described: dict[str, str] = {"TrainingInputMode": "File"} | ({"ContentType": kind} if kind else {})
        names = [f"algo-{n + 1}" for n in range(hosts)]
        documents: dict[str, Any] = {
            "hyperparameters": hyperparameters,
            "resourceconfig": {"current_host": "algo-1", "hosts": names},
            "inputdataconfig": {channel.name: described for channel in data.iterdir()},
        }
        if checkpoints:
            documents["checkpointconfig"] = {"S3Uri": "s3://b/c", "LocalPath": str(self.base / "checkpoints")}
        for name, document in documents.items():
            (self.base / "input/config" / f"{name}.json").write_text(json.dumps(document))
        return self._run("sagehouse.algorithms.xgboost.train", "main")

    def ask(self, *requests: tuple[bytes | str, str], accept: str = "") -> list[tuple[int, str, bytes]]:
        """Return status, content type and body of the answers to (body, content type)."""
        sent = [
            [
                {"content-type": kind, "accept": accept},
                base64.b64encode(body.encode() if isinstance(body, str) else body).decode(),
            ]
            for body, kind in requests
        ]
        ran = self._run("ask", "ask", [sent])
        line = next((line for line in ran.output.splitlines() if line.startswith("ANSWERS ")), None)
        assert line is not None, ran.output
        told = json.loads(line.removeprefix("ANSWERS "))
        self.parameters = told["parameters"]
        return [(status, content, base64.b64decode(body)) for status, content, body in told["answers"]]

    @property
    def failure(self) -> str:
        return (self.base / "output/failure").read_text()

    def _run(self, module: str, function: str, arguments: Sequence[Any] = ()) -> Ran:
        environment = {
            "SAGEMAKER_BASE_DIR": str(self.base),
            "SAGEHOUSE_FRAMEWORK": "xgboost",
            **self.variables,
        }
        return self.lab.run(
            {"environment": environment, "module": module, "function": function, "arguments": list(arguments)}
        )


@pytest.fixture(scope="session")
def labs() -> Iterator[Callable[[str], Lab]]:
    made: dict[str, Lab] = {}

    def lab(image: str) -> Lab:
        if image not in made:
            made[image] = Lab(image)
        return made[image]

    yield lab
    for one in made.values():
        one.close()


@pytest.fixture
def job(tmp_path: Path, labs: Callable[[str], Lab]) -> XGBoostJob:
    """A job of the newest image of SDK 2.x."""
    return XGBoostJob(tmp_path / "ml", labs("sagemaker-xgboost:3.0-5"))


@pytest.fixture(params=["0.90-2", "1.7-1", "3.0-5"])
def any_job(request: pytest.FixtureRequest, tmp_path: Path, labs: Callable[[str], Lab]) -> XGBoostJob:
    """The same job in three generations of the image: pickled, before and after the wheels shrank."""
    return XGBoostJob(tmp_path / "ml", labs(f"sagemaker-xgboost:{request.param}"))
