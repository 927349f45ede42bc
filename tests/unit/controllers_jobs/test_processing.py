"""Processing jobs from their creation to their end."""

import asyncio
import json

import pytest
from tests.fakes.runtime import Fate
from tests.unit.controllers_jobs.world import World
from tests.unit.domain_jobs.documents import BUCKET, a_processing_job, an_input, an_output


def splits(host) -> None:
    host.write("/opt/ml/processing/train/deep/train.csv", "1,2")


def outputs(*wanted) -> dict:
    return {"ProcessingOutputConfig": {"Outputs": list(wanted)}}


def test_a_processing_job_completes_and_its_files_keep_their_places(tmp_path):
    async def scenario():
        world = World(tmp_path, script=splits)
        await world.put("code/pre.py")
        document = await world.run(a_processing_job())
        assert document["ProcessingJobStatus"] == "Completed"
        assert document["ProcessingStartTime"] <= document["ProcessingEndTime"]
        assert "SecondaryStatus" not in document
        assert await world.keys("made/") == ["made/train/deep/train.csv"]
        assert world.inputs["algo-1"] == ["/opt/ml/processing/input/code/pre.py"]
        [workload] = world.runtime.started
        assert workload.command == ("python3", "/opt/ml/processing/input/code/pre.py", "--ratio", "0.2")

    asyncio.run(scenario())


def test_what_the_script_sees_is_the_processing_contract(tmp_path):
    async def scenario():
        world = World(tmp_path)
        await world.put("code/pre.py")
        job = a_processing_job(
            ProcessingResources={"ClusterConfig": {"InstanceType": "ml.t3.medium", "InstanceCount": 2}},
            NetworkConfig={"EnableNetworkIsolation": True},
        )
        await world.run(job)
        [workload] = world.runtime.started
        first, second = workload.hosts
        told = json.loads(first.files["/opt/ml/config/processingjobconfig.json"])
        assert told["ProcessingJobArn"] == job["ProcessingJobArn"]
        assert told["AppSpecification"] == job["AppSpecification"]
        assert not any(member.startswith("_") for member in told)
        assert json.loads(second.files["/opt/ml/config/resourceconfig.json"]) == {
            "current_host": "algo-2",
            "hosts": ["algo-1", "algo-2"],
        }
        assert workload.is_network_isolated
        assert [(mount.target, mount.access) for mount in first.mounts] == [
            ("/opt/ml", "write"),
            ("/opt/ml/processing/input/code", "overlay"),
        ]

    asyncio.run(scenario())


@pytest.mark.parametrize("code", [0, 1])
def test_the_message_file_is_the_exit_message_whatever_the_end(tmp_path, code):
    async def scenario():
        def tells(host):
            host.write("/opt/ml/output/message", "é" * 3000)

        world = World(tmp_path, script=tells, fate=Fate(exit_code=code))
        await world.put("code/pre.py")
        document = await world.run(a_processing_job())
        assert document["ExitMessage"] == "é" * 1024
        assert document["ProcessingJobStatus"] == ("Failed" if code else "Completed")

    asyncio.run(scenario())


def test_a_message_that_is_no_text_fails_the_job(tmp_path):
    async def scenario():
        world = World(tmp_path, script=lambda host: host.path("/opt/ml/output/message").write_bytes(b"\xff\xfe"))
        await world.put("code/pre.py")
        document = await world.run(a_processing_job())
        assert document["FailureReason"] == "ClientError: /opt/ml/output/message is not UTF-8 encoded."

    asyncio.run(scenario())


def test_links_a_script_leaves_do_not_show_files_of_this_machine(tmp_path):
    """A script that left /opt/ml/output/message as a link to /etc/shadow read it in DescribeProcessingJob."""

    async def scenario():
        secret = tmp_path / "secret"
        secret.mkdir()
        (secret / "message").write_text("password")

        def links(host):
            output = host.path("/opt/ml/output")
            output.rmdir()
            output.symlink_to(secret)
            host.path("/opt/ml/processing/train").rmdir()
            host.path("/opt/ml/processing/train").symlink_to(secret)

        world = World(tmp_path / "house", script=links)
        await world.put("code/pre.py")
        document = await world.run(a_processing_job())
        assert document["FailureReason"].startswith("ClientError: /opt/ml/processing/train is not stored")
        assert "password" not in json.dumps(document)
        assert await world.keys("made/") == []
        assert (secret / "message").read_text() == "password"

    (tmp_path / "house").mkdir()
    asyncio.run(scenario())


def test_a_failed_job_stores_no_end_of_job_outputs_but_continuous_ones(tmp_path):
    async def scenario():
        def makes(host):
            splits(host)
            host.write("/opt/ml/processing/events/1", "event")

        world = World(tmp_path, script=makes, fate=Fate(exit_code=1))
        await world.put("code/pre.py")
        await world.run(
            a_processing_job(
                **outputs(
                    an_output("train", "/opt/ml/processing/train", "made/train"),
                    an_output("events", "/opt/ml/processing/events", "made/events", "Continuous"),
                )
            )
        )
        assert await world.keys("made/") == ["made/events/1"]

    asyncio.run(scenario())


def test_a_job_that_runs_too_long_is_stopped_and_says_so(tmp_path):
    async def scenario():
        world = World(tmp_path, fate=Fate(after_s=None))
        await world.put("code/pre.py")
        async with world.running():
            key = await world.create(a_processing_job(StoppingCondition={"MaxRuntimeInSeconds": 60}))
            await world.until_running(key)
            world.clock.advance(60.0)
            document = await world.until_ended(key)
        assert document["ProcessingJobStatus"] == "Stopped"
        assert document["FailureReason"] == "ClientError: Processing job runtime exceeded MaxRuntimeInSeconds provided"

    asyncio.run(scenario())


def test_inputs_around_an_output_are_real_files_that_are_stored_with_it(tmp_path):
    """An input at /opt/ml/processing hid every output below it."""

    async def scenario():
        world = World(tmp_path, script=splits)
        await world.put("code/pre.py", "data/all.csv")
        await world.run(
            a_processing_job(
                ProcessingInputs=[
                    an_input("all", "data/", "/opt/ml/processing"),
                    an_input("code", "code/", "/opt/ml/processing/input/code"),
                ]
            )
        )
        assert world.inputs["algo-1"] == [
            "/opt/ml/processing/all.csv",
            "/opt/ml/processing/input/code/pre.py",
        ]
        assert await world.keys("made/") == ["made/train/deep/train.csv"]
        assert (await world.objects.read(BUCKET, "data/all.csv")) == b"x"

    asyncio.run(scenario())


def test_paths_outside_opt_ml_work_as_well(tmp_path):
    async def scenario():
        world = World(tmp_path, script=lambda host: host.write("/srv/out/a/b.txt", "made"))
        await world.put("code/pre.py")
        await world.run(
            a_processing_job(
                ProcessingInputs=[an_input("code", "code/", "/srv/code/")],
                **outputs(an_output("out", "/srv/out/", "made")),
            )
        )
        assert world.inputs["algo-1"] == ["/srv/code/pre.py"]
        assert await world.keys("made/") == ["made/a/b.txt"]

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["relative/path", "/", "/opt/ml/../../.."])
def test_a_path_that_is_none_fails_the_job(tmp_path, path):
    async def scenario():
        world = World(tmp_path)
        await world.put("code/pre.py")
        document = await world.run(a_processing_job(**outputs(an_output("out", path, "made"))))
        assert document["FailureReason"].startswith(f"ClientError: LocalPath {path!r} is not")

    asyncio.run(scenario())


def test_an_image_without_a_command_of_its_own_needs_an_entrypoint(tmp_path):
    async def scenario():
        world = World(tmp_path)
        await world.put("code/pre.py")
        job = a_processing_job()
        del job["AppSpecification"]["ContainerEntrypoint"]
        document = await world.run(job)
        assert "name one in ContainerEntrypoint" in document["FailureReason"]

    asyncio.run(scenario())
