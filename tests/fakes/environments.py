"""Environments in memory: every one is the interpreter that runs the tests, or cannot be installed."""

import platform
import sys
from collections.abc import Collection
from pathlib import Path

from sagehouse.kit.errors import Unavailable
from sagehouse.ports.runtime import Environment, EnvironmentSpec


class FakeEnvironments:
    """`missing` names the requirements ("xgboost==1.7.6") that no index has. `ensured` lists the specs asked for."""

    def __init__(self, missing: Collection[str] = ()) -> None:
        self.missing = frozenset(missing)
        self.ensured: list[EnvironmentSpec] = []

    async def ensure(self, spec: EnvironmentSpec) -> Environment:
        self.ensured.append(spec)
        lacking: set[str] = set()
        for requirements in spec.alternatives:
            absent = self.missing.intersection(requirements.packages)
            lacking |= absent
            if absent:
                continue
            major, minor, _ = platform.python_version_tuple()
            path = Path(sys.prefix)
            return Environment(
                path=path,
                python=path / "bin" / "python",
                base=Path(sys.base_prefix),
                site_packages=path / "lib" / f"python{major}.{minor}" / "site-packages",
                python_version=platform.python_version(),
                packages=dict(package.split("==") for package in requirements.packages if "==" in package),
                note=requirements.note,
            )
        raise Unavailable(f"Could not build the environment {spec.name!r}: no version of {', '.join(sorted(lacking))}.")
