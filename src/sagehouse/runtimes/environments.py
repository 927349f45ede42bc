"""Python environments, built once by uv and shared by every job: `ports.runtime.Environments`.

`<root>/<digest>/` is built in place, because scripts in it name their interpreter by its path; the marker file that
makes it an environment is written last. A directory without one is rubbish of a crash and is built anew.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import uv

from sagehouse.kit.errors import Unavailable
from sagehouse.ports.runtime import Environment, EnvironmentSpec, Requirements
from sagehouse.runtimes.bytecode import compile_for
from sagehouse.runtimes.indexes import pip_settings, uv_environment, uv_options
from sagehouse.runtimes.interpreters import Interpreter, find_interpreter

MARKER = "sagehouse-environment.json"
LOCKS = "locks"
PATH_FILE = "sagehouse.pth"
"""Source: Python documentation, site, "path configuration file"."""
FORMAT = 1
"""Part of every digest: raised when environments of older versions should no longer be used."""
ALWAYS = ("pip",)
"""Jobs install their own requirements with it."""
INSTALL_TIMEOUT_S = 1800.0
QUOTED_LINES = 12
OPENMP = "libgomp.so.1"


class UvEnvironments:
    """With `is_strict`, only what an image names exactly; without, the nearest that can be installed here.

    `code` are directories that the environments' interpreters run besides their packages: byte code is made for them.
    `import_path` are directories, as a job sees them, where its interpreter looks after everything installed.
    """

    def __init__(
        self,
        root: Path,
        *,
        is_strict: bool = False,
        only_binary: bool = True,
        code: Sequence[Path] = (),
        import_path: Sequence[str] = (),
    ) -> None:
        self.root = root.absolute()
        self.is_strict = is_strict
        self.only_binary = only_binary
        self.code = tuple(code)
        self.import_path = tuple(import_path)
        self._extended: set[Path] = set()
        self._compiled: set[str] = set()
        self._building: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ensure(self, spec: EnvironmentSpec) -> Environment:
        alternatives = [each for each in spec.alternatives if not (self.is_strict and each.note)]
        digest = _digest(alternatives)
        found = _read(self.root / digest)
        if found is None:
            async with self._building[digest]:
                found = await asyncio.to_thread(self._build, spec.name, alternatives, digest)
        if found.python_version not in self._compiled:
            await asyncio.to_thread(compile_for, found.python, found.python_version, self.code)
            self._compiled.add(found.python_version)
        if self.import_path and found.path not in self._extended:
            _extend(found.site_packages, self.import_path)
            self._extended.add(found.path)
        return found

    def _build(self, name: str, alternatives: Sequence[Requirements], digest: str) -> Environment:
        path = self.root / digest
        try:
            with _locked(self.root / LOCKS / digest):
                if found := _read(path):
                    return found  # built by another process meanwhile
                return self._first_that_installs(name, alternatives, path)
        except OSError as error:
            raise Unavailable(f"Could not build the environment {name!r} in {path}: {error}") from error

    def _first_that_installs(self, name: str, alternatives: Sequence[Requirements], path: Path) -> Environment:
        refusals: list[str] = []
        for requirements in alternatives:
            for version in requirements.pythons:
                interpreter = find_interpreter(version)
                if interpreter is None:
                    refusals.append(f"Python {version}: none on this machine.")
                    continue
                refusal = self._install(requirements, interpreter, path)
                if not refusal:
                    return _mark(path, interpreter, requirements)
                refusals.append(f"{', '.join(requirements.packages)} on Python {version}:\n{refusal}")
        shutil.rmtree(path, ignore_errors=True)
        because = "\n".join(dict.fromkeys(refusals)) or "no version of it is acceptable with strict versions."
        raise Unavailable(f"Could not build the environment {name!r}. {because}")

    def _install(self, requirements: Requirements, interpreter: Interpreter, path: Path) -> str:
        """Make the environment; return the installer's last words if it could not, "" if it could."""
        shutil.rmtree(path, ignore_errors=True)
        settings = pip_settings()
        command = uv.find_uv_bin()
        steps = [
            [command, "venv", "--no-project", "--python", str(interpreter.executable), str(path)],
            [
                *(command, "pip", "install", "--python", str(path / "bin" / "python")),
                *("--link-mode", "hardlink", "--compile-bytecode"),  # a job's own .pyc files would die with its overlay
                *(("--only-binary", ":all:") if self.only_binary else ()),
                *uv_options(settings),
                *("--", *requirements.packages, *_missing(ALWAYS, requirements.packages)),
            ],
        ]
        for step in steps:
            try:
                done = subprocess.run(
                    [*step[:1], "--quiet", "--no-python-downloads", *step[1:]],
                    capture_output=True,
                    text=True,
                    env=uv_environment(settings),
                    timeout=INSTALL_TIMEOUT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return f"uv was still at it after {INSTALL_TIMEOUT_S:.0f} s"
            if done.returncode:
                return "\n".join((done.stderr or done.stdout).strip().splitlines()[-QUOTED_LINES:]) or "uv said nothing"
        return ""


def _missing(names: Sequence[str], packages: Sequence[str]) -> list[str]:
    given = {package.partition("==")[0].strip().lower() for package in packages}
    return [name for name in names if name not in given]


def _digest(alternatives: Sequence[Requirements]) -> str:
    described = [[sorted(each.packages), list(each.pythons), each.note] for each in alternatives]
    text = json.dumps([FORMAT, platform.machine(), described])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from building the same; the kernel lets go of the lock if this one dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> Environment | None:
    """Return the environment that is whole, None if there is none or its interpreter has left the machine."""
    try:
        marker: dict[str, Any] = json.loads((path / MARKER).read_bytes())
    except FileNotFoundError:
        return None
    python = path / "bin" / "python"
    if not python.exists():
        return None
    return Environment(
        path=path,
        python=python,
        base=Path(marker["Base"]),
        site_packages=path / marker["SitePackages"],
        python_version=marker["PythonVersion"],
        packages=marker["Packages"],
        note=marker["Note"],
    )


def _extend(site_packages: Path, import_path: Sequence[str]) -> None:
    """Name more directories to import from: the last ones, so that an installed package goes before theirs.

    An environment that belongs to somebody else stays as they made it.
    """
    path, text = site_packages / PATH_FILE, "".join(f"{directory}\n" for directory in import_path)
    with contextlib.suppress(OSError):
        if not path.exists() or path.read_text() != text:
            new = path.with_suffix(f".{os.getpid()}.new")
            new.write_text(text)
            new.rename(path)


def _lend_openmp(library: Path, site_packages: Path) -> None:
    """Offer the OpenMP that one wheel brought to those that expect the machine to have it.

    XGBoost 0.90 and LightGBM do, and a fresh Debian has none; scikit-learn's is there wherever they are.
    """
    brought = sorted(site_packages.glob("*.libs/libgomp-*"))
    if brought and not (library / OPENMP).is_symlink():
        (library / OPENMP).symlink_to(brought[0].relative_to(library))


def _mark(path: Path, interpreter: Interpreter, requirements: Requirements) -> Environment:
    """Make the built directory an environment."""
    minor = ".".join(interpreter.version.split(".")[:2])
    site_packages = Path("lib", f"python{minor}", "site-packages")
    _lend_openmp(path / "lib", path / site_packages)
    found = metadata.distributions(path=[str(path / site_packages)])
    packages = dict(sorted((each.name.lower().replace("_", "-"), each.version) for each in found))
    document = {
        "Base": str(interpreter.base),
        "SitePackages": str(site_packages),
        "PythonVersion": interpreter.version,
        "Packages": packages,
        "Note": requirements.note,
        "Requirements": list(requirements.packages),
    }
    temporary = path / f"{MARKER}.new"
    with temporary.open("w") as file:
        json.dump(document, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path / MARKER)
    environment = _read(path)
    if environment is None:
        raise Unavailable(f"The environment {path} has no interpreter although uv reported success.")
    return environment
