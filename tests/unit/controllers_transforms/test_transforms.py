"""Batch transform from files to results."""

import asyncio
import gzip
import json

import pytest
from tests.fakes.runtime import Fate
from tests.fakes.serving import Asked, answer
from tests.unit.controllers_endpoints.ground import SCOPE, mount_of
from tests.unit.controllers_transforms.world import DATA, LOG_GROUP, World

from sagehouse.controllers import transforms_servers
from sagehouse.ports.runtime import Workload


def play(world: World, scene):
    async def run():
        async with world.running():
            return await scene(world)

    return asyncio.run(run())


def upper(_workload: Workload):
    """A model that shouts."""
    return lambda asked: answer(200, asked.body.upper(), {"content-type": "text/csv"})


def by_line(function):
    """A model that answers every line of a payload with one."""

    def make(_workload: Workload):
        def model(asked: Asked):
            return answer(200, b"".join(function(line) + b"\n" for line in asked.body.splitlines()))

        return model

    return make


def test_every_file_gets_its_result_beside_the_others(tmp_path):
    async def scene(world: World):
        await world.files(a=b"x,1\n", b=b"y,2\n")
        await world.put("in/deep/c.csv", b"z,3\n", bucket=DATA)
        return await world.run(), await world.results()

    world = World(tmp_path, model=upper)
    document, results = play(world, scene)
    assert results == {"out/a.csv.out": b"X,1\n", "out/b.csv.out": b"Y,2\n", "out/deep/c.csv.out": b"Z,3\n"}
    assert document["TransformJobStatus"] == "Completed"
    assert document["CreationTime"] <= document["TransformStartTime"] <= document["TransformEndTime"]
    assert "FailureReason" not in document
    assert world.running_ids == []
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["models"]


def test_the_server_is_told_that_it_serves_a_batch(tmp_path):
    async def scene(world: World):
        await world.files(a=b"x\n")
        return await world.run(MaxPayloadInMB=2, BatchStrategy="SingleRecord", Environment={"MINE": "1"})

    world = World(tmp_path, model=upper)
    document = play(world, scene)
    (workload,) = world.started
    environment = workload.environment
    assert environment["SAGEMAKER_BATCH"] == "true"
    assert environment["SAGEMAKER_MAX_PAYLOAD_IN_MB"] == "2"
    assert environment["SAGEMAKER_BATCH_STRATEGY"] == "SINGLE_RECORD"
    assert environment["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] == "1"
    assert environment["TRANSFORM_JOB_ARN"] == document["TransformJobArn"]
    assert (environment["MINE"], environment["MODEL"]) == ("1", "churn")
    assert mount_of(workload, "/opt/ml/model")


def test_headers_say_what_is_sent_and_wanted(tmp_path):
    seen = []

    def model(_workload: Workload):
        def listen(asked: Asked):
            seen.append(dict(asked.headers))
            return answer(200, b"{}", {"content-type": "application/json"})

        return listen

    async def scene(world: World):
        await world.files(a=b"x\n")
        await world.run(output={"Accept": "application/json"})
        return (await world.objects.head(DATA, "out/a.csv.out")).headers["content-type"]

    assert play(World(tmp_path, model=model), scene) == "application/json"
    assert seen == [{"content-type": "text/csv", "accept": "application/json"}]


def test_records_keep_their_order_however_many_are_under_way(tmp_path):
    under_way, most = 0, 0

    def model(_workload: Workload):
        async def slow(asked: Asked):
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            for _ in range(7 - int(asked.body) % 7):
                await asyncio.sleep(0)
            under_way -= 1
            return answer(200, b"<" + asked.body + b">")

        return slow

    async def scene(world: World):
        await world.files(a=b"".join(b"%d\n" % number for number in range(50)))
        source, output = {"SplitType": "Line"}, {"AssembleWith": "Line"}
        await world.run(source=source, output=output, BatchStrategy="SingleRecord", MaxConcurrentTransforms=4)
        return await world.results()

    results = play(World(tmp_path, model=model), scene)
    assert results == {"out/a.csv.out": b"".join(b"<%d>\n" % number for number in range(50))}
    assert most == 4


def test_large_files_go_in_batches_of_whole_lines(tmp_path):
    sizes = []

    def model(_workload: Workload):
        def count(asked: Asked):
            sizes.append(len(asked.body))
            assert asked.body.endswith(b"\n")
            return answer(200, b"%d" % asked.body.count(b"\n"))

        return count

    async def scene(world: World):
        await world.files(a=(b"y" * 1023 + b"\n") * 3000)
        await world.run(source={"SplitType": "Line"}, output={"AssembleWith": "Line"}, MaxPayloadInMB=1)
        return await world.results()

    assert play(World(tmp_path, model=model), scene) == {"out/a.csv.out": b"1024\n1024\n952\n"}
    assert max(sizes) <= 1024 * 1024


def test_what_the_request_leaves_out_the_model_is_asked(tmp_path):
    payloads = []

    def model(_workload: Workload):
        def ask(asked: Asked):
            payloads.append(asked.body)
            return answer(200, asked.body)

        return ask

    async def scene(world: World):
        await world.files(a=b"1\n2\n")
        await world.run(source={"SplitType": "Line"})
        (server,) = world.started
        return await world.log(LOG_GROUP, f"score/{server.id[:-2]}/data-log")

    said = {"MaxConcurrentTransforms": 3, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 5}
    (line,) = play(World(tmp_path, model=model, parameters=json.dumps(said).encode()), scene)
    assert payloads == [b"1", b"2"]
    assert line.endswith(":[sagemaker logs]: MaxConcurrentTransforms=3, MaxPayloadInMB=5, BatchStrategy=SINGLE_RECORD")


def test_predictions_are_joined_to_their_records(tmp_path):
    async def scene(world: World):
        await world.files(a=b"id1,5\nid2,7\n")
        await world.run(
            source={"SplitType": "Line"},
            output={"AssembleWith": "Line", "Accept": "text/csv"},
            DataProcessing={"InputFilter": "$[1:]", "OutputFilter": "$[0,-1]", "JoinSource": "Input"},
        )
        return await world.results()

    model = by_line(lambda line: b"%d" % (int(line) * 10))
    assert play(World(tmp_path, model=model), scene) == {"out/a.csv.out": b"id1,50\nid2,70\n"}


def test_gzipped_files_are_unpacked_on_the_way(tmp_path):
    async def scene(world: World):
        await world.put("in/a.gz", gzip.compress(b"x\n") + gzip.compress(b"y\n"), bucket=DATA)
        await world.run(source={"CompressionType": "Gzip", "SplitType": "Line"})
        return await world.results()

    assert play(World(tmp_path, model=upper), scene) == {"out/a.gz.out": b"X\nY\n"}


def test_a_manifest_names_the_files(tmp_path):
    async def scene(world: World):
        await world.files(a=b"a", b=b"b", c=b"c")
        manifest = json.dumps([{"prefix": f"s3://{DATA}/in/"}, "a.csv", "c.csv"]).encode()
        await world.put("manifest.json", manifest, bucket=DATA)
        where = {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": f"s3://{DATA}/manifest.json"}}
        await world.run(source={"DataSource": where})
        return await world.results()

    assert set(play(World(tmp_path, model=upper), scene)) == {"out/a.csv.out", "out/c.csv.out"}


def test_a_prefix_that_is_an_object_is_that_object(tmp_path):
    async def scene(world: World):
        await world.files(a=b"a")
        where = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{DATA}/in/a.csv"}}
        await world.run(source={"DataSource": where})
        return await world.results()

    assert play(World(tmp_path, model=upper), scene) == {"out/a.csv.out": b"A"}


def test_several_instances_share_the_files(tmp_path):
    served: dict[str, int] = {}

    def model(workload: Workload):
        async def count(asked: Asked):
            served[workload.id] = served.get(workload.id, 0) + 1
            await asyncio.sleep(0)
            return answer(200, asked.body)

        return count

    async def scene(world: World):
        await world.files(**{f"f{number}": b"x" for number in range(20)})
        document = await world.run(count=2)
        names = [one.name for one in await world.streams.streams(SCOPE, LOG_GROUP)]
        return document, len(await world.results()), names

    document, results, names = play(World(tmp_path, model=model), scene)
    assert document["TransformJobStatus"] == "Completed"
    assert (results, len(served), sum(served.values())) == (20, 2, 20)
    assert len([name for name in names if not name.endswith("/data-log")]) == 2


@pytest.mark.parametrize(("status", "fault", "asked"), [(415, "ClientError", 1), (500, "AlgorithmError", 3)])
def test_a_record_the_model_refuses_fails_the_job_and_says_so_in_the_log_but_other_files_get_results(
    tmp_path, status, fault, asked
):
    bad = []

    def model(_workload: Workload):
        def refuse(asked: Asked):
            if asked.body == b"bad":
                bad.append(asked.body)
                return answer(status, b"Traceback (most recent call last):\nValueError: no such column")
            return answer(200, asked.body)

        return refuse

    async def scene(world: World):
        await world.files(a=b"bad", b=b"good")
        document = await world.run(ModelClientConfig={"InvocationsMaxRetries": 2})
        (server,) = world.started
        return document, await world.results(), await world.log(LOG_GROUP, f"score/{server.id[:-2]}/data-log")

    document, results, log = play(World(tmp_path, model=model), scene)
    told = f"ClientError: {status}" if status == 415 else f"Bad HTTP status received from algorithm: {status}"
    assert document["TransformJobStatus"] == "Failed"
    assert document["FailureReason"] == (
        f"{fault}: See job logs for more information. data/in/a.csv: {told}: ValueError: no such column"
    )
    assert results == {"out/b.csv.out": b"good"}
    assert len(bad) == asked
    assert [line.split("[sagemaker logs]: ")[1] for line in log[1:]] == [
        f"data/in/a.csv: {told} (payload beginning with record 1)",
        "data/in/a.csv: ",
        "data/in/a.csv: Message:",
        "data/in/a.csv: Traceback (most recent call last):",
        "data/in/a.csv: ValueError: no such column",
    ]


def test_a_record_too_large_for_a_payload_fails_the_job_in_aws_words(tmp_path):
    async def scene(world: World):
        await world.files(a=b"x" * (1024 * 1024 + 1))
        return await world.run(MaxPayloadInMB=1), await world.results()

    document, results = play(World(tmp_path), scene)
    assert "ClientError" in document["FailureReason"]
    assert "Too much data for max payload size" in document["FailureReason"]
    assert results == {}


def test_a_model_that_answers_at_the_second_attempt_is_asked_twice(tmp_path):
    tries = iter([500, 200])

    def model(_workload: Workload):
        return lambda asked: answer(next(tries), b"ok")

    async def scene(world: World):
        await world.files(a=b"x")
        return await world.run(), await world.results()

    document, results = play(World(tmp_path, model=model), scene)
    assert document["TransformJobStatus"] == "Completed"
    assert results == {"out/a.csv.out": b"ok"}


def test_a_job_without_input_fails_with_aws_words(tmp_path):
    async def scene(world: World):
        await world.put("elsewhere", b"x", bucket=DATA)
        return await world.run()

    reason = play(World(tmp_path), scene)["FailureReason"]
    assert reason.startswith(f'ClientError: No S3 objects found under S3 URL "s3://{DATA}/in/"')


@pytest.mark.parametrize("fate", [Fate(after_s=0.5, exit_code=1), Fate(after_s=None)])
def test_a_server_that_never_answers_its_ping_fails_the_job(tmp_path, fate, monkeypatch):
    monkeypatch.setattr(transforms_servers, "DEFAULT_STARTUP_S", 30.0)

    async def scene(world: World):
        await world.files(a=b"x")
        began = world.clock.now()
        return await world.run(), world.clock.now() - began

    world = World(
        tmp_path, model=lambda _: None, fate=lambda _: fate, last_words="ModuleNotFoundError: No module named 'foo'"
    )
    document, took_s = play(world, scene)
    assert document["TransformJobStatus"] == "Failed"
    assert document["FailureReason"].startswith("AlgorithmError: The primary container did not pass the ping")
    assert document["FailureReason"].endswith("ModuleNotFoundError: No module named 'foo'")
    assert took_s < 35
    assert world.running_ids == []


def test_a_server_that_dies_at_work_fails_the_job(tmp_path):
    world = World(tmp_path, last_words="MemoryError")

    def model(workload: Workload):
        async def dies(asked: Asked):
            world.runtime.finish(workload.id, Fate(exit_code=137))
            raise ConnectionResetError

        return dies

    world.model = model

    async def scene(_world: World):
        await world.files(a=b"x")
        return await world.run()

    document = play(world, scene)
    assert document["FailureReason"] == (
        "AlgorithmError: The model server ended before its work did. See job logs for more information. MemoryError"
    )


def test_a_missing_model_fails_the_job(tmp_path):
    async def scene(world: World):
        await world.files(a=b"x")
        return await world.until_ended(await world.create())

    assert "Could not find model" in play(World(tmp_path), scene)["FailureReason"]


def test_a_stopped_job_keeps_what_is_done_and_stops_its_server(tmp_path):
    begun = asyncio.Event()

    def model(_workload: Workload):
        async def hangs_at_b(asked: Asked):
            if asked.body == b"b":
                begun.set()
                await asyncio.Event().wait()
            return answer(200, asked.body)

        return hangs_at_b

    async def scene(world: World):
        await world.files(a=b"a", b=b"b")
        await world.a_model()
        key = await world.create(MaxConcurrentTransforms=1)
        await begun.wait()
        await world.stop(key)
        return await world.until_ended(key), await world.results()

    world = World(tmp_path, model=model)
    document, results = play(world, scene)
    assert document["TransformJobStatus"] == "Stopped"
    assert document["TransformEndTime"] >= document["TransformStartTime"]
    assert results == {"out/a.csv.out": b"a"}
    assert world.running_ids == []


def test_a_job_stopped_before_it_began_is_stopped(tmp_path):
    async def scene(world: World):
        await world.files(a=b"a")
        key = await world.create()
        await world.stop(key)
        return await world.until_ended(key)

    world = World(tmp_path)
    assert play(world, scene)["TransformJobStatus"] == "Stopped"
    assert world.running_ids == []


def test_a_job_killed_with_the_control_plane_goes_on_where_it_was(tmp_path):
    asked, begun = [], asyncio.Event()

    def model(_workload: Workload):
        async def hangs_once_at_b(this: Asked):
            asked.append(this.body)
            if this.body == b"b" and not begun.is_set():
                begun.set()
                await asyncio.Event().wait()
            return answer(200, this.body)

        return hangs_once_at_b

    world = World(tmp_path, model=model)

    async def scene():
        async with world.running():
            await world.files(a=b"a", b=b"b")
            await world.a_model()
            key = await world.create(MaxConcurrentTransforms=1)
            await begun.wait()
        world.build()
        async with world.running():
            return await world.until_ended(key), await world.results()

    document, results = asyncio.run(scene())
    assert document["TransformJobStatus"] == "Completed"
    assert results == {"out/a.csv.out": b"a", "out/b.csv.out": b"b"}
    assert asked == [b"a", b"b", b"b"]
    assert len(world.started) == 1


@pytest.mark.parametrize("writes", range(1, 6))
def test_killed_after_any_write_a_job_completes_and_leaves_nothing(tmp_path, writes):
    world = World(tmp_path, model=upper)

    async def scene():
        async with world.running():
            await world.files(a=b"a", b=b"b")
            await world.a_model()
            key = await world.create(count=2)
            for _ in range(writes):
                world.changed.clear()
                if (await world.catalog.get(key)).status == "Completed":
                    break
                await world.changed.wait()
        world.build()
        async with world.running():
            document = await world.until_ended(key)
            return document, await world.results()

    document, results = asyncio.run(scene())
    assert document["TransformJobStatus"] == "Completed"
    assert len(results) == 2
    assert world.running_ids == []


def test_a_server_lost_with_the_machine_is_started_again(tmp_path):
    begun = asyncio.Event()

    def model(_workload: Workload):
        async def hangs_once(asked: Asked):
            if not begun.is_set():
                begun.set()
                await asyncio.Event().wait()
            return answer(200, asked.body)

        return hangs_once

    world = World(tmp_path, model=model)

    async def scene():
        async with world.running():
            await world.files(a=b"a")
            await world.a_model()
            key = await world.create()
            await begun.wait()
        world.runtime.lose(world.running_ids[0])
        world.build()
        async with world.running():
            return await world.until_ended(key)

    assert asyncio.run(scene())["TransformJobStatus"] == "Completed"
    assert len(world.started) == 2
