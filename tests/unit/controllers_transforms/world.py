"""A house in memory around a transforms controller, and jobs to begin with."""

from tests.unit.controllers_endpoints.ground import ACCOUNT, REGION, Ground

from sagehouse.controllers.transforms import TransformsController
from sagehouse.domain.lifecycle import TRANSFORM_JOB
from sagehouse.kit.document import Document
from sagehouse.ports.catalog import Key, Stored
from sagehouse.resources.transition import transition

DATA = "data"
LOG_GROUP = "/aws/sagemaker/TransformJobs"


class World(Ground):
    def build(self) -> None:
        self.controller = TransformsController(self.ports())

    async def files(self, **files: bytes) -> None:
        """Input objects by name: `in/a.csv` from `a`."""
        for name, data in files.items():
            await self.put(f"in/{name}.csv", data, bucket=DATA)

    async def create(self, name: str = "score", *, source=None, output=None, count: int = 1, **members) -> Key:
        now = self.clock.now()
        document = {
            "TransformJobName": name,
            "TransformJobArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:transform-job/{name}",
            "TransformJobStatus": "InProgress",
            "ModelName": "churn",
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{DATA}/in/"}},
                "ContentType": "text/csv",
                **(source or {}),
            },
            "TransformOutput": {"S3OutputPath": f"s3://{DATA}/out", **(output or {})},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": count},
            "CreationTime": now,
            **members,
        }
        key = await self.store("TransformJob", name, document, status="InProgress")
        self.controller.wake(key)
        return key

    async def run(self, **members) -> Document:
        """Create a model and a job, and see it to its end."""
        await self.a_model()
        return await self.until_ended(await self.create(**members))

    async def until_ended(self, key: Key) -> Document:
        def has_ended(stored: Stored | None) -> bool:
            return stored is not None and stored.status in {"Completed", "Failed", "Stopped"}

        document = await self.until(key, has_ended)
        await self.see(lambda: not self.controller._jobs)
        return document

    async def stop(self, key: Key) -> None:
        stored = await self.catalog.get(key)
        await transition(
            self.catalog,
            TRANSFORM_JOB,
            stored,
            to="Stopping",
            document=stored.document,
            now=self.clock.now(),
            who="test",
            why="stop",
        )
        self.controller.wake(key)

    async def results(self) -> dict[str, bytes]:
        """What lies below the output prefix, by key."""
        listing = await self.objects.list(DATA, prefix="out/")
        return {one.key: await self.objects.read(DATA, one.key) for one in listing.objects}
