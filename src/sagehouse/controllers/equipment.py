"""The Python environment of a job or model server: its image's, and on top of it the requirements of its script."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from sagehouse.domain.jobs import requirements
from sagehouse.domain.jobs.requirements import LIMIT_BYTES, NAME, Source
from sagehouse.domain.jobs.source import S3Uri
from sagehouse.images.image import Image
from sagehouse.kit.errors import Invalid, NotFound, Unavailable
from sagehouse.ports.archives import Archives
from sagehouse.ports.objects import Objects
from sagehouse.ports.runtime import Environment, Environments, EnvironmentSpec, Requirements

_log = logging.getLogger(__name__)
_REMEMBERED = 1000
"""Texts of objects, by their ETag."""


def environment_spec(image: Image, *, python: str = "") -> EnvironmentSpec:
    """Return the image's environment as the environments port takes it, on `python` ("3.11") where that is as good."""
    alternatives = [
        Requirements(packages=one.packages, pythons=_first(python, one.pythons), note=one.note)
        for one in image.environment.alternatives
    ]
    if python:
        alternatives.sort(key=lambda one: (one.note != "", python not in one.pythons))
    return EnvironmentSpec(name=image.environment.name, alternatives=alternatives)


def _first(python: str, pythons: Sequence[str]) -> Sequence[str]:
    return (python, *(each for each in pythons if each != python)) if python in pythons else pythons


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """`added` is what the requirements brought: distribution -> version; `refusal` is why they brought nothing."""

    environment: Environment
    added: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    refusal: str = ""

    @property
    def variables(self) -> Mapping[str, str]:
        """Say where the environment's commands are, the shared libraries its packages may expect, what it brings.

        The toolkit installs a requirements file unless its digest is the one told here.
        """
        environment = self.environment
        brought = " ".join(f"{name}=={version}" for name, version in self.added.items())
        told = {"SAGEHOUSE_REQUIREMENTS": f"{environment.requirements} {brought}".strip()}
        return {
            "PATH": f"{environment.path}/bin:/usr/local/bin:/usr/bin:/bin",
            "LD_LIBRARY_PATH": f"{environment.path}/lib",
            **(told if environment.requirements else {}),
        }


async def equip(
    environments: Environments,
    image: Image,
    *,
    text: str,
    python: str = "",
    told: Callable[[str], None] = lambda _: None,
) -> Equipment:
    """Return the environment of an image, with a requirements file (its text, "" for none) if that can be installed.

    If it cannot, the job's own pip says why in the job's log. `python` is the version that what runs was made for, ""
    for any. `told` hears what takes a while.
    """
    spec = environment_spec(image, python=python)
    layered = replace(spec, requirements=text)
    if not await environments.is_built(layered):
        told(f"Installing the Python environment of {spec.name}{' and the requirements of the script' if text else ''}")
    base = await environments.ensure(spec)
    if not text:
        return Equipment(environment=base)
    try:
        environment = await environments.ensure(layered)
    except Unavailable as refused:
        _log.info("requirements_left_to_pip problem=%s", refused.message)
        return Equipment(environment=base, refusal=refused.message)
    added = {name: version for name, version in environment.packages.items() if base.packages.get(name) != version}
    return Equipment(environment=environment, added=added)


class RequirementsReader:
    """Finds the requirements of scripts in S3. An object is read once, whatever the number of its jobs."""

    def __init__(self, *, objects: Objects, archives: Archives) -> None:
        self._objects = objects
        self._archives = archives
        self._known: OrderedDict[tuple[str, str, str, str], str] = OrderedDict()

    async def read(self, source: Source | None) -> str:
        """Return the requirements file of a script, "" if it has none or one that only its own pip can install."""
        if source is None:
            return ""
        name = NAME
        if source.driver is not None:
            driver = await self._text(source.driver, "")
            name = requirements.installed_by(driver)
            if not name:
                return ""
            archive = requirements.unpacked_by(driver)
            if archive and not source.is_archive:
                source = replace(source, uri=source.below(archive))
            elif source.is_archive and not archive:
                return ""
        text = await (self._text(source.uri, name) if source.is_archive else self._text(source.below(name), ""))
        return text if requirements.is_plain(text) else ""

    async def _text(self, uri: S3Uri, member: str) -> str:
        """Return a small text: an object, or a member of one; "" if there is no such thing."""
        try:
            info, path = await self._objects.open(uri.bucket, uri.key)
            known = (uri.bucket, uri.key, info.etag, member)
            if known in self._known:
                self._known.move_to_end(known)
                return self._known[known]
            data = await (
                self._archives.read(path, member, limit_bytes=LIMIT_BYTES)
                if member
                else self._objects.read(uri.bucket, uri.key, limit_bytes=LIMIT_BYTES)
            )
            text = self._known[known] = (data or b"").decode()
        except (NotFound, Invalid, UnicodeDecodeError):
            return ""
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return text


def beside(model: Path, script: str) -> str:
    """Return what a model server installs before a script of its model, "" if that is left to its own pip."""
    file = model / "code" / NAME
    try:
        if not script or not (model / script).is_file() or file.is_symlink() or file.stat().st_size > LIMIT_BYTES:
            return ""
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return text if requirements.is_plain(text) else ""
