"""Quick look-ups of the SDK's defaults: one configuration is validated once.

SageMaker's SDKs validate their whole configuration, and the schema it has to follow, whenever they look for a single
default: 65 ms each time, two hundred times while a small pipeline is compiled. Without a configuration they do not; but
the one that points a program here is never empty, for it says no to telemetry. What else uses jsonschema is left alone.
Source: sagemaker 2.257.7, utils.get_sagemaker_config_value; 3.27.0, core/config/config_manager.py.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_LIBRARY = "jsonschema"


def install() -> None:
    """Shorten the look-ups of this process, when the library that validates is or will be imported."""
    library = sys.modules.get(_LIBRARY)
    if library is not None:
        _shorten(library)
    elif not any(isinstance(finder, _Import) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Import())


def _shorten(library: ModuleType) -> None:
    if not hasattr(library.validate, "__wrapped__"):
        library.validate = _remembering(library.validate)  # type: ignore[attr-defined]  # it has one


def _remembering(validate: Callable[..., None]) -> Callable[..., None]:
    """Return `validate`, which for the SDKs passes over what it has found valid before."""
    valid: dict[tuple[int, str], object] = {}

    @functools.wraps(validate)
    def remembered(instance: object, schema: object, *more: Any, **named: Any) -> None:
        caller = str(sys._getframe(1).f_globals.get("__name__", ""))
        if more or named or not caller.startswith("sagemaker."):
            return validate(instance, schema, *more, **named)
        key = id(schema), json.dumps(instance, sort_keys=True, default=repr)
        if key not in valid:
            validate(instance, schema)
            valid[key] = schema  # kept, so that no other schema gets its id
        return None

    return remembered


class _Import:
    """Waits on `sys.meta_path` for the library, once."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _LIBRARY:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _shorten(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # of this one loader
        return spec
