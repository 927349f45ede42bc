"""Where the service models lie: the data files of the installed botocore, read without importing it."""

import gzip
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sagehouse.wire.model import ServiceModels


def load_model(service: str) -> dict[str, Any]:
    """Return botocore's newest `service-2` model of a service, with botocore's own additions; KeyError if it has none.

    Only the files of the package are read, never a user's ~/.aws/models.
    """
    versions = sorted(path for path in (_data() / service).glob("*") if path.is_dir())
    for version in reversed(versions):
        for name in ("service-2.json.gz", "service-2.json"):
            path = version / name
            if path.exists():
                data = path.read_bytes()
                model: dict[str, Any] = json.loads(gzip.decompress(data) if name.endswith(".gz") else data)
                extras = version / "service-2.sdk-extras.json"
                return _merge(model, json.loads(extras.read_bytes())["merge"]) if extras.exists() else model
    raise KeyError(service)


def service_models(*names: str) -> ServiceModels:
    """Return the models of these services, each read when first asked for."""
    return ServiceModels(load_model, names)


@cache
def _data() -> Path:
    spec = find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("botocore is not installed; sagehouse reads the AWS service models from it.")
    return Path(spec.submodule_search_locations[0]) / "data"


def _merge(base: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value
    return base
