"""Paths into documents: `Outputs['train'].S3Output.S3Uri`, `a.b[0].value`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sagehouse.kit.errors import Invalid

_TOKEN = re.compile(r"""\.?(?P<name>[^.\[\]'"]+)|\[(?P<index>\d+)\]|\[(?P<quote>['"])(?P<key>.*?)(?P=quote)\]""")
_KEY_MEMBERS = ("OutputName", "InputName", "ChannelName", "MetricName", "Name")
"""Members by which AWS turns a list of a Describe result into a map: ProcessingOutputConfig.Outputs['train']."""

Path: TypeAlias = tuple[str | int, ...]


def parse_path(text: str) -> Path:
    """Return the keys and indices of a path; "" is the empty path; Invalid if it cannot be read."""
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Invalid(f"Cannot read the path {text!r} from {text[at:]!r} on.")
        if match["index"] is not None:
            steps.append(int(match["index"]))
        else:
            steps.append(match["key"] if match["key"] is not None else match["name"])
        at = match.end()
    return tuple(steps)


def look_up(value: Any, path: Path) -> Any:
    """Return what lies at a path; KeyError with the part that is missing.

    A list may be indexed by number, or by the name of one of its elements.
    """
    for part in path:
        value = _child(value, part)
    return value


def _child(value: Any, part: str | int) -> Any:
    if isinstance(value, Mapping):
        return value[str(part)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _element(value, part)
    raise KeyError(part)


def _element(values: Sequence[Any], part: str | int) -> Any:
    if isinstance(part, int):
        if part < len(values):
            return values[part]
        raise KeyError(part)
    for member in _KEY_MEMBERS:
        for value in values:
            if isinstance(value, Mapping) and value.get(member) == part:
                return value
    raise KeyError(part)
