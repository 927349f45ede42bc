"""What becomes of each member of a request: honoured, refused, or recorded and not honoured. Never dropped in silence.

Each kind keeps its table beside its operations; a test walks the service model and finds every member in one of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Paths are written "InputDataConfig[].ChannelName"; a path speaks for everything below it."""

    operation: str
    honoured: frozenset[str]
    refused: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Path, or "path=value" for one value of an honoured member -> why, and what to do instead."""
    not_honoured: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Recorded and described, without effect: path -> what happens instead."""

    def refuse(self, request: Document) -> None:
        """Invalid, naming the member, if the request asks for what is refused. Empty and false values ask nothing.

        A member that a newer service model brings, of which the table says nothing, is refused as well.
        """
        for rule, why in self.refused.items():
            path, _, wanted = rule.partition("=")
            for value in values_at(request, path):
                if str(value) == wanted if wanted else value:
                    asked = f"{path} {wanted}" if wanted else path
                    raise Invalid(f"{self.operation}: sagehouse does not implement {asked}: {why}")
        for path in self._unheard_of(request):
            raise Invalid(f"{self.operation}: sagehouse does not implement {path}; leave it out.")

    def _unheard_of(self, document: Document, prefix: str = "") -> Iterator[str]:
        for name, value in document.items():
            path = prefix + name
            if not value or self._knows(path) or self._knows(f"{path}[]"):
                continue
            if not self._knows_below(path):
                yield path
            elif isinstance(value, list):
                for one in value:
                    yield from self._unheard_of(one, f"{path}[].")
            else:
                yield from self._unheard_of(value, f"{path}.")

    def _knows(self, path: str) -> bool:
        return path in self.honoured or path in self.not_honoured or path in self.refused

    def _knows_below(self, path: str) -> bool:
        return any(
            known.startswith((f"{path}.", f"{path}[]."))
            for known in (*self.honoured, *self.not_honoured, *self.refused)
        )


def values_at(document: Any, path: str) -> Iterator[Any]:
    """Yield every value at a path."""
    member, _, rest = path.partition(".")
    name = member.removesuffix("[]")
    if not isinstance(document, dict) or name not in document:
        return
    found = document[name]
    for value in found if member.endswith("[]") else (found,):
        if rest:
            yield from values_at(value, rest)
        else:
            yield value
