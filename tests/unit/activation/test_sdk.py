"""Whose validation is remembered, and for what; whose names do not repeat."""

import importlib
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sagehouse.activation import sdk

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
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setitem(sys.modules, "jsonschema", here)
    sdk.install()
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
    sdk.install()
    assert library.validate is before


@pytest.fixture
def imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory to write libraries into that nobody has imported yet."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("jsonschema", "sagemaker", "sagemaker.train", "sagemaker.train.utils"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))  # so that what was there comes back
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def test_it_waits_for_a_library_that_is_imported_later(imports: Path) -> None:
    (imports / "jsonschema.py").write_text(
        "asked = []\n\ndef validate(instance, schema):\n    asked.append(instance)\n"
    )
    before = len(sys.meta_path)
    sdk.install()
    sdk.install()
    assert len(sys.meta_path) == before + 1
    library = importlib.import_module("jsonschema")
    for _ in range(2):
        asked_from("sagemaker.config.config", library, {"SchemaVersion": "1.0"})
    assert library.asked == [{"SchemaVersion": "1.0"}]


NAMES = """
from datetime import datetime

def _get_unique_name(base, max_length=63):
    return f"{base}-{datetime.now():%Y%m%d%H%M%S}"[:max_length]
"""


def test_a_name_by_the_second_is_not_given_twice(imports: Path) -> None:
    """Two jobs of one trainer within a second had one name, and the second of them was refused."""
    (imports / "sagemaker" / "train").mkdir(parents=True)
    (imports / "sagemaker" / "train" / "utils.py").write_text(NAMES)
    sdk.install()
    library = importlib.import_module("sagemaker.train.utils")
    names = [library._get_unique_name("job") for _ in range(3)]
    assert len(set(names)) == 3
    assert len({library._get_unique_name(base) for base in "abc"}) == 3
    assert [library._get_unique_name("long", max_length=4) for _ in range(2)] == ["long", "long"]
