"""What is pinned is what is needed: no more, no less, and nothing that pyproject.toml refuses."""

import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ASKED = [
    Requirement(text)
    for text in (*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"])
    if isinstance(text, str)
]
BUILDING = {"editables", "hatchling", "tomlkit", "trove-classifiers"}
"""Builds the package and is not installed with it."""


def pins(name: str) -> dict[str, Requirement]:
    lines = (ROOT / "constraints" / f"{name}.txt").read_text().splitlines()
    return {canonicalize_name(pin.name): pin for pin in map(Requirement, lines)}


def version(pin: Requirement) -> str:
    return str(pin.specifier).removeprefix("==")


def needed(asked: list[Requirement]) -> Iterator[str]:
    """Yield what is asked for and, through the installed packages, all that it needs."""
    waiting = [(requirement, "") for requirement in asked]
    seen = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for each in {"", *requirement.extras} - {extra for known, extra in seen if known == name}:
            seen.add((name, each))
            waiting += [(Requirement(text), each) for text in metadata.requires(name) or ()]
        yield name


def test_a_pin_is_a_version_that_the_project_accepts():
    pinned = pins("dev")
    refused = {
        str(asked): version(pinned[canonicalize_name(asked.name)])
        for asked in ASKED
        if not asked.specifier.contains(version(pinned[canonicalize_name(asked.name)]))
    }
    assert refused == {}


def test_everything_that_is_installed_is_pinned_and_nothing_else():
    """aiohttp had been dropped and its idna stayed."""
    assert set(pins("dev")) - BUILDING == set(needed(ASKED))


def test_every_pin_is_one_version():
    for name in ("dev", "sdk2", "sdk3"):
        loose = [str(pin) for pin in pins(name).values() if [one.operator for one in pin.specifier] != ["=="]]
        assert loose == [], name


@pytest.mark.parametrize("sdk", ["sdk2", "sdk3"])
def test_it_can_be_installed_beside_an_sdk(sdk: str):
    """`sagehouse.activate()` in a notebook: rich 15 had been asked for, and the SDKs want less."""
    beside = pins(sdk)
    refused = {
        str(asked): version(beside[canonicalize_name(asked.name)])
        for asked in map(Requirement, PROJECT["project"]["dependencies"])
        if canonicalize_name(asked.name) in beside
        and not asked.specifier.contains(version(beside[canonicalize_name(asked.name)]))
    }
    assert refused == {}
