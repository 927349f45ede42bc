"""A job directory that stands for /opt/ml, and the toolkit run on it as the platform would."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).parents[3] / "src"


@dataclass(frozen=True)
class Ran:
    code: int
    stdout: str
    stderr: str
    failure: str


class Job:
    """`base` is /opt/ml; the defaults are a single host with no channel."""

    def __init__(self, base: Path, *, framework: str = "sklearn") -> None:
        self.base = base
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SOURCES),
            "SAGEMAKER_BASE_DIR": str(base),
            "SAGEHOUSE_FRAMEWORK": framework,
            "AWS_REGION": "eu-west-1",
            "TRAINING_JOB_NAME": "a-job",
        }
        for directory in ("input/config", "input/data", "model", "code", "output"):
            (base / directory).mkdir(parents=True)
        self.configure(hyperparameters={})

    def configure(
        self,
        *,
        hyperparameters: dict[str, str],
        channels: dict[str, Any] | None = None,
        hosts: list[str] | None = None,
    ) -> None:
        names = hosts or ["algo-1"]
        resources = {
            "current_host": "algo-1",
            "current_instance_type": "ml.m5.large",
            "current_group_name": "homogeneousCluster",
            "hosts": names,
            "instance_groups": [
                {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": names}
            ],
            "network_interface_name": "eth0",
        }
        for name, document in (
            ("hyperparameters", hyperparameters),
            ("resourceconfig", resources),
            ("inputdataconfig", channels or {}),
        ):
            (self.base / "input/config" / f"{name}.json").write_text(json.dumps(document))

    def script(self, text: str, name: str = "train.py", **hyperparameters: str) -> None:
        """Put a script into the code directory and name it as the SDK does."""
        path = self.base / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.configure(
            hyperparameters={"sagemaker_program": json.dumps(name), **hyperparameters},
            channels={"train": {"TrainingInputMode": "File"}},
        )

    def start(self, module: str = "train") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", f"sagehouse.toolkit.{module}"],
            env=self.environment,
            cwd=self.base,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def train(self) -> Ran:
        process = self.start()
        stdout, stderr = process.communicate(timeout=60)
        return Ran(code=process.returncode, stdout=stdout, stderr=stderr, failure=self.failure())

    def failure(self) -> str:
        path = self.base / "output/failure"
        return path.read_text() if path.exists() else ""
