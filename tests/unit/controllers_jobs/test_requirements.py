"""Requirements of scripts: read once, installed once, and left to the job's own pip when that cannot be done."""

import asyncio
import hashlib
import io
import tarfile

import pytest
from tests.unit.controllers_jobs.world import World
from tests.unit.domain_jobs.documents import BUCKET, a_processing_job, a_training_job, an_input

ARCHIVE = "job/source/sourcedir.tar.gz"
TEXT = "tabulate==0.9.0\n"
SCRIPT = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": f'"s3://{BUCKET}/{ARCHIVE}"'}
SAID = f"{hashlib.sha256(TEXT.encode()).hexdigest()} tabulate==0.9.0"


def archived(**files: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("_txt", ".txt").replace("_py", ".py"))
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


async def a_world(tmp_path, requirements: str = TEXT) -> World:
    world = World(tmp_path)
    await world.put("data/train/a.csv")
    data = archived(train_py="pass", requirements_txt=requirements)
    await world.objects.write(BUCKET, ARCHIVE, data, content_type="x", now=0.0)
    return world


def told(world: World) -> list[str | None]:
    return [one.environment.get("SAGEHOUSE_REQUIREMENTS") for one in world.runtime.started]


def asked(world: World) -> list[str]:
    return [spec.requirements for spec in world.environments.ensured]


def test_the_requirements_of_a_script_are_part_of_its_environment_and_it_is_told(tmp_path):
    async def scenario():
        world = await a_world(tmp_path)
        document = await world.run(a_training_job(HyperParameters=SCRIPT))
        assert document["TrainingJobStatus"] == "Completed"
        assert asked(world) == ["", TEXT]
        assert told(world) == [SAID]

    asyncio.run(scenario())


def test_an_archive_is_looked_through_once_until_it_changes(tmp_path):
    async def scenario():
        world = await a_world(tmp_path)
        async with world.running():
            for name in ("one", "two", "three"):
                if name == "three":
                    changed = archived(requirements_txt="iniconfig\n")
                    await world.objects.write(BUCKET, ARCHIVE, changed, content_type="x", now=0.0)
                await world.until_ended(await world.create(a_training_job(name, HyperParameters=SCRIPT)))
        assert world.archives.looked == 2
        assert asked(world) == ["", TEXT, "", TEXT, "", "iniconfig\n"]

    asyncio.run(scenario())


def test_what_cannot_be_installed_beforehand_is_left_to_the_jobs_own_pip(tmp_path):
    async def scenario():
        world = await a_world(tmp_path)
        world.environments.missing = frozenset({TEXT.strip()})
        document = await world.run(a_training_job(HyperParameters=SCRIPT))
        assert document["TrainingJobStatus"] == "Completed"
        assert told(world) == [None]

    asyncio.run(scenario())


@pytest.mark.parametrize("text", ["-e .\n", "--index-url https://own/simple\ntabulate\n"])
def test_files_that_only_pip_may_read_are_left_to_it(tmp_path, text):
    async def scenario():
        world = await a_world(tmp_path, text)
        await world.run(a_training_job(HyperParameters=SCRIPT))
        assert (asked(world), told(world)) == ([""], [None])

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["no/such/sourcedir.tar.gz", "data/train/a.csv", "data"])
def test_a_source_without_requirements_is_no_reason_to_fail(tmp_path, name):
    async def scenario():
        world = await a_world(tmp_path)
        submitted = {**SCRIPT, "sagemaker_submit_directory": f"s3://{BUCKET}/{name}"}
        document = await world.run(a_training_job(HyperParameters=submitted))
        assert document["TrainingJobStatus"] == "Completed"
        assert asked(world) == [""]

    asyncio.run(scenario())


def test_a_driver_that_installs_an_archives_requirements_finds_them_there_already(tmp_path):
    async def scenario():
        world = await a_world(tmp_path)
        driver = (
            "cd /opt/ml/processing/input/code/\ntar -xzf sourcedir.tar.gz\npython -m pip install -r requirements.txt\n"
        )
        await world.put("job/source/runproc.sh", text=driver)
        application = {
            "ImageUri": "i",
            "ContainerEntrypoint": ["/bin/bash", "/opt/ml/processing/input/entrypoint/runproc.sh"],
        }
        inputs = [
            an_input("code", "job/source/", "/opt/ml/processing/input/code/"),
            an_input("entrypoint", "job/source/runproc.sh", "/opt/ml/processing/input/entrypoint"),
        ]
        job = a_processing_job(AppSpecification=application, ProcessingInputs=inputs)
        assert (await world.run(job))["ProcessingJobStatus"] == "Completed"
        assert asked(world) == ["", TEXT]

    asyncio.run(scenario())


def test_while_an_environment_is_made_the_job_says_so_and_can_be_stopped(tmp_path):
    async def scenario():
        world = await a_world(tmp_path)
        world.environments.is_ready, world.environments.building = False, asyncio.Event()
        async with world.running():
            key = await world.create(a_training_job(HyperParameters=SCRIPT))
            document = await world.until(
                key, lambda stored: "requirements" in stored.document["SecondaryStatusTransitions"][-1]["StatusMessage"]
            )
            await world.stop(key)
            stopped = await world.until_ended(key)
        (starting,) = document["SecondaryStatusTransitions"]
        said = "Installing the Python environment of sagemaker-scikit-learn 1.2-1 and the requirements of the script"
        assert starting["Status"] == "Starting"
        assert starting["StatusMessage"] == f"Preparing the instances for training. {said}"
        assert stopped["TrainingJobStatus"] == "Stopped"
        assert world.runtime.started == []

    asyncio.run(scenario())


FUNCTION = {
    "TrainingImage": "1.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3",
    "TrainingInputMode": "File",
    "ContainerEntrypoint": ["/bin/bash", "/opt/ml/input/data/sagemaker_remote_function_bootstrap/job_driver.sh"],
    "ContainerArguments": ["--client_python_version", "3.11", "--client_sagemaker_pysdk_version", "3.27.0"],
}


def test_a_remote_function_finds_its_callers_sdk_on_its_callers_python(tmp_path):
    """The image's best Python is 3.10; a function pickled by 3.11 is read by no other."""

    async def scenario():
        world = await a_world(tmp_path)
        await world.run(a_training_job(AlgorithmSpecification=FUNCTION))
        assert asked(world) == ["", "sagemaker==3.27.0\n"]
        assert [spec.alternatives[0].pythons[0] for spec in world.environments.ensured] == ["3.11", "3.11"]

    asyncio.run(scenario())


def test_a_remote_function_without_its_callers_sdk_is_told_why(tmp_path):
    async def scenario():
        world = await a_world(tmp_path)
        world.environments.missing = frozenset({"sagemaker==3.27.0"})
        document = await world.run(a_training_job(AlgorithmSpecification=FUNCTION))
        assert "no version of sagemaker==3.27.0" in document["SecondaryStatusTransitions"][0]["StatusMessage"]
        assert told(world) == [None]

    asyncio.run(scenario())
