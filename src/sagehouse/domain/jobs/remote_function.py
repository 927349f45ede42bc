"""What a remote function's job tells of the program that sent it: `@remote` and `@step` of the SageMaker SDK.

The function comes pickled, so only the caller's Python reads it, and what reads it is the caller's SDK.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

_DRIVER = re.compile(r"/opt/ml/input/data/sagemaker_remote_function_bootstrap/[a-z_]+\.sh\b")
_PYTHON = re.compile(r"3\.[0-9]{1,2}")
_SDK = re.compile(r"[0-9]+(?:\.[0-9]+){2}")
"""Releases; a development version of the SDK comes from no index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The program a remote function was sent from."""

    python: str
    """"3.11"."""
    sdk: str
    """Version of the distribution `sagemaker`: "3.27.0"."""

    @property
    def requirements(self) -> str:
        """What the function's job imports before it: text of a requirements file."""
        return f"sagemaker=={self.sdk}\n"


def caller_of(command: Sequence[str]) -> Caller | None:
    """Return who sent the function that a job's command runs; None if it runs none, or its sender cannot be served.

    Source: sagemaker 2.257.7, remote_function/job.py; 3.27.0, core/remote_function/job.py, _Job.compile.
    """
    if not _DRIVER.search(" ".join(command[:2])):
        return None
    python, sdk = _told(command, "--client_python_version"), _told(command, "--client_sagemaker_pysdk_version")
    if not (_PYTHON.fullmatch(python) and _SDK.fullmatch(sdk)):
        return None
    return Caller(python=python, sdk=sdk)


def _told(command: Sequence[str], option: str) -> str:
    return next((value for name, value in itertools.pairwise(command) if name == option), "").strip()
