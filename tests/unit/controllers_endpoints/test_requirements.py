"""The requirements of an inference script: in the model, in S3, or left to the server's own pip."""

import asyncio
import hashlib

import pytest
from tests.unit.controllers_endpoints.ground import BUCKET, an_archive
from tests.unit.controllers_endpoints.world import World

TEXT = "tabulate==0.9.0\n"
SAID = f"{hashlib.sha256(TEXT.encode()).hexdigest()} tabulate==0.9.0"
CODE = {"code/inference.py": "pass", "code/requirements.txt": TEXT}


async def told(world: World, archive: bytes, **members) -> str | None:
    """What the server of an endpoint is told about its requirements."""
    await world.put("own.tar.gz", archive)
    await world.put("sourcedir.tar.gz", an_archive(**{"serve.py": "pass", "requirements.txt": TEXT}))
    await world.a_model(ModelDataUrl=f"s3://{BUCKET}/own.tar.gz", **members)
    await world.a_config()
    async with world.running():
        await world.until_status(await world.create(), "InService", "Failed")
    return world.started[0].environment.get("SAGEHOUSE_REQUIREMENTS")


SUBMITTED = {"SAGEMAKER_PROGRAM": "serve.py", "SAGEMAKER_SUBMIT_DIRECTORY": f"s3://{BUCKET}/sourcedir.tar.gz"}


@pytest.mark.parametrize(
    ("files", "environment"), [(CODE, {}), ({"weights": "1"}, SUBMITTED)], ids=["in the model", "in S3"]
)
def test_a_model_server_starts_where_its_requirements_are_installed(tmp_path, files, environment):
    world = World(tmp_path)
    assert asyncio.run(told(world, an_archive(**files), Environment=environment)) == SAID
    assert [spec.requirements for spec in world.environments.ensured] == ["", TEXT]


@pytest.mark.parametrize(
    ("files", "environment"),
    [
        ({"code/requirements.txt": TEXT}, {}),
        ({**CODE, "code/requirements.txt": "-e .\n"}, {}),
        ({**CODE, "code/requirements.txt": "#" * 70_000 + "\n" + TEXT}, {}),
        (CODE, {"SAGEMAKER_PROGRAM": "other.py"}),
        (CODE, {"PIP_INDEX_URL": "https://own/simple"}),
        ({"weights": "1"}, {}),
    ],
    ids=["no script", "for pip alone", "too long", "another script", "another index", "none"],
)
def test_what_is_not_surely_to_be_installed_is_left_to_the_server(tmp_path, files, environment):
    world = World(tmp_path)
    assert asyncio.run(told(world, an_archive(**files), Environment=environment)) is None
    assert [spec.requirements for spec in world.environments.ensured] == [""]


@pytest.mark.parametrize(("local", "first"), [("3.12.1", "3.12"), ("3.7.16", "3.11"), ("", "3.11")])
def test_what_a_model_builder_pickled_is_served_on_its_python(tmp_path, local, first):
    world = World(tmp_path)
    asyncio.run(told(world, an_archive(**CODE), Environment={"LOCAL_PYTHON": local}))
    assert [spec.alternatives[0].pythons[0] for spec in world.environments.ensured] == [first, first]


def test_what_cannot_be_installed_beforehand_is_left_to_the_servers_own_pip(tmp_path):
    world = World(tmp_path)
    world.environments.missing = frozenset({TEXT.strip()})
    assert asyncio.run(told(world, an_archive(**CODE))) is None
