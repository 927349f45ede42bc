"""Whose validation is remembered, and for what."""

import importlib
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sagehouse.activation import sdk_defaults

SCHEMA = {"type": "object"}


class Library(types.ModuleType):
    """Stands for jsonschema: counts what it is asked, refuses what holds "bad"."""

    def __init__(self) -> None:
        super().__init__("jsonschema")
        self.asked: list[object] = []

        def validate(instance: object, _schema: object, cls: object = None) -> None:
            self.asked.append(instance)
            if "bad" in str(instance) or cls is not None:
                raise ValueError("not valid")

        self.validate: Callable[..., None] = validate


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    here = Library()
    monkeypatch.setitem(sys.modules, "jsonschema", here)
    sdk_defaults.install()
    yield here
    assert here.validate.__name__ == "validate"


def asked_from(module: str, library: types.ModuleType, instance: object, **more: object) -> None:
    code = compile("library.validate(instance, schema, **more)", "asking.py", "exec")
    exec(code, {"__name__": module, "library": library, "instance": instance, "schema": SCHEMA, "more": more})


def test_the_sdk_validates_one_configuration_once(library: Library) -> None:
    """A pipeline of seven steps spent eleven of its twenty-five seconds on validating four lines."""
    for _ in range(3):
        asked_from("sagemaker.core.config.config_manager", library, {"SchemaVersion": "1.0"})
    assert library.asked == [{"SchemaVersion": "1.0"}]
    asked_from("sagemaker.config.config", library, {"SchemaVersion": "1.0", "SageMaker": {}})
    assert len(library.asked) == 2


def test_what_is_not_valid_is_told_every_time(library: Library) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="not valid"):
            asked_from("sagemaker.config.config", library, {"bad": 1})
    with pytest.raises(ValueError, match="not valid"):
        asked_from("sagemaker.config.config", library, {}, cls=dict)


def test_others_validate_as_ever(library: Library) -> None:
    for module in ("mlflow.schemas", "sagemakers", "__main__"):
        asked_from(module, library, {"a": 1})
        asked_from(module, library, {"a": 1})
    assert len(library.asked) == 6


def test_installed_twice_it_is_there_once(library: Library) -> None:
    before = library.validate
    sdk_defaults.install()
    assert library.validate is before


def test_it_waits_for_a_library_that_is_imported_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jsonschema.py").write_text(
        "asked = []\n\ndef validate(instance, schema):\n    asked.append(instance)\n"
    )
    monkeypatch.delitem(sys.modules, "jsonschema", raising=False)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.syspath_prepend(tmp_path)
    before = len(sys.meta_path)
    sdk_defaults.install()
    sdk_defaults.install()
    assert len(sys.meta_path) == before + 1
    library = importlib.import_module("jsonschema")
    assert len(sys.meta_path) == before
    for _ in range(2):
        asked_from("sagemaker.config.config", library, {"SchemaVersion": "1.0"})
    assert library.asked == [{"SchemaVersion": "1.0"}]
    monkeypatch.delitem(sys.modules, "jsonschema")
