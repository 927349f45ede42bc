"""Training jobs from their creation to their end."""

import asyncio
import json
import os

import pytest
from tests.fakes.runtime import Fate
from tests.unit.controllers_jobs.world import SCOPE, World
from tests.unit.domain_jobs.documents import BUCKET, a_channel, a_training_job

GROUP = "/aws/sagemaker/TrainingJobs"
OUT = "out/job/output/"


def a_world(tmp_path, **changes) -> World:
    return World(tmp_path, **changes)


def trains(host) -> None:
    host.write("/opt/ml/model/model.joblib", "weights")
    host.write("/opt/ml/output/data/plot.txt", "curve")


def statuses(document) -> list[str]:
    return [transition["Status"] for transition in document["SecondaryStatusTransitions"]]


def test_a_training_job_completes_with_its_model_its_times_and_its_transitions(tmp_path):
    async def scenario():
        world = a_world(tmp_path, script=trains)
        await world.put("data/train/a.csv", "data/train/deep/b.csv")
        document = await world.run(a_training_job())
        assert document["TrainingJobStatus"] == document["SecondaryStatus"] == "Completed"
        assert statuses(document) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
        messages = [one["StatusMessage"] for one in document["SecondaryStatusTransitions"]]
        assert messages == [
            "Preparing the instances for training",
            "Downloading input data",
            "Training image download completed. Training in progress.",
            "Uploading generated training model",
            "Training job completed",
        ]
        assert all("EndTime" in one for one in document["SecondaryStatusTransitions"])
        assert document["ModelArtifacts"] == {"S3ModelArtifacts": f"s3://{BUCKET}/{OUT}model.tar.gz"}
        assert document["BillableTimeInSeconds"] == document["TrainingTimeInSeconds"] == 1
        assert {"TrainingStartTime", "TrainingEndTime"} <= document.keys()
        assert "FailureReason" not in document
        assert await world.archive(f"{OUT}model.tar.gz") == {"model.joblib": "weights"}
        assert await world.archive(f"{OUT}output.tar.gz") == {"plot.txt": "curve"}
        assert world.inputs["algo-1"] == [
            "/opt/ml/input/data/train/a.csv",
            "/opt/ml/input/data/train/deep/b.csv",
        ]

    asyncio.run(scenario())


def test_what_the_script_sees_is_the_training_contract(tmp_path):
    async def scenario():
        world = a_world(tmp_path)
        await world.put("data/train/a.csv")
        job = a_training_job(Environment={"LEVEL": "3", "PYTHONPATH": "/mine"}, EnableNetworkIsolation=True)
        await world.run(job)
        [workload] = world.runtime.started
        [host] = workload.hosts
        assert workload.command == ("python", "-m", "sagehouse.toolkit.train")
        assert (workload.max_runtime_s, workload.is_network_isolated) == (3600.0, True)
        assert workload.memory_limit_bytes == 8 * 1024**3
        assert {name: workload.environment[name] for name in ("TRAINING_JOB_NAME", "AWS_REGION", "LEVEL")} == {
            "TRAINING_JOB_NAME": "job",
            "AWS_REGION": "us-east-1",
            "LEVEL": "3",
        }
        assert workload.environment["TRAINING_JOB_ARN"] == job["TrainingJobArn"]
        assert workload.environment["PYTHONPATH"] == "/mine:/opt/sagehouse"
        assert workload.environment["SAGEHOUSE_FRAMEWORK"] == "sklearn"
        assert workload.environment["AWS_ENDPOINT_URL"] == "http://house"
        assert json.loads(host.files["/opt/ml/input/config/hyperparameters.json"]) == {"epochs": "10"}
        assert json.loads(host.files["/opt/ml/input/config/inputdataconfig.json"]) == {
            "train": {
                "TrainingInputMode": "File",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
            }
        }
        assert json.loads(host.files["/opt/ml/input/config/resourceconfig.json"]) == {
            "current_host": "algo-1",
            "current_instance_type": "ml.m5.large",
            "current_group_name": "homogeneousCluster",
            "hosts": ["algo-1"],
            "instance_groups": [
                {
                    "instance_group_name": "homogeneousCluster",
                    "instance_type": "ml.m5.large",
                    "hosts": ["algo-1"],
                }
            ],
            "network_interface_name": "lo",
        }
        assert [(mount.target, mount.access) for mount in host.mounts] == [
            ("/opt/ml", "write"),
            ("/opt/ml/input/data", "overlay"),
        ]

    asyncio.run(scenario())


def test_a_script_that_raises_fails_the_job_with_its_own_last_line(tmp_path):
    async def scenario():
        def raises(host):
            trains(host)
            host.print("epoch 1", "Traceback (most recent call last):", '  File "train.py", line 3', "    fit()")
            host.print("ValueError: no column 'price'")

        world = a_world(tmp_path, script=raises, fate=Fate(exit_code=1))
        await world.put("data/train/a.csv")
        document = await world.run(a_training_job())
        assert document["TrainingJobStatus"] == "Failed"
        assert document["FailureReason"] == (
            "AlgorithmError: ValueError: no column 'price', exit code: 1. "
            "See the log: /aws/sagemaker/TrainingJobs job/algo-1-1700000000"
        )
        assert statuses(document)[-2:] == ["Uploading", "Failed"]
        assert await world.keys(OUT) == [f"{OUT}output.tar.gz"]

    asyncio.run(scenario())


def test_the_host_that_failed_first_is_the_one_that_is_quoted(tmp_path):
    """The other hosts are stopped because of it: their 143 told nothing, and it was the first host's that was told."""

    async def scenario():
        def raises(host):
            if host.name == "algo-2":
                host.print("Traceback (most recent call last):", '  File "train.py", line 3', "ValueError: mine")

        fate = Fate(exit_codes={"algo-2": 4, "algo-1": 143})
        world = a_world(tmp_path, script=raises, fate=fate)
        await world.put("data/train/a.csv")
        cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
        document = await world.run(a_training_job(ResourceConfig=cluster))
        assert document["FailureReason"] == (
            "AlgorithmError: ValueError: mine, exit code: 4. "
            "See the log: /aws/sagemaker/TrainingJobs job/algo-2-1700000000"
        )

    asyncio.run(scenario())


def test_the_failure_file_is_the_reason_when_there_is_one(tmp_path):
    async def scenario():
        def fails(host):
            host.write("/opt/ml/output/failure", "ExecuteUserScriptError:\nExitCode 3" + "x" * 2000)

        world = a_world(tmp_path, script=fails, fate=Fate(exit_code=3))
        await world.put("data/train/a.csv")
        reason = (await world.run(a_training_job()))["FailureReason"]
        assert reason.startswith("AlgorithmError: ExecuteUserScriptError:\nExitCode 3xxx")
        assert ", exit code: 3" in reason
        assert len(reason) <= 1024

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("fate", "begins"),
    [
        (Fate(exit_code=137, reason="out_of_memory"), "ClientError: Please use an instance type with more memory"),
        (
            Fate(exit_code=137, reason="too_many_processes", detail="algo-1 had as many as it may (16384)"),
            "AlgorithmError: The job was ended because it started more processes and threads than it may. algo-1 had",
        ),
        (Fate(exit_code=1, reason="disk_full"), "ClientError: The disk is full (No space left on device)"),
        (Fate(reason="lost"), "InternalServerError: We encountered an internal error"),
        (Fate(exit_code=125, reason="failed_to_start", detail="enable user namespaces"), "InternalServerError: "),
        (
            Fate(exit_code=127, reason="failed_to_start", detail="train: not found"),
            "AlgorithmError: The command of the job could not be run. train: not found, exit code: 127",
        ),
    ],
)
def test_what_the_runtime_saw_becomes_the_reason(tmp_path, fate, begins):
    async def scenario():
        world = a_world(tmp_path, fate=fate)
        await world.put("data/train/a.csv")
        document = await world.run(a_training_job())
        assert document["TrainingJobStatus"] == "Failed"
        assert document["FailureReason"].startswith(begins)
        assert fate.detail in document["FailureReason"]

    asyncio.run(scenario())


def test_a_job_that_runs_too_long_is_stopped_and_keeps_its_model(tmp_path):
    async def scenario():
        world = a_world(tmp_path, script=trains, fate=Fate(after_s=None))
        await world.put("data/train/a.csv")
        async with world.running():
            key = await world.create(a_training_job(StoppingCondition={"MaxRuntimeInSeconds": 60}))
            await world.until_running(key)
            world.clock.advance(60.0)
            document = await world.until_ended(key)
        assert (document["TrainingJobStatus"], document["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
        last = document["SecondaryStatusTransitions"][-1]
        assert last["StatusMessage"] == "Training job runtime exceeded MaxRuntimeInSeconds provided"
        assert document["TrainingTimeInSeconds"] == 60
        assert await world.archive(f"{OUT}model.tar.gz") == {"model.joblib": "weights"}

    asyncio.run(scenario())


def test_a_stopped_job_uploads_the_model_saved_so_far(tmp_path):
    async def scenario():
        world = a_world(tmp_path, script=trains, fate=Fate(after_s=None))
        await world.put("data/train/a.csv")
        async with world.running():
            key = await world.create(a_training_job())
            await world.until_running(key)
            await world.stop(key)
            document = await world.until_ended(key)
        assert document["TrainingJobStatus"] == "Stopped"
        assert statuses(document) == ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"]
        assert len(world.runtime.stopped) == 1
        assert f"{OUT}model.tar.gz" in await world.keys(OUT)
        assert document["ModelArtifacts"]["S3ModelArtifacts"].endswith("model.tar.gz")

    asyncio.run(scenario())


def test_an_empty_input_fails_the_job_in_the_words_of_aws(tmp_path):
    async def scenario():
        world = a_world(tmp_path)
        await world.put("data/other/a.csv")
        document = await world.run(a_training_job())
        assert document["FailureReason"].startswith(
            f'ClientError: No S3 objects found under S3 URL "s3://{BUCKET}/data/train/" given in input data source.'
        )
        assert world.runtime.started == []

    asyncio.run(scenario())


def test_a_bucket_that_does_not_exist_is_an_empty_input(tmp_path):
    async def scenario():
        document = await a_world(tmp_path).run(a_training_job())
        assert "No S3 objects found under S3 URL" in document["FailureReason"]

    asyncio.run(scenario())


def test_an_output_bucket_that_does_not_exist_fails_the_job(tmp_path):
    async def scenario():
        world = a_world(tmp_path, script=trains)
        await world.put("data/train/a.csv")
        document = await world.run(a_training_job(OutputDataConfig={"S3OutputPath": "s3://absent/out"}))
        assert document["TrainingJobStatus"] == "Failed"
        assert document["FailureReason"].startswith("ClientError: Could not upload to s3://absent/out/job/output/")

    asyncio.run(scenario())


def test_without_compression_the_files_are_stored_as_they_are(tmp_path):
    async def scenario():
        world = a_world(tmp_path, script=trains)
        await world.put("data/train/a.csv")
        config = {"S3OutputPath": f"s3://{BUCKET}/out/", "CompressionType": "NONE"}
        document = await world.run(a_training_job(OutputDataConfig=config))
        assert document["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/{OUT}model/"
        assert await world.keys(OUT) == [f"{OUT}data/plot.txt", f"{OUT}model/model.joblib"]

    asyncio.run(scenario())


def test_a_job_that_leaves_nothing_stores_nothing_and_completes(tmp_path):
    async def scenario():
        world = a_world(tmp_path)
        await world.put("data/train/a.csv")
        document = await world.run(a_training_job())
        assert document["TrainingJobStatus"] == "Completed"
        assert await world.keys(OUT) == []

    asyncio.run(scenario())


def test_the_metrics_of_the_log_become_the_final_metrics(tmp_path):
    async def scenario():
        def logs(host):
            host.print("train-rmse:3.5", "noise", "train-rmse:2.25", "other:nan?")

        definitions = [{"Name": "train:rmse", "Regex": r"train-rmse:([0-9.]+)"}, {"Name": "none", "Regex": "x=(.*)"}]
        world = a_world(tmp_path, script=logs)
        await world.put("data/train/a.csv")
        job = a_training_job()
        job["AlgorithmSpecification"]["MetricDefinitions"] = definitions
        document = await world.run(job)
        assert document["FinalMetricDataList"] == [
            {"MetricName": "train:rmse", "Value": 2.25, "Timestamp": 1_700_000_000.0}
        ]

    asyncio.run(scenario())


def test_checkpoints_are_restored_at_the_start_and_stored_at_every_end(tmp_path):
    async def scenario():
        seen = []

        def goes_on(host):
            seen.append(host.path("/opt/ml/checkpoints/epoch-1").read_text())
            host.write("/opt/ml/checkpoints/epoch-2", "two")

        world = a_world(tmp_path, script=goes_on, fate=Fate(exit_code=1))
        await world.put("data/train/a.csv")
        await world.put("checkpoints/epoch-1", text="one")
        config = {"S3Uri": f"s3://{BUCKET}/checkpoints"}
        document = await world.run(a_training_job(CheckpointConfig=config))
        assert document["TrainingJobStatus"] == "Failed"
        assert seen == ["one"]
        assert await world.keys("checkpoints/") == ["checkpoints/epoch-1", "checkpoints/epoch-2"]

    asyncio.run(scenario())


def test_checkpoints_are_stored_while_the_script_runs(tmp_path):
    async def scenario():
        world = a_world(
            tmp_path,
            script=lambda host: host.write("/var/checkpoints/deep/epoch-1", "one"),
            fate=Fate(after_s=None),
        )
        world.clock._now = 4e9  # the files' real times must lie in its past
        await world.put("data/train/a.csv")
        async with world.running():
            config = {"S3Uri": f"s3://{BUCKET}/kept", "LocalPath": "/var/checkpoints"}
            key = await world.create(a_training_job(CheckpointConfig=config))
            await world.until_running(key)
            async with asyncio.timeout(5):
                while not await world.keys("kept/"):
                    world.clock.advance(5.0)
                    await asyncio.sleep(0.01)
            assert await world.keys("kept/") == ["kept/deep/epoch-1"]
            assert (await world.catalog.get(key)).status == "InProgress"

    asyncio.run(scenario())


def test_two_hosts_share_out_the_keys_and_merge_their_models(tmp_path):
    async def scenario():
        def trains_its_part(host):
            host.write(f"/opt/ml/model/{host.name}", host.name)
            host.write("/opt/ml/model/shared", host.name)

        world = a_world(tmp_path, script=trains_its_part)
        await world.put(*(f"data/train/{letter}.csv" for letter in "abcde"), "data/test/t.csv")
        job = a_training_job(
            InputDataConfig=[
                a_channel("train", "data/train/", S3DataDistributionType="ShardedByS3Key"),
                a_channel("test", "data/test/"),
            ],
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2},
        )
        document = await world.run(job)
        assert document["TrainingJobStatus"] == "Completed"
        data = "/opt/ml/input/data"
        assert sorted(world.inputs["algo-1"]) == [
            f"{data}/test/t.csv",
            f"{data}/train/a.csv",
            f"{data}/train/c.csv",
            f"{data}/train/e.csv",
        ]
        assert sorted(world.inputs["algo-2"]) == [
            f"{data}/test/t.csv",
            f"{data}/train/b.csv",
            f"{data}/train/d.csv",
        ]
        assert await world.archive(f"{OUT}model.tar.gz") == {
            "algo-1": "algo-1",
            "algo-2": "algo-2",
            "shared": "algo-1",
        }
        [workload] = world.runtime.started
        config = [json.loads(host.files["/opt/ml/input/config/resourceconfig.json"]) for host in workload.hosts]
        assert [(one["current_host"], one["hosts"]) for one in config] == [
            ("algo-1", ["algo-1", "algo-2"]),
            ("algo-2", ["algo-1", "algo-2"]),
        ]
        names = [stream.name for stream in await world.streams.streams(SCOPE, GROUP, prefix="job/")]
        assert names == ["job/algo-1-1700000000", "job/algo-2-1700000000"]

    asyncio.run(scenario())


def test_a_manifest_names_the_objects_of_a_channel(tmp_path):
    async def scenario():
        world = a_world(tmp_path)
        await world.put("data/a.rec", "data/b.rec", "data/c.rec")
        await world.put("data/.manifest", text=json.dumps([{"prefix": f"s3://{BUCKET}/data/"}, "a.rec", "c.rec"]))
        channel = a_channel("train", "data/.manifest", S3DataType="ManifestFile")
        await world.run(a_training_job(InputDataConfig=[channel]))
        assert world.inputs["algo-1"] == ["/opt/ml/input/data/train/a.rec", "/opt/ml/input/data/train/c.rec"]

    asyncio.run(scenario())


def test_a_broken_manifest_is_the_reason(tmp_path):
    async def scenario():
        world = a_world(tmp_path)
        await world.put("data/.manifest", text="{}")
        channel = a_channel("train", "data/.manifest", S3DataType="ManifestFile")
        document = await world.run(a_training_job(InputDataConfig=[channel]))
        assert document["FailureReason"].startswith(f"ClientError: The manifest s3://{BUCKET}/data/.manifest is not")

    asyncio.run(scenario())


def test_a_nearest_environment_is_told_in_the_log_and_in_the_status(tmp_path):
    from tests.unit.controllers_jobs.world import AnAlternative, AnImage, ARequirement

    async def scenario():
        nearest = AnAlternative(packages=("scikit-learn==1.9.0",), note="scikit-learn 1.9.0 instead of 1.2.1")
        image = AnImage(environment=ARequirement(alternatives=(AnAlternative(), nearest)))
        world = a_world(tmp_path, image=image)
        world.environments.missing = frozenset({"scikit-learn==1.2.1"})
        await world.put("data/train/a.csv")
        document = await world.run(a_training_job())
        assert document["SecondaryStatusTransitions"][0]["StatusMessage"].endswith(nearest.note)
        page = await world.streams.read(SCOPE, GROUP, "job/algo-1-1700000000", position=None)
        assert [event.message for event in page.events] == [nearest.note]

    asyncio.run(scenario())


def test_what_the_house_says_of_an_environment_is_none_of_the_scripts_last_words(tmp_path):
    """A usage error of argparse was told as "scikit-learn 0.22.2 instead of 0.20.0, ... usage: preprocessing.py"."""
    from tests.unit.controllers_jobs.world import AnAlternative, AnImage, ARequirement

    def script(host):
        with host.log.open("a") as log:
            log.write("1700000000001 train.py: error: argument --n: invalid int value\n")

    async def scenario():
        nearest = AnAlternative(packages=("scikit-learn==1.9.0",), note="scikit-learn 1.9.0 instead of 1.2.1")
        image = AnImage(environment=ARequirement(alternatives=(AnAlternative(), nearest)))
        world = a_world(tmp_path, script=script, fate=Fate(exit_code=2), image=image)
        world.environments.missing = frozenset({"scikit-learn==1.2.1"})
        await world.put("data/train/a.csv")
        document = await world.run(a_training_job())
        said = "AlgorithmError: train.py: error: argument --n: invalid int value, exit code: 2"
        assert document["FailureReason"].startswith(said)

    asyncio.run(scenario())


def test_an_environment_that_cannot_be_built_is_the_reason(tmp_path):
    async def scenario():
        world = a_world(tmp_path)
        world.environments.missing = frozenset({"scikit-learn==1.2.1"})
        await world.put("data/train/a.csv")
        document = await world.run(a_training_job())
        assert "no version of scikit-learn==1.2.1" in document["FailureReason"]

    asyncio.run(scenario())


def test_the_directory_of_an_ended_job_is_gone(tmp_path):
    async def scenario():
        world = a_world(tmp_path, script=trains)
        await world.put("data/train/a.csv")
        async with world.running():
            key = await world.create(a_training_job())
            await world.until_ended(key)
            assert await world.until_directories(0) == []
        assert world.runtime.runs == {}

    asyncio.run(scenario())


def test_a_directory_no_path_can_name_is_removed_all_the_same(tmp_path):
    """A script that nested two thousand directories broke the removal of its job's directory."""

    def digs(host):
        here = host.path("/opt/ml/output")
        here.joinpath("closed").mkdir()
        descriptor = os.open(here, os.O_RDONLY)
        for _ in range(2000):
            os.mkdir("deeper", dir_fd=descriptor)
            below = os.open("deeper", os.O_RDONLY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        os.close(descriptor)
        here.joinpath("closed").chmod(0)

    async def scenario():
        world = a_world(tmp_path, script=digs)
        await world.put("data/train/a.csv")
        async with world.running():
            key = await world.create(a_training_job())
            assert (await world.until_ended(key))["TrainingJobStatus"] == "Completed"
            assert await world.until_directories(0) == []

    asyncio.run(scenario())
