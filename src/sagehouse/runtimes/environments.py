"""Python environments, built once by uv and shared by every job: `ports.runtime.Environments`.

`<root>/<digest>/` is built in place, because scripts in it name their interpreter by its path; the marker file that
makes it an environment is written last. A directory without one is rubbish of a crash and is built anew.

`<root>/<digest>-<digest>/` is a layer: the first environment, its files shared by hard links, and a requirements file
installed on top. Its wheels are a stranger's: they are unpacked, and nothing in them runs before a job does.
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
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import uv

from sagehouse.kit.errors import Unavailable
from sagehouse.ports.runtime import Environment, EnvironmentSpec, Requirements
from sagehouse.runtimes.bytecode import compile_for, compile_packages
from sagehouse.runtimes.indexes import pip_settings, uv_environment, uv_options
from sagehouse.runtimes.interpreters import Interpreter, find_interpreter

MARKER = "sagehouse-environment.json"
LOCKS = "locks"
CACHE = "cache"
PATH_FILE = "sagehouse.pth"
"""Source: Python documentation, site, "path configuration file"."""
FORMAT = 1
"""Part of every digest: raised when environments of older versions should no longer be used."""
ALWAYS = ("pip",)
"""Jobs install their own requirements with it."""
INSTALL_TIMEOUT_S = 1800.0
REFUSAL_S = 300.0
"""A layer that could not be installed is not tried again for so long: jobs do better without the wait."""
LAYER_FILE = "requirements.txt"
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
        self._refusals: dict[str, tuple[float, str]] = {}

    async def is_built(self, spec: EnvironmentSpec) -> bool:
        name = _digest(self._acceptable(spec))
        if _read(self.root / name) is None:
            return False
        return not spec.requirements or _read(self.root / _layer_name(name, spec.requirements)) is not None

    async def ensure(self, spec: EnvironmentSpec) -> Environment:
        base = await self._ensure_base(spec)
        return await self._ensure_layer(base, spec) if spec.requirements else base

    def _acceptable(self, spec: EnvironmentSpec) -> list[Requirements]:
        return [each for each in spec.alternatives if not (self.is_strict and each.note)]

    async def _ensure_layer(self, base: Environment, spec: EnvironmentSpec) -> Environment:
        name = _layer_name(base.path.name, spec.requirements)
        found = _read(self.root / name)
        if found is None:
            async with self._building[name]:
                refused_at, refusal = self._refusals.get(name, (-REFUSAL_S, ""))
                if time.monotonic() - refused_at < REFUSAL_S:
                    raise Unavailable(refusal)
                try:
                    found = await asyncio.to_thread(self._build_layer, base, spec, name)
                except Unavailable as refused:
                    self._refusals[name] = time.monotonic(), refused.message
                    raise
        return found

    def _build_layer(self, base: Environment, spec: EnvironmentSpec, name: str) -> Environment:
        path = self.root / name
        try:
            with _locked(self.root / LOCKS / name) as lock:
                if found := _read(path):
                    return found  # built by another process meanwhile
                refusal = self._install_layer(base, spec.requirements, path, lock)
                if not refusal:
                    return _mark(
                        path, base=base.base, version=base.python_version, note=base.note, layer=spec.requirements
                    )
        except OSError as error:
            refusal = str(error)
        shutil.rmtree(path, ignore_errors=True)
        raise Unavailable(f"Could not install the requirements on top of the environment {spec.name!r}: {refusal}")

    def _install_layer(self, base: Environment, requirements: str, path: Path, lock: int) -> str:
        """Make the layer; return the installer's last words if it could not, "" if it could."""
        shutil.rmtree(path, ignore_errors=True)
        _copy(base.path, path)
        file = path / LAYER_FILE
        file.unlink(missing_ok=True)
        file.write_text(requirements, encoding="utf-8")
        refusal = self._uv_install("--only-binary", ":all:", "-r", str(file), path=path, lock=lock)
        if not refusal:
            _forget_replaced(base, path / base.site_packages.relative_to(base.path))
            # By the interpreter behind the environment, for the environment's own would run the packages' .pth files.
            compile_packages(base.python.resolve(), path / base.site_packages.relative_to(base.path))
        return refusal

    async def _ensure_base(self, spec: EnvironmentSpec) -> Environment:
        alternatives = self._acceptable(spec)
        digest = _digest(alternatives)
        found = _read(self.root / digest)
        if found is None:
            async with self._building[digest]:
                found = await asyncio.to_thread(self._build, spec.name, alternatives, digest)
            self._extended.discard(found.path)  # somebody may have removed it while this house was up
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
            with _locked(self.root / LOCKS / digest) as lock:
                if found := _read(path):
                    return found  # built by another process meanwhile
                return self._first_that_installs(name, alternatives, path, lock)
        except OSError as error:
            raise Unavailable(f"Could not build the environment {name!r} in {path}: {error}") from error

    def _first_that_installs(
        self, name: str, alternatives: Sequence[Requirements], path: Path, lock: int
    ) -> Environment:
        refusals: list[str] = []
        for requirements in alternatives:
            for version in requirements.pythons:
                interpreter = find_interpreter(version)
                if interpreter is None:
                    refusals.append(f"Python {version}: none on this machine.")
                    continue
                refusal = self._install(requirements, interpreter, path, lock)
                if not refusal:
                    return _mark(
                        path, base=interpreter.base, version=interpreter.version, note=requirements.note, layer=""
                    )
                refusals.append(f"{', '.join(requirements.packages)} on Python {version}:\n{refusal}")
        shutil.rmtree(path, ignore_errors=True)
        because = "\n".join(dict.fromkeys(refusals)) or "no version of it is acceptable with strict versions."
        raise Unavailable(f"Could not build the environment {name!r}. {because}")

    def _install(self, requirements: Requirements, interpreter: Interpreter, path: Path, lock: int) -> str:
        """Make the environment; return the installer's last words if it could not, "" if it could."""
        shutil.rmtree(path, ignore_errors=True)
        venv = ("venv", "--no-project", "--python", str(interpreter.executable), str(path))
        refusal = _uv(*venv, root=self.root, lock=lock)
        return refusal or self._uv_install(
            "--compile-bytecode",  # a job's own .pyc files would die with its overlay
            *(("--only-binary", ":all:") if self.only_binary else ()),
            *("--", *requirements.packages, *_missing(ALWAYS, requirements.packages)),
            path=path,
            lock=lock,
        )

    def _uv_install(self, *arguments: str, path: Path, lock: int) -> str:
        python = str(path / "bin" / "python")
        options = ("--python", python, "--link-mode", "hardlink", *uv_options(pip_settings()))
        return _uv("pip", "install", *options, *arguments, root=self.root, lock=lock)


def _uv(*arguments: str, root: Path, lock: int) -> str:
    """Run uv; return its last words if it fails, "" if it does not.

    It holds the lock too: should this process die, nobody builds the same while its uv is still at it.
    """
    settings = pip_settings()
    try:
        done = subprocess.run(
            [uv.find_uv_bin(), "--quiet", "--no-python-downloads", *arguments],
            capture_output=True,
            text=True,
            env=uv_environment(settings, cache=root / CACHE),
            cwd=root,  # uv reads the settings of whatever project it is run in
            timeout=INSTALL_TIMEOUT_S,
            check=False,
            pass_fds=[lock],
        )
    except subprocess.TimeoutExpired:
        return f"uv was still at it after {INSTALL_TIMEOUT_S:.0f} s"
    if not done.returncode:
        return ""
    return "\n".join((done.stderr or done.stdout).strip().splitlines()[-QUOTED_LINES:]) or "uv said nothing"


def _missing(names: Sequence[str], packages: Sequence[str]) -> list[str]:
    given = {package.partition("==")[0].strip().lower() for package in packages}
    return [name for name in names if name not in given]


def _digest(alternatives: Sequence[Requirements]) -> str:
    described = [[sorted(each.packages), list(each.pythons), each.note] for each in alternatives]
    text = json.dumps([FORMAT, platform.machine(), described])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _layer_name(base: str, requirements: str) -> str:
    """Return the directory of a layer; those of base environments have no "-" in their names."""
    return f"{base}-{hashlib.sha256(json.dumps([FORMAT, requirements]).encode()).hexdigest()[:16]}"


def _copy(base: Path, path: Path) -> None:
    """Make an environment with everything another one has, sharing its files; they are replaced, never written to."""
    shutil.copytree(base, path, symlinks=True, copy_function=_link, ignore=shutil.ignore_patterns(MARKER))
    for command in (path / "bin").iterdir():
        if command.is_symlink() or not command.is_file():
            continue
        text = command.read_bytes()
        own = text.replace(os.fsencode(base), os.fsencode(path))  # they name their interpreter by its path
        if own != text:
            mode = command.stat().st_mode
            command.unlink()
            command.write_bytes(own)
            command.chmod(mode)


def _forget_replaced(base: Environment, site_packages: Path) -> None:
    """Remove the byte code of the packages that a layer has replaced.

    uv leaves it, and Python takes it for the new one's if the two sources are of one size and second.
    """
    now = {each.name: each.version for each in metadata.distributions(path=[str(site_packages)])}
    for before in metadata.distributions(path=[str(base.site_packages)]):
        if now.get(before.name) == before.version:
            continue
        for file in before.files or ():
            if file.suffix == ".py":
                for compiled in (site_packages / file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
                    compiled.unlink()


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # of somebody else, or on a file system without links
        shutil.copy2(source, target, follow_symlinks=False)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Keep other processes from building the same; the kernel lets go of the lock once all who hold it have died."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


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
        requirements=marker.get("RequirementsDigest", ""),
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
    brought, offered = sorted(site_packages.glob("*.libs/libgomp-*")), library / OPENMP
    if brought and not offered.exists():
        offered.unlink(missing_ok=True)  # of a version of the wheel that a layer has replaced
        offered.symlink_to(brought[0].relative_to(library))


def _mark(path: Path, *, base: Path, version: str, note: str, layer: str) -> Environment:
    """Make the built directory an environment. `layer` is the text of its requirements file, "" without one."""
    minor = ".".join(version.split(".")[:2])
    site_packages = Path("lib", f"python{minor}", "site-packages")
    _lend_openmp(path / "lib", path / site_packages)
    found = metadata.distributions(path=[str(path / site_packages)])
    packages = dict(sorted((each.name.lower().replace("_", "-"), each.version) for each in found))
    document = {
        "Base": str(base),
        "SitePackages": str(site_packages),
        "PythonVersion": version,
        "Packages": packages,
        "Note": note,
        "RequirementsDigest": hashlib.sha256(layer.encode()).hexdigest() if layer else "",
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
