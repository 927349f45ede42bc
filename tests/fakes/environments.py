"""Environments in memory: every one is the interpreter that runs the tests, or cannot be installed."""

import asyncio
import hashlib
import platform
import sys
from collections.abc import Collection
from pathlib import Path

from sagehouse.kit.errors import Unavailable
from sagehouse.ports.runtime import Environment, EnvironmentSpec


class FakeEnvironments:
    """`missing` names the requirements ("xgboost==1.7.6") that no index has. `ensured` lists the specs asked for.

    `is_ready` says whether everything is built already; `building`, once set, lets those go on that build.
    """

    def __init__(self, missing: Collection[str] = ()) -> None:
        self.missing = frozenset(missing)
        self.ensured: list[EnvironmentSpec] = []
        self.is_ready = True
        self.building: asyncio.Event | None = None

    async def is_built(self, spec: EnvironmentSpec) -> bool:
        return self.is_ready

    async def ensure(self, spec: EnvironmentSpec) -> Environment:
        self.ensured.append(spec)
        if self.building is not None:
            await self.building.wait()
        lines = spec.requirements.split()
        lacking = set(self.missing.intersection(lines))
        if lacking:
            raise Unavailable(
                f"Could not install the requirements of {spec.name!r}: no version of {', '.join(lacking)}."
            )
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
                packages=dict(one.split("==") for one in (*requirements.packages, *lines) if "==" in one),
                note=requirements.note,
                requirements=hashlib.sha256(spec.requirements.encode()).hexdigest() if lines else "",
            )
        raise Unavailable(f"Could not build the environment {spec.name!r}: no version of {', '.join(sorted(lacking))}.")
