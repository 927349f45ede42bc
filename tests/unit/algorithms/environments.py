"""Environments of images for tests: built as the house builds them, shared with the system tests."""

import asyncio
import os
from pathlib import Path

from sagehouse.controllers.equipment import environment_spec
from sagehouse.images import resolve
from sagehouse.runtimes.environments import UvEnvironments

ROOT = Path(__file__).parents[3]
KEPT = Path(os.environ.get("SAGEHOUSE_ENVIRONMENTS") or ROOT / ".cache" / "environments")


def python_of(name: str) -> Path:
    """Return the interpreter of "sagemaker-xgboost:3.0-5", building the environment if need be."""
    return asyncio.run(UvEnvironments(KEPT).ensure(environment_spec(resolve(name)))).python
