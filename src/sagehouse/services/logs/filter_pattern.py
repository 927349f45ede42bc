"""CloudWatch Logs filter patterns: a text turned into a predicate over messages.

Terms: `ERROR "two words" -debug`; any of several: `?ERROR ?WARN`; JSON: `{ $.a.b = "x*" && $.c > 3 }`. Space-delimited
(`[ip, user]`) and regular expression (`%...%`) patterns are refused, naming themselves.
Source: CloudWatch Logs user guide, "Filter pattern syntax".
"""

import fnmatch
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from sagehouse.kit.errors import Invalid
from sagehouse.kit.json_text import read_json

Predicate: TypeAlias = Callable[[str], bool]
_Selector: TypeAlias = Callable[[Any], bool]

_TERM = re.compile(r'\s*([-?]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')
_TOKEN = re.compile(r'\s*(&&|\|\||!=|<=|>=|=|<|>|\(|\)|"(?:[^"\\]|\\.)*"|\$[^\s=!<>()&|]*|[^\s=!<>()&|"]+)', re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")
_ABSENT = object()
_MAX_DEPTH = 50
"""Of parentheses in each other: patterns have 1,024 characters at most, the interpreter's stack no more frames."""


def compile_pattern(pattern: str) -> Predicate:
    """Return whether a message matches; Invalid, naming the pattern, for one that cannot be read."""
    text = pattern.strip()
    if text.startswith("["):
        raise _refused(pattern, "space-delimited patterns are not available here")
    if "%" in text and re.search(r"(^|\s)[-?]?%.*%", text):
        raise _refused(pattern, "regular expression patterns are not available here")
    if text.startswith("{"):
        return _json_predicate(_Parser(pattern, text))
    return _terms_predicate(pattern, text)


def _refused(pattern: str, why: str) -> Invalid:
    return Invalid(f"Invalid filter pattern {pattern!r}: {why}.", code="InvalidParameterException")


def _terms_predicate(pattern: str, text: str) -> Predicate:
    required: list[str] = []
    excluded: list[str] = []
    optional: list[str] = []
    among = {"": required, "-": excluded, "?": optional}
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise _refused(pattern, "a quotation mark is missing")
        quoted, bare = match[2], match[3]
        among[match[1]].append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare)
        position = match.end()
    if required or excluded:
        # As AWS documents it: optional terms beside others count for nothing.
        return lambda message: (
            all(term in message for term in required) and not any(term in message for term in excluded)
        )
    return lambda message: not optional or any(term in message for term in optional)


def _json_predicate(parser: "_Parser") -> Predicate:
    selects = parser.parse()

    def matches(message: str) -> bool:
        try:
            return selects(read_json(message))
        except ValueError:
            return False

    return matches


class _Parser:
    """Recursive descent over `{ any }`: any = all || all, all = one && one, one = ( any ) | selector operator value."""

    def __init__(self, pattern: str, text: str) -> None:
        self._pattern = pattern
        if not text.endswith("}"):
            raise _refused(pattern, "the closing brace is missing")
        inside = text[1:-1]
        self._tokens = [match[1] for match in _TOKEN.finditer(inside)]
        if re.sub(r"\s", "", "".join(self._tokens)) != re.sub(r"\s", "", inside):
            raise _refused(pattern, "a quotation mark is missing")
        self._at = 0
        self._depth = 0

    def parse(self) -> _Selector:
        selects = self._any()
        if self._at != len(self._tokens):
            raise _refused(self._pattern, f"{self._tokens[self._at]!r} is not expected")
        return selects

    def _any(self) -> _Selector:
        parts = [self._all()]
        while self._take("||"):
            parts.append(self._all())
        return lambda document: any(part(document) for part in parts)

    def _all(self) -> _Selector:
        parts = [self._one()]
        while self._take("&&"):
            parts.append(self._one())
        return lambda document: all(part(document) for part in parts)

    def _one(self) -> _Selector:
        if self._take("("):
            self._depth += 1
            if self._depth > _MAX_DEPTH:
                raise _refused(self._pattern, f"parentheses nest deeper than {_MAX_DEPTH} levels")
            inner = self._any()
            self._depth -= 1
            if not self._take(")"):
                raise _refused(self._pattern, "a closing parenthesis is missing")
            return inner
        path = self._path(self._next())
        operator = self._next().upper()
        if operator in ("IS", "NOT"):
            return self._state(path, operator, self._next().upper())
        compares = _comparison(operator, self._next())
        if compares is None:
            raise _refused(self._pattern, f"{operator!r} does not compare with that value")
        return lambda document: any(compares(value) for value in _values(document, path))

    def _state(self, path: list[str | int], operator: str, word: str) -> _Selector:
        if (operator, word) == ("NOT", "EXISTS"):
            return lambda document: not _values(document, path)
        wanted = {"NULL": None, "TRUE": True, "FALSE": False}
        if operator != "IS" or word not in wanted:
            raise _refused(self._pattern, f"{operator} {word} is not known")
        return lambda document: any(value is wanted[word] for value in _values(document, path))

    def _path(self, text: str) -> list[str | int]:
        steps: list[str | int] = []
        position = 1
        while text.startswith("$") and position < len(text):
            match = _STEP.match(text, position)
            if match is None:
                break
            steps.append(int(match[2]) if match[2] else next(name for name in match.group(1, 3, 4) if name is not None))
            position = match.end()
        if not steps or position != len(text):
            raise _refused(self._pattern, f"{text!r} is not a selector like $.name")
        return steps

    def _take(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False

    def _next(self) -> str:
        if self._at == len(self._tokens):
            raise _refused(self._pattern, "it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]


def _values(document: Any, path: list[str | int]) -> list[Any]:
    """Return the value at a path, in a list; "*" steps through everything."""
    found = [document]
    for step in path:
        found = [value for one in found for value in _stepped(one, step)]
    return found


def _stepped(value: Any, step: str | int) -> list[Any]:
    if step == "*":
        return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []
    if isinstance(value, dict):
        inner = value.get(str(step), _ABSENT)
        return [] if inner is _ABSENT else [inner]
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return [value[step]]
    return []


def _comparison(operator: str, wanted: str) -> Callable[[Any], bool] | None:
    if wanted.startswith('"'):
        try:
            return _text_comparison(operator, read_json(wanted))
        except ValueError:
            return None
    try:
        number = float(wanted)
    except ValueError:
        return _text_comparison(operator, wanted)
    compares: dict[str, Callable[[float], bool]] = {
        "=": lambda value: value == number,
        "!=": lambda value: value != number,
        "<": lambda value: value < number,
        "<=": lambda value: value <= number,
        ">": lambda value: value > number,
        ">=": lambda value: value >= number,
    }
    compare = compares.get(operator)
    if compare is None:
        return None
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and compare(value)


def _text_comparison(operator: str, wanted: str) -> Callable[[Any], bool] | None:
    pattern = re.compile(fnmatch.translate(re.sub(r"[\[?]", r"[\g<0>]", wanted)))
    if operator == "=":
        return lambda value: isinstance(value, str) and pattern.match(value) is not None
    if operator == "!=":
        return lambda value: not isinstance(value, str) or pattern.match(value) is None
    return None
