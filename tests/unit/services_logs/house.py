"""A house of fakes for the logs operations, and one way to call them."""

import asyncio
from types import SimpleNamespace

from tests.fakes.catalog import FakeCatalog
from tests.fakes.streams import FakeStreams

from sagehouse.kit.document import Document
from sagehouse.ports.call import Call
from sagehouse.ports.streams import Scope
from sagehouse.services.logs import OPERATIONS

NOW = 1_700_000_000.0
NOW_MS = 1_700_000_000_000
SCOPE = Scope(account="123456789012", region="us-east-1")


class Logs:
    """`logs.create_log_group(logGroupName="/g")` calls the operation; times stand still at NOW."""

    def __init__(self, streams=None) -> None:
        self.streams = streams or FakeStreams()
        self.house = SimpleNamespace(streams=self.streams, catalog=FakeCatalog())

    def __getattr__(self, name: str):
        operation = "".join(word.capitalize() for word in name.split("_"))

        def ask(**request) -> Document:
            return asyncio.run(OPERATIONS[operation](self.house, a_call(operation), request))

        return ask

    def a_stream(self, group: str, stream: str, *events: tuple[int, str]) -> None:
        """A stream with these (ms after NOW, text) events."""
        self.streams.file(SCOPE, group, stream)
        told = [(NOW_MS + at, text) for at, text in events]
        asyncio.run(self.streams.append(SCOPE, group, stream, told))


def a_call(operation: str) -> Call:
    return Call(
        service="logs",
        operation=operation,
        region="us-east-1",
        account="123456789012",
        principal="arn:aws:sts::123456789012:assumed-role/SageMakerRole/session",
        request_id="request",
        now=NOW,
    )
