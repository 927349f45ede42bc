"""A house in memory around an endpoints controller, and endpoints to begin with."""

import asyncio

from tests.unit.controllers_endpoints.ground import ACCOUNT, REGION, Ground

from sagehouse.controllers.endpoints import EndpointsController
from sagehouse.domain.lifecycle import ENDPOINT
from sagehouse.kit.document import Document
from sagehouse.kit.errors import SagehouseError
from sagehouse.ports.catalog import Key
from sagehouse.ports.serving import Answer, EndpointKey
from sagehouse.resources.transition import transition

ROUTE = EndpointKey(account=ACCOUNT, region=REGION, name="live")


class World(Ground):
    def build(self) -> None:
        self.controller = EndpointsController(self.ports())

    async def a_config(self, name: str = "first", *, model: str = "churn", count: int = 1, **members) -> None:
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": model,
            "InitialInstanceCount": count,
            "InstanceType": "ml.m5.large",
            "InitialVariantWeight": 1.0,
            **members,
        }
        document = {"EndpointConfigName": name, "ProductionVariants": [variant]}
        await self.store("EndpointConfig", name, document)

    async def create(self, name: str = "Live", *, config: str = "first") -> Key:
        now = self.clock.now()
        document = {
            "EndpointName": name,
            "EndpointConfigName": config,
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        key = await self.store("Endpoint", name, document, status="Creating")
        self.controller.wake(key)
        return key

    async def ask(self, key: Key, status: str, **members) -> None:
        """Change an endpoint's wish as its service does."""
        stored = await self.catalog.get(key)
        document = {**stored.document, **members}
        await transition(
            self.catalog, ENDPOINT, stored, to=status, document=document, now=self.clock.now(), who="test", why="asked"
        )
        self.controller.wake(key)

    async def update(self, key: Key, config: str) -> None:
        pending = {"EndpointConfigName": config, "StartTime": self.clock.now()}
        await self.ask(key, "Updating", PendingDeploymentSummary=pending)

    async def until_status(self, key: Key, *statuses: str) -> Document:
        return await self.until(key, lambda stored: stored is not None and stored.status in statuses)

    async def until_alone(self, key: Key) -> Document:
        """Wait until nothing of an earlier deployment is left."""
        return await self.until(key, lambda stored: not stored.document["_Hosting"]["Old"])

    async def up(self, **config) -> Key:
        """An endpoint in service."""
        await self.a_model()
        await self.a_config(**config)
        key = await self.create()
        await self.until_status(key, "InService", "Failed")
        return key

    async def until_routed(self) -> None:
        await self.see(lambda: ROUTE in [route.key for route in self.serving.routes()])

    async def until_answered(self) -> Answer:
        """Ask until an answer comes, as clients do that are told to retry."""
        while True:
            try:
                return await self.invoke()
            except SagehouseError:
                await asyncio.sleep(0)

    async def invoke(self, body: bytes = b"1") -> Answer:
        return await self.serving.invoke(ROUTE, variant=None, headers={}, body=body)
