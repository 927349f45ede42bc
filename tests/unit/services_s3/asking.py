"""Asks operations of S3 over the in-memory store, as the gateway would: a request document in, a response out."""

import asyncio
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from tests.fakes.objects import Chunks, FakeObjects

from sagehouse.kit.document import Document
from sagehouse.ports.call import Call
from sagehouse.services.s3 import OPERATIONS

ACCOUNT = "123456789012"
MIB = 1024 * 1024


class Asking:
    """`await ask("PutObject", Bucket=..., ...)`; the time is `now` and moves by one with every call."""

    def __init__(self, *, region: str = "us-east-1") -> None:
        self.objects = FakeObjects()
        self.house: Any = SimpleNamespace(objects=self.objects, uploads=self.objects)
        self.region = region
        self.now = 1_000.0
        self.account = ACCOUNT

    async def __call__(self, operation: str, *, headers: Mapping[str, str] | None = None, **request: Any) -> Document:
        self.now += 1.0
        call = Call(
            service="s3",
            operation=operation,
            region=self.region,
            account=self.account,
            principal="arn:aws:sts::123456789012:assumed-role/SageMakerRole/session",
            request_id="r",
            now=self.now,
            headers=headers or {},
        )
        if isinstance(request.get("Body"), bytes):
            request["Body"] = Chunks(request["Body"])
        return await OPERATIONS[operation](self.house, call, request)

    async def body(self, **request: Any) -> bytes:
        """Return the bytes GetObject answers."""
        part = (await self("GetObject", **request))["Body"]
        data: bytes = part.path.read_bytes()
        return data[part.start : part.start + part.length]


def scene(scenario: Callable[[Asking], Any], *, region: str = "us-east-1") -> None:
    """Run a scenario in a house with the bucket "bkt"."""

    async def run() -> None:
        ask = Asking(region=region)
        await ask.objects.create_bucket("bkt", account=ACCOUNT, region=region, now=1.0)
        try:
            await scenario(ask)
        finally:
            await ask.objects.clear()

    asyncio.run(run())


def error_of(caught: Any) -> tuple[str | None, dict[str, str]]:
    return caught.value.code, caught.value.details


__all__ = ["ACCOUNT", "MIB", "Asking", "Chunks", "error_of", "scene"]
