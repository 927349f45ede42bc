"""The fake data plane keeps the contract."""

from contextlib import asynccontextmanager
from pathlib import Path

from tests.contract.serving import Plane, ServingContract
from tests.fakes.serving import FakeServing


class TestFakeServing(ServingContract):
    @asynccontextmanager
    async def plane(self):
        serving = FakeServing(invocation_timeout_s=0.2)

        async def start(name, model):
            serving.listen(Path("/run") / name, model)
            return Path("/run") / name

        async def stop(replica):
            serving.fall_silent(replica)

        yield Plane(serving=serving, start=start, stop=stop)
