"""Calling an operation from inside the house, as an SDK would from outside."""

from typing import Protocol

from sagehouse.kit.document import Document
from sagehouse.ports.call import Call


class Dispatch(Protocol):
    async def __call__(self, call: Call, request: Document) -> Document:
        """Validate `request` against the service model and run `call.operation`; raises what the operation raises."""
        ...
