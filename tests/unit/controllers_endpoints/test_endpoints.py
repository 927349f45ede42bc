"""Endpoints from the wish to the answer and back."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.fakes.runtime import Fate
from tests.fakes.serving import Asked, answer
from tests.unit.controllers_endpoints.ground import BUCKET, IMAGE, SCOPE, an_archive, mount_of, socket_of
from tests.unit.controllers_endpoints.world import World

from sagehouse.kit.errors import NotFound, Unavailable
from sagehouse.ports.runtime import Workload


def play(world: World, scene: Callable[[World], Awaitable]):
    async def run():
        async with world.running():
            return await scene(world)

    return asyncio.run(run())


def echoes(workload: Workload):
    """A model that says which model it is."""
    return lambda asked: answer(200, workload.environment["MODEL"].encode())


def test_a_created_endpoint_comes_into_service_and_answers(tmp_path):
    async def scene(world: World):
        key = await world.up(count=2)
        return (await world.catalog.get(key)).document, (await world.invoke()).body

    world = World(tmp_path, model=echoes)
    document, body = play(world, scene)
    assert body == b"churn"
    assert document["EndpointStatus"] == "InService"
    assert document["EndpointConfigName"] == "first"
    (variant,) = document["ProductionVariants"]
    assert variant["DeployedImages"][0]["SpecifiedImage"] == IMAGE
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"], variant["CurrentWeight"]) == (2, 2, 1.0)
    assert len(world.started) == 2


def test_a_replica_sees_its_model_its_socket_and_the_house(tmp_path):
    world = World(tmp_path)
    play(world, World.up)
    (workload,) = world.started
    assert workload.command == ("python", "-m", "sagehouse.toolkit.serve")
    assert (mount_of(workload, "/opt/ml/model") / "weights").read_text() == "churn"
    assert next(one.access for one in workload.mounts if one.target == "/opt/ml/model") == "overlay"
    assert workload.environment["MODEL"] == "churn"
    assert workload.environment["SAGEHOUSE_FRAMEWORK"] == "sklearn"
    assert workload.environment["AWS_ENDPOINT_URL"] == "http://house"
    assert workload.environment["SAGEHOUSE_SOCKET"].startswith("/run/sagehouse/")
    assert len(str(socket_of(workload))) < len(str(tmp_path)) + 25
    assert workload.stop_grace_s == 30


def test_each_replica_logs_to_its_own_stream_of_the_endpoints_group(tmp_path):
    async def scene(world: World):
        await world.up(count=2)
        return [one.name for one in await world.streams.streams(SCOPE, "/aws/sagemaker/Endpoints/Live")]

    names = play(World(tmp_path), scene)
    assert len(names) == 2
    assert all(
        name.startswith("AllTraffic/i-") and len(name) == len("AllTraffic/i-0123456789abcdef0") for name in names
    )


def test_an_archive_is_unpacked_once_for_all_replicas_and_endpoints_of_a_model(tmp_path):
    async def scene(world: World):
        await world.up(count=2)
        second = await world.create("Second")
        await world.until_status(second, "InService")

    world = World(tmp_path)
    play(world, scene)
    assert world.archives.unpacked == 1
    assert len({mount_of(one, "/opt/ml/model") for one in world.started}) == 1


def test_a_model_from_a_package_a_prefix_or_without_files_is_served(tmp_path):
    async def scene(world: World):
        await world.put("parts/a.bin", b"a")
        source = {"S3Uri": f"s3://{BUCKET}/parts/", "S3DataType": "S3Prefix", "CompressionType": "None"}
        inner = {"Image": IMAGE, "ModelDataSource": {"S3DataSource": source}, "Environment": {"A": "package", "B": "b"}}
        package = {"ModelPackageArn": "x", "InferenceSpecification": {"Containers": [inner]}}
        await world.store("ModelPackage", "churn/3", package)
        arn = (await world.catalog.page(_every("ModelPackage"))).items[0].arn
        definition = {"ModelPackageName": arn, "Environment": {"A": "own"}}
        await world.store("Model", "packaged", {"ModelName": "packaged", "Containers": [definition]})
        await world.store("Model", "bare", {"ModelName": "bare", "PrimaryContainer": {"Image": IMAGE}})
        for model in ("packaged", "bare"):
            await world.a_config(model, model=model)
            await world.until_status(await world.create(model, config=model), "InService")

    world = World(tmp_path)
    play(world, scene)
    packaged, bare = world.started
    assert (mount_of(packaged, "/opt/ml/model") / "a.bin").read_bytes() == b"a"
    assert (packaged.environment["A"], packaged.environment["B"]) == ("own", "b")
    assert list(mount_of(bare, "/opt/ml/model").iterdir()) == []


def _every(kind: str):
    from sagehouse.ports.catalog import Query

    return Query(account=SCOPE.account, region=SCOPE.region, kind=kind)


def test_a_server_that_dies_while_it_starts_fails_the_endpoint_at_once_with_its_last_words(tmp_path):
    async def scene(world: World):
        began = world.clock.now()
        key = await world.up()
        document = (await world.catalog.get(key)).document
        await world.until(key, lambda stored: not stored.document["_Hosting"]["Old"])
        return document, world.clock.now() - began

    world = World(
        tmp_path,
        model=lambda workload: None,
        fate=lambda workload: Fate(after_s=0.5, exit_code=1),
        last_words="ModuleNotFoundError: No module named 'xgbost'",
    )
    document, took_s = play(world, scene)
    assert document["EndpointStatus"] == "Failed"
    assert document["FailureReason"] == (
        "The primary container for production variant AllTraffic did not pass the ping health check. "
        "Please check CloudWatch logs for this endpoint. "
        "Last words of the container: ModuleNotFoundError: No module named 'xgbost'"
    )
    assert took_s < 5
    assert not [path for path in (tmp_path / "run").iterdir() if path.name != "models"]


def test_a_server_that_ends_without_a_word_is_told_with_its_exit_code(tmp_path):
    """A script that calls sys.exit left the user with "see the logs", and nothing in them."""

    async def scene(world: World):
        key = await world.up()
        return (await world.catalog.get(key)).document

    world = World(tmp_path, model=lambda workload: None, fate=lambda workload: Fate(after_s=0.5, exit_code=3))
    document = play(world, scene)
    assert document["FailureReason"].endswith("Last words of the container: none, exit code: 3")


def test_a_server_that_never_answers_its_ping_fails_after_the_start_up_limit(tmp_path):
    async def scene(world: World):
        began = world.clock.now()
        key = await world.up(ContainerStartupHealthCheckTimeoutInSeconds=60)
        took_s = world.clock.now() - began
        await world.until_alone(key)
        return (await world.catalog.get(key)).document, took_s

    world = World(tmp_path, model=lambda workload: None)
    document, took_s = play(world, scene)
    assert document["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in document["FailureReason"]
    assert 60 <= took_s < 62
    assert world.running_ids == []


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"Image": "123.dkr.ecr.us-east-1.amazonaws.com/own:1"}, "No image"),
        ({"ModelDataUrl": f"s3://{BUCKET}/gone.tar.gz"}, f"Could not find model data at s3://{BUCKET}/gone.tar.gz"),
        ({"Mode": "MultiModel"}, "MultiModel is not implemented"),
    ],
)
def test_a_model_that_cannot_be_served_fails_the_endpoint_with_the_reason(tmp_path, model, told):
    async def scene(world: World):
        await world.a_model(**model)
        await world.a_config()
        return await world.until_status(await world.create(), "InService", "Failed")

    document = play(World(tmp_path), scene)
    assert document["EndpointStatus"] == "Failed"
    assert told in document["FailureReason"]


def test_a_missing_model_or_configuration_fails_the_endpoint(tmp_path):
    async def scene(world: World):
        await world.a_config(model="nobody")
        one = await world.until_status(await world.create("one"), "Failed")
        two = await world.until_status(await world.create("two", config="gone"), "Failed")
        return one["FailureReason"], two["FailureReason"]

    one, two = play(World(tmp_path), scene)
    assert one == 'Could not find model "arn:aws:sagemaker:us-east-1:123456789012:model/nobody".'
    assert (
        two == 'Could not find endpoint configuration "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/gone".'
    )


def test_a_replica_that_dies_is_started_again_and_meanwhile_nobody_is_told_a_lie(tmp_path):
    async def scene(world: World):
        await world.up()
        (first,) = world.running_ids
        world.runtime.finish(first, Fate(exit_code=1))
        with pytest.raises(Unavailable):
            await world.invoke()
        return first, (await world.until_answered()).body

    world = World(tmp_path, model=echoes)
    first, body = play(world, scene)
    assert body == b"churn"
    assert [one.id for one in world.started] == [first, f"{first.removesuffix('-0')}-1"]


def test_a_replica_that_keeps_dying_is_started_ever_more_rarely(tmp_path):
    lives = iter([None, *[0.5] * 8])

    async def scene(world: World):
        await world.up()
        world.runtime.finish(world.running_ids[0], Fate(exit_code=1))
        began = world.clock.now()
        await world.see(lambda: len(world.started) == 7)
        return world.clock.now() - began

    fates: dict[str, Fate] = {}

    def fate(workload: Workload) -> Fate:
        if workload.id not in fates:
            fates[workload.id] = Fate(after_s=next(lives, None), exit_code=1)
        return fates[workload.id]

    took_s = play(World(tmp_path, fate=fate), scene)
    assert took_s > 0.1 + 0.2 + 0.4 + 0.8 + 1.6


def test_a_replica_that_hangs_is_started_again_and_its_log_says_so(tmp_path):
    """Stopped by a signal, it kept its place for ever, and every request to it took a minute to fail."""
    hanging: set[str] = set()

    async def scene(world: World):
        await world.up()
        (first,) = world.running_ids
        began = world.clock.now()
        hanging.add(first)
        await world.see(lambda: len(world.started) == 2)
        took_s = world.clock.now() - began
        body = (await world.until_answered()).body
        await world.see(lambda: first not in world.running_ids)
        instance = first.removesuffix("-0")
        return first, took_s, body, await world.log("/aws/sagemaker/Endpoints/Live", f"AllTraffic/{instance}")

    world = World(tmp_path, model=echoes, pings=lambda workload: workload.id not in hanging)
    first, took_s, body, log = play(world, scene)
    assert [one.id for one in world.started] == [first, f"{first.removesuffix('-0')}-1"]
    assert 20.0 < took_s < 60.0
    assert body == b"churn"
    assert log == [
        "The container hangs. It did not answer 3 pings in a row, 10 s apart. It is started again.",
    ]


def test_a_replica_that_misses_a_ping_or_two_goes_on(tmp_path):
    pinged = []

    def pings(_workload: Workload) -> bool:
        pinged.append(len(pinged))
        return len(pinged) % 3 == 1  # the first, which brings it into service, and every third

    async def scene(world: World):
        await world.up()
        began = world.clock.now()
        await world.see(lambda: world.clock.now() - began > 600.0)

    world = World(tmp_path, pings=pings)
    play(world, scene)
    assert len(world.started) == 1
    assert len(pinged) > 50


def test_a_replica_started_again_that_never_answers_is_started_once_more(tmp_path):
    async def scene(world: World):
        await world.up(ContainerStartupHealthCheckTimeoutInSeconds=60)
        world.runtime.finish(world.running_ids[0], Fate(exit_code=1))
        began = world.clock.now()
        await world.see(lambda: len(world.started) == 3)
        return world.clock.now() - began, (await world.until_answered()).status

    world = World(tmp_path, pings=lambda workload: not workload.id.endswith("-1"))
    took_s, status = play(world, scene)
    assert 60.0 <= took_s < 62.0
    assert status == 200


def test_the_living_replica_answers_while_the_other_is_away(tmp_path):
    async def scene(world: World):
        await world.up(count=2)
        world.runtime.finish(world.running_ids[0], Fate(exit_code=1))
        return [(await world.invoke()).status for _ in range(20)]

    assert play(World(tmp_path), scene) == [200] * 20


def test_an_update_answers_with_the_new_model_before_the_old_one_stops(tmp_path):
    async def scene(world: World):
        key = await world.up()
        (old,) = world.running_ids
        await world.a_model("better")
        await world.a_config("second", model="better")
        await world.update(key, "second")
        said = set()
        while b"better" not in said:
            said.add((await world.invoke()).body)
            is_old_alive = old in world.running_ids
            await asyncio.sleep(0)
        document = await world.until_alone(key)
        return said, is_old_alive, old in world.running_ids, document

    said, was_alive, is_alive, document = play(World(tmp_path, model=echoes), scene)
    assert said == {b"churn", b"better"}
    assert was_alive
    assert not is_alive
    assert document["EndpointStatus"] == "InService"
    assert document["EndpointConfigName"] == "second"
    assert "PendingDeploymentSummary" not in document


def test_a_request_under_way_at_the_old_replica_is_answered_during_an_update(tmp_path):
    free = asyncio.Event()

    def model(workload: Workload):
        async def slow(asked: Asked):
            if asked.body == b"slow":
                await free.wait()
            return answer(200, workload.environment["MODEL"].encode())

        return slow

    async def scene(world: World):
        key = await world.up()
        (old,) = world.running_ids
        asked = asyncio.create_task(world.invoke(b"slow"))
        await world.a_model("better")
        await world.a_config("second", model="better")
        await world.update(key, "second")
        await world.until(key, lambda stored: stored.document["EndpointConfigName"] == "second")
        still_alive = old in world.running_ids
        free.set()
        return (await asked).body, still_alive

    assert play(World(tmp_path, model=model), scene) == (b"churn", True)


def test_an_update_that_fails_leaves_the_old_model_in_service_and_says_why(tmp_path):
    async def scene(world: World):
        key = await world.up()
        await world.a_model("broken")
        await world.a_config("second", model="broken")
        await world.update(key, "second")
        await world.until_status(key, "InService")
        document = await world.until_alone(key)
        return document, (await world.invoke()).body, len(world.running_ids)

    def model(workload: Workload):
        return None if workload.environment["MODEL"] == "broken" else echoes(workload)

    def fate(workload: Workload) -> Fate:
        is_broken = workload.environment["MODEL"] == "broken"
        return Fate(after_s=1.0, exit_code=1) if is_broken else Fate(after_s=None)

    document, body, running = play(World(tmp_path, model=model, fate=fate), scene)
    assert document["EndpointStatus"] == "InService"
    assert document["EndpointConfigName"] == "first"
    assert "did not pass the ping health check" in document["FailureReason"]
    assert "PendingDeploymentSummary" not in document
    assert (body, running) == (b"churn", 1)


def test_a_failed_endpoint_can_be_updated_to_one_that_works(tmp_path):
    async def scene(world: World):
        await world.a_config(model="late")
        key = await world.create()
        await world.until_status(key, "Failed")
        await world.a_model("late")
        await world.update(key, "first")
        await world.until_status(key, "InService")
        return (await world.invoke()).status

    assert play(World(tmp_path), scene) == 200


def test_a_deleted_endpoint_answers_no_more_and_leaves_nothing(tmp_path):
    async def scene(world: World):
        key = await world.up(count=2)
        await world.ask(key, "Deleting")
        await world.until(key, lambda stored: stored is None)
        with pytest.raises(NotFound):
            await world.invoke()

    world = World(tmp_path)
    play(world, scene)
    assert world.running_ids == []
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["models"]


def test_an_endpoint_deleted_while_it_is_created_leaves_nothing(tmp_path):
    async def scene(world: World):
        await world.a_model()
        await world.a_config()
        key = await world.create()
        await world.see(lambda: bool(world.started))
        await world.ask(key, "Deleting")
        await world.until(key, lambda stored: stored is None)

    world = World(tmp_path, model=lambda workload: None)
    play(world, scene)
    assert world.running_ids == []


def test_a_name_used_again_is_another_endpoint(tmp_path):
    async def scene(world: World):
        key = await world.up()
        await world.ask(key, "Deleting")
        await world.until(key, lambda stored: stored is None)
        await world.clock.sleep(1)
        await world.until_status(await world.create(), "InService")

    world = World(tmp_path)
    play(world, scene)
    assert len({one.id for one in world.started}) == 2


def test_a_model_overwritten_in_s3_does_not_change_a_replica_that_is_started_again(tmp_path):
    async def scene(world: World):
        await world.up()
        await world.put("churn.tar.gz", an_archive(weights="other"))
        world.runtime.finish(world.running_ids[0], Fate(exit_code=1))
        await world.see(lambda: len(world.started) == 2)

    world = World(tmp_path)
    play(world, scene)
    assert [(mount_of(one, "/opt/ml/model") / "weights").read_text() for one in world.started] == ["churn", "churn"]
