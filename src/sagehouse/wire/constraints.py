"""The words AWS uses for a broken constraint, and for the value that breaks it."""

from collections.abc import Iterable
from typing import Any

from sagehouse.wire.shapes import Shape

_SHOWN_CHARACTERS = 1_024  # of an offending value in a message


def every_constraint(shape: Shape) -> list[str]:
    """Return every constraint of a scalar, the way AWS lists them for list members, map keys and map values."""
    traits = shape.traits
    texts: list[str] = []
    if shape.type in {"integer", "long", "float", "double"}:
        texts += range_texts(float("inf"), None, traits.get("max"))
        texts += range_texts(float("-inf"), traits.get("min"), None)
    else:
        texts += length_texts(2**63, None, traits.get("max"))
        texts += length_texts(-1, traits.get("min"), None)
    if traits.get("pattern"):
        texts.append(pattern_text(traits["pattern"]))
    if traits.get("enum"):
        texts.append(enum_text(traits["enum"]))
    return texts


def length_texts(size: int, least: int | None, most: int | None) -> Iterable[str]:
    if most is not None and size > most:
        yield f"Member must have length less than or equal to {most}"
    if least is not None and size < least:
        yield f"Member must have length greater than or equal to {least}"


def range_texts(value: float, least: float | None, most: float | None) -> Iterable[str]:
    if most is not None and value > most:
        yield f"Member must have value less than or equal to {most}"
    if least is not None and value < least:
        yield f"Member must have value greater than or equal to {least}"


def pattern_text(pattern: str) -> str:
    return f"Member must satisfy regular expression pattern: {pattern}"


def enum_text(values: Iterable[str]) -> str:
    return f"Member must satisfy enum value set: [{', '.join(values)}]"


def shown(value: Any, shape: Shape) -> str:
    if shape.traits.get("sensitive"):
        return "'***'"
    text = _java(value)
    return f"'{text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + '...'}'"


def _java(value: Any) -> str:
    """Spell a value as Java's toString does."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_java, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}={_java(item)}' for key, item in value.items())}}}"
    if isinstance(value, bytes | bytearray):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    return str(value)
