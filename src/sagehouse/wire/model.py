"""Services and operations as botocore's service models describe them, read when first asked for."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, TypeAlias

from sagehouse.kit.errors import NotBound
from sagehouse.wire.shapes import Shape, Traits

Load: TypeAlias = Callable[[str], Traits]
"""Service name -> the parsed `service-2` model of botocore; KeyError if there is none."""


class Operation:
    """One operation of one service. What the protocols compile for it is kept here, once."""

    def __init__(self, service: "Service", name: str, traits: Traits) -> None:
        self.service = service
        self.name = name
        self.traits = traits
        self.method: str = traits["http"]["method"]
        self.uri: str = traits["http"]["requestUri"]
        """"/{Bucket}/{Key+}?uploads"."""
        self.status: int = traits["http"].get("responseCode", 200)
        self._compiled: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Operation({self.service.name}.{self.name})"

    @cached_property
    def input(self) -> Shape | None:
        return self._shape("input")

    @cached_property
    def output(self) -> Shape | None:
        return self._shape("output")

    @cached_property
    def is_streaming_input(self) -> bool:
        """Whether the request's body is a payload of any size, never held in memory."""
        payload = self.input.payload if self.input else None
        return bool(payload and self.input and self.input.members[payload].is_streaming)

    @property
    def is_bytes_input(self) -> bool:
        """Whether the request's body is the caller's own bytes, not a document."""
        payload = self.input.payload if self.input else None
        return bool(payload and self.input and self.input.members[payload].type == "blob")

    @property
    def has_body_checksum(self) -> bool:
        """Whether checksum headers speak of the request's body; elsewhere they speak of the object."""
        return "httpChecksum" in self.traits

    def compiled(self, what: str, build: Callable[["Operation"], Any]) -> Any:
        """Return what `build` made of this operation the first time it was asked for."""
        try:
            return self._compiled[what]
        except KeyError:
            return self._compiled.setdefault(what, build(self))

    def _shape(self, which: str) -> Shape | None:
        reference = self.traits.get(which)
        return Shape.resolve(reference, self.service.shapes) if reference else None


class Service:
    """A service model: its protocol, its operations, its errors."""

    def __init__(self, name: str, model: Traits) -> None:
        self.name = name
        """botocore's name: "sagemaker-runtime"."""
        self.metadata: Traits = model["metadata"]
        self.shapes: Mapping[str, Traits] = model["shapes"]
        self._operations: Mapping[str, Traits] = model["operations"]
        self._resolved: dict[str, Operation] = {}
        self.memo: dict[Any, Any] = {}
        """What the protocols compile per shape."""

    def __repr__(self) -> str:
        return f"Service({self.name})"

    @property
    def protocols(self) -> tuple[str, ...]:
        return tuple(self.metadata.get("protocols") or (self.metadata["protocol"],))

    @cached_property
    def protocol(self) -> str:
        """The protocol answered: json, rest-json, rest-xml or query."""
        for protocol in ("json", "rest-json", "rest-xml", "query"):
            if protocol in self.protocols:
                return protocol
        raise NotBound(f"{self.name} speaks {', '.join(self.protocols)}, which sagehouse does not.")

    @property
    def target_prefix(self) -> str | None:
        return self.metadata.get("targetPrefix")

    @property
    def xml_namespace(self) -> str | None:
        """Of the service's own documents; None where the shapes carry it."""
        return self.metadata.get("xmlNamespace")

    @property
    def operation_names(self) -> tuple[str, ...]:
        return tuple(self._operations)

    def __contains__(self, operation: str) -> bool:
        return operation in self._operations

    def operation(self, name: str) -> Operation:
        """Return the operation; KeyError if the model has none of this name."""
        if name not in self._resolved:
            self._resolved[name] = Operation(self, name, self._operations[name])
        return self._resolved[name]

    @cached_property
    def errors(self) -> Mapping[str, Shape]:
        """Modelled errors by their code on the wire."""
        found = {}
        for name, traits in self.shapes.items():
            if traits.get("exception"):
                code = traits.get("error", {}).get("code") or name
                found[code] = Shape(name, traits, self.shapes)
        return found


class ServiceModels:
    """Every service a house knows by name; each model is read on first use."""

    def __init__(self, load: Load, names: Iterable[str]) -> None:
        self._load = load
        self.names = tuple(names)
        self._services: dict[str, Service] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def service(self, name: str) -> Service:
        """Return the service; KeyError if botocore has no such model."""
        if name not in self._services:
            self._services[name] = Service(name, self._load(name))
        return self._services[name]
