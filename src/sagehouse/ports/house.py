"""The ports an operation of a service may use."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from sagehouse.kit.document import Document
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Catalog
from sagehouse.ports.clock import Ids
from sagehouse.ports.dispatch import Dispatch
from sagehouse.ports.objects import Objects, Uploads
from sagehouse.ports.serving import Serving
from sagehouse.ports.streams import Streams
from sagehouse.ports.wake import Wake


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Handed to every operation as its first argument."""

    catalog: Catalog
    objects: Objects
    uploads: Uploads
    streams: Streams
    serving: Serving
    wake: Wake
    ids: Ids
    dispatch: Dispatch


Operation: TypeAlias = Callable[[House, Call, Document], Awaitable[Document]]
"""`await operation(house, call, request)`: the validated request document in, the response document out.

A streaming input member holds a `ports.stream.ByteStream`; a streaming output member may hold bytes, a `FileSlice`
or an async iterator of bytes.
"""
