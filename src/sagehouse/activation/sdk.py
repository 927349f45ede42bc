"""What the SDKs do that fast jobs do not bear: a configuration validated for each default, names that repeat.

SageMaker's SDKs validate their whole configuration, and the schema it has to follow, whenever they look for a single
default: 65 ms each time, two hundred times while a small pipeline is compiled. Without a configuration they do not; but
the one that points a program here is never empty, for it says no to telemetry. What else uses jsonschema is left alone.
Source: sagemaker 2.257.7, utils.get_sagemaker_config_value; 3.27.0, core/config/config_manager.py.

`ModelTrainer` names its jobs by the second. Two small jobs of one trainer fit into a second here, and the second of
them would be refused for its name; so a name given before is not given again.
Source: sagemaker 2.257.7, modules/utils.py; 3.27.0, train/utils.py, core/modules/utils.py: _get_unique_name.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_LONGEST_WAIT_FOR_A_NAME_S = 1.5
"""A base so long that it leaves the time no room repeats for ever: the service refuses it, as it does on AWS."""
_real_sleep = time.sleep


def install() -> None:
    """Mend the libraries of this process that are imported, and the others when they will be."""
    later = {}
    for name, mend in _MENDED.items():
        if (library := sys.modules.get(name)) is not None:
            mend(library)
        else:
            later[name] = mend
    if later and not any(isinstance(finder, _Imports) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Imports(later))


def _validate_once(library: ModuleType) -> None:
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


def _tell_names_apart(library: ModuleType) -> None:
    name = getattr(library, "_get_unique_name", None)
    if name is not None and not hasattr(name, "__wrapped__"):
        library._get_unique_name = _unrepeated(name)  # type: ignore[attr-defined]  # it has one


def _unrepeated(unique_name: Callable[..., str]) -> Callable[..., str]:
    """Return `unique_name`, which waits for the next second rather than give a name twice."""
    given: set[str] = set()

    @functools.wraps(unique_name)
    def unrepeated(*arguments: Any, **named: Any) -> str:
        late = time.monotonic() + _LONGEST_WAIT_FOR_A_NAME_S
        while (name := unique_name(*arguments, **named)) in given and time.monotonic() < late:
            _real_sleep(0.02)
        given.add(name)
        return name

    return unrepeated


_MENDED: dict[str, Callable[[ModuleType], None]] = {
    "jsonschema": _validate_once,
    "sagemaker.train.utils": _tell_names_apart,
    "sagemaker.core.modules.utils": _tell_names_apart,
    "sagemaker.modules.utils": _tell_names_apart,
}


class _Imports:
    """Waits on `sys.meta_path` for libraries, for each of them once."""

    def __init__(self, waiting: dict[str, Callable[[ModuleType], None]]) -> None:
        self._waiting = waiting

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        mend = self._waiting.pop(name, None)
        if mend is None:
            return None
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                mend(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # of this one loader
        return spec
