"""The service model's data types: shapes and their members, read from botocore's JSON.

Nothing of botocore is imported: its `service-2` files are data, and importing its classes costs a quarter of a second.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeAlias

Traits: TypeAlias = Mapping[str, Any]


class Shape:
    """One data type, seen from one place: the traits of the reference (locationName, ...) overlay those of the type."""

    def __init__(self, name: str, traits: Traits, shapes: Mapping[str, Traits]) -> None:
        self.name = name
        self.traits = traits
        self._shapes = shapes
        self.type: str = traits["type"]
        """structure, list, map, string, character, integer, long, float, double, boolean, blob, timestamp."""

    @classmethod
    def resolve(cls, reference: Traits, shapes: Mapping[str, Traits]) -> "Shape":
        """Return the shape a reference names, with the reference's own traits on top."""
        name = reference["shape"]
        return cls(name, {**shapes[name], **reference}, shapes)

    def __repr__(self) -> str:
        return f"Shape({self.name}: {self.type})"

    @cached_property
    def members(self) -> Mapping[str, "Shape"]:
        """Members of a structure by name, in the model's order."""
        return {name: Shape.resolve(ref, self._shapes) for name, ref in self.traits.get("members", {}).items()}

    @cached_property
    def member(self) -> "Shape":
        """The element of a list."""
        return Shape.resolve(self.traits["member"], self._shapes)

    @cached_property
    def key(self) -> "Shape":
        return Shape.resolve(self.traits["key"], self._shapes)

    @cached_property
    def value(self) -> "Shape":
        return Shape.resolve(self.traits["value"], self._shapes)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(self.traits.get("required", ()))

    @property
    def payload(self) -> str | None:
        """The member that is the whole HTTP body, if one is."""
        return self.traits.get("payload")

    @property
    def location(self) -> str | None:
        """Where a REST protocol carries the member: uri, querystring, header, headers, statusCode; None: the body."""
        return self.traits.get("location")

    @property
    def wire_name(self) -> str | None:
        return self.traits.get("locationName")

    @property
    def is_streaming(self) -> bool:
        return bool(self.traits.get("streaming"))

    @property
    def is_flattened(self) -> bool:
        return bool(self.traits.get("flattened"))

    @property
    def is_open(self) -> bool:
        """A document type: any JSON."""
        return bool(self.traits.get("document"))

    @property
    def timestamp_format(self) -> str | None:
        return self.traits.get("timestampFormat")
