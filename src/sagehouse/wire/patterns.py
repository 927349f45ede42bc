r"""The service model's regular expressions, written for Java, as Python's.

Python has no \p{..} classes, no pairs of surrogates, no \z, and reads [\w-_] as a broken range.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache

_POSIX = {
    "ASCII": r"\x00-\x7f",
    "Alnum": "a-zA-Z0-9",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Graph": r"\x21-\x7e",
    "Lower": "a-z",
    "Print": r"\x20-\x7e",
    "Punct": r"!-/:-@\[-`{-~",
    "Space": r"\x20\t\n\x0b\f\r",
    "Upper": "A-Z",
    "XDigit": "0-9a-fA-F",
}
_PROPERTY = re.compile(r"\\p\{(?:Is)?(\w+)\}|\\p([A-Z])")
_ASTRAL = "\\uD800\\uDC00-\\uDBFF\\uDFFF"  # Java's way to write every character beyond U+FFFF
_LAST_LETTER = 0x323B0  # past the last letter and mark of Unicode 16 but for the variation selectors below
_SELECTORS = range(0xE0000, 0xE0200)


def compile_pattern(pattern: str) -> Callable[[str], object]:
    """Return a function telling whether a whole text matches a pattern of the service model.

    Tables of Unicode categories are built only when a text that is not ASCII arrives.
    """
    ascii_match = _python(pattern, limit=0x80).fullmatch
    if not _PROPERTY.search(pattern):
        return ascii_match

    def matches(text: str) -> object:
        return ascii_match(text) if text.isascii() else _python(pattern, limit=_LAST_LETTER).fullmatch(text)

    return matches


@lru_cache(maxsize=4096)
def _python(pattern: str, *, limit: int) -> re.Pattern[str]:
    text = pattern.replace(_ASTRAL, "\\U00010000-\\U0010FFFF")
    text = re.sub(r"\$\{\d+,\d*\}", "$", text)  # "$" repeated is "$"
    text = text.replace("\\z", "\\Z").replace("\\w-_", "\\w\\-_")
    text = _expand_properties(text, limit)
    return re.compile(text, re.ASCII)


def _expand_properties(pattern: str, limit: int) -> str:
    """Replace every property by its ranges: bare inside [...], in brackets of its own outside."""
    parts: list[str] = []
    is_inside = False
    position = 0
    while position < len(pattern):
        found = _PROPERTY.match(pattern, position)
        if found:
            ranges = _ranges(found[1] or found[2], limit)
            parts.append(ranges if is_inside else f"[{ranges}]")
            position = found.end()
            continue
        step = 2 if pattern[position] == "\\" else 1
        if step == 1 and pattern[position] in "[]":
            is_inside = pattern[position] == "["
        parts.append(pattern[position : position + step])
        position += step
    return "".join(parts)


@lru_cache(maxsize=256)
def _ranges(name: str, limit: int) -> str:
    if name in _POSIX:
        return _POSIX[name]
    points: Iterable[int] = range(limit) if limit <= 0x80 else (*range(limit), *_SELECTORS)
    spans: list[list[int]] = []
    for point in points:
        if unicodedata.category(chr(point)).startswith(name):
            if spans and spans[-1][1] == point - 1:
                spans[-1][1] = point
            else:
                spans.append([point, point])
    # An empty class has no spelling in Python; a lone surrogate never gets past the parser.
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in spans) or "\\ud800"
