"""JSON that somebody else wrote: whatever it holds, reading it ends in a value or in a ValueError."""

import json
from typing import Any


def read_json(text: str | bytes) -> Any:
    """Return the value of a JSON text, with the NaN and Infinity that Python and numpy write; ValueError otherwise."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it nests too deeply to be read") from None


def read_strict_json(text: str | bytes, *, max_depth: int) -> Any:
    """Return the value of a JSON text that may be stored and walked through; ValueError otherwise.

    NaN and the infinities are none, nor is half a surrogate, nor what nests deeper than `max_depth` levels.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError(f"it nests deeper than {max_depth} levels") from None
    if _is_deeper(value, max_depth):
        raise ValueError(f"it nests deeper than {max_depth} levels")
    half = ("\\ud", "\\uD") if isinstance(text, str) else (b"\\ud", b"\\uD")
    if half[0] in text or half[1] in text:  # type: ignore[operator]  # of the text's own type
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _is_deeper(value: Any, depth: int) -> bool:
    """Whether lists and objects lie in each other deeper than this; looked at without recursion."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        inner = (one for outer in level for one in (outer.values() if isinstance(outer, dict) else outer))
        level = [one for one in inner if isinstance(one, dict | list)]
        if not level:
            return False
    return bool(level)
