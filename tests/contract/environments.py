"""What environments promise. Each adapter and the fake inherit `EnvironmentsContract`."""

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from sagehouse.kit.errors import Unavailable
from sagehouse.ports.runtime import Environment, Environments, EnvironmentSpec, Requirements

HERE = ["3.11", "3.12", "3.13"]
"""Any Python that runs these tests."""


def a_spec(*packages: str, name: str = "sagemaker-test 1-1", **more: Any) -> EnvironmentSpec:
    alternative = Requirements(**{"packages": packages, "pythons": HERE, **more})
    return EnvironmentSpec(name=name, alternatives=[alternative])


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class EnvironmentsContract:
    """`anvil` 1.0 and 2.0 and `hammer` 1.0 can be installed, anvil 3.0 cannot."""

    def environments(self) -> Environments:
        raise NotImplementedError

    def ensure(self, environments: Environments, spec: EnvironmentSpec) -> Environment:
        return asyncio.run(environments.ensure(spec))

    def test_an_environment_holds_what_it_was_asked_to(self) -> None:
        found = self.ensure(self.environments(), a_spec("anvil==2.0"))
        assert found.packages["anvil"] == "2.0"
        assert found.python.parent.parent == found.path
        assert ".".join(found.python_version.split(".")[:2]) in HERE
        assert found.site_packages.is_relative_to(found.path)
        assert found.note == ""

    def test_equal_specs_share_an_environment_whatever_they_are_called(self) -> None:
        environments = self.environments()
        first = self.ensure(environments, a_spec("anvil==1.0", name="a"))
        assert self.ensure(environments, a_spec("anvil==1.0", name="b")) == first

    def test_the_nearest_that_can_be_installed_is_taken_and_says_so(self) -> None:
        exact = Requirements(packages=["anvil==3.0"], pythons=HERE)
        nearest = Requirements(packages=["anvil==2.0"], pythons=HERE, note="anvil 2.0 instead of 3.0")
        spec = EnvironmentSpec(name="anvil 3.0", alternatives=[exact, nearest])
        found = self.ensure(self.environments(), spec)
        assert (found.packages["anvil"], found.note) == ("2.0", "anvil 2.0 instead of 3.0")

    def test_what_cannot_be_installed_is_unavailable_and_named(self) -> None:
        with pytest.raises(Unavailable, match=r"sagemaker-test 1-1[\s\S]*anvil==3\.0"):
            self.ensure(self.environments(), a_spec("anvil==3.0"))

    def test_requirements_are_installed_on_top_and_nowhere_else(self) -> None:
        environments = self.environments()
        base = self.ensure(environments, a_spec("anvil==1.0"))
        layered = self.ensure(environments, replace(a_spec("anvil==1.0"), requirements="hammer==1.0\n"))
        assert layered.packages == {**base.packages, "hammer": "1.0"}
        assert (base.requirements, layered.requirements) == ("", digest("hammer==1.0\n"))
        assert "hammer" not in self.ensure(environments, a_spec("anvil==1.0")).packages

    def test_requirements_may_replace_what_is_there(self) -> None:
        found = self.ensure(self.environments(), replace(a_spec("anvil==1.0"), requirements="anvil==2.0\n"))
        assert found.packages["anvil"] == "2.0"

    def test_requirements_that_cannot_be_installed_are_unavailable_and_named(self) -> None:
        spec = replace(a_spec("anvil==2.0"), requirements="anvil==3.0\n")
        with pytest.raises(Unavailable, match=r"sagemaker-test 1-1[\s\S]*anvil==3\.0"):
            self.ensure(self.environments(), spec)

    def test_what_was_ensured_is_built(self) -> None:
        environments = self.environments()
        spec = replace(a_spec("anvil==1.0"), requirements="hammer==1.0\n")
        self.ensure(environments, spec)
        assert asyncio.run(environments.is_built(spec))
