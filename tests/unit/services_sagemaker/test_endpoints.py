"""Models, endpoint configurations and endpoints: what is stored, what is refused in which words."""

import asyncio
from typing import Any

import pytest
from tests.conformance.world import (
    BUCKET,
    SKLEARN,
    XGBOOST,
    World,
    a_model,
    a_model_package,
    a_variant,
    a_version,
    an_endpoint,
    an_endpoint_config,
)
from tests.fakes.house import ACCOUNT, REGION

from sagehouse.domain.hosting.container import container_of, definition_of
from sagehouse.domain.hosting.deployment import Variant
from sagehouse.domain.lifecycle import ENDPOINT
from sagehouse.kit.errors import Invalid, LimitExceeded
from sagehouse.ports.catalog import Key
from sagehouse.resources.transition import transition

ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
DATA = f"s3://{BUCKET}/model/model.tar.gz"


def moved(world: World, status: str, **members: Any) -> None:
    """The endpoint as its controller would have moved it."""

    async def move() -> None:
        key = Key(account=ACCOUNT, region=REGION, kind="Endpoint", name="ep")
        stored = await world.house.catalog.get(key)
        assert stored is not None
        document = {name: value for name, value in {**stored.document, **members}.items() if value is not None}
        await transition(
            world.house.catalog, ENDPOINT, stored, to=status, document=document, now=1.0, who="test", why="test"
        )

    asyncio.run(move())


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ({"Image": "nothing"}, "'nothing'"),
        (
            {"Image": SKLEARN, "ModelDataUrl": f"s3://{BUCKET}/no.tar.gz"},
            f"Could not find model data at s3://{BUCKET}/no",
        ),
        ({"Image": SKLEARN, "ModelDataUrl": "s3://nowhere/m.tar.gz"}, "Could not access model data at s3://nowhere"),
        ({"Image": SKLEARN, "Mode": "MultiModel"}, "does not implement PrimaryContainer.Mode MultiModel"),
        ({"ModelDataUrl": DATA}, "needs Image or ModelPackageName"),
        ({"Image": SKLEARN, "ModelPackageName": "p"}, "either Image or ModelPackageName"),
        ({"ModelPackageName": "nothing"}, f'Could not find model package "{ARN}model-package/nothing"'),
    ],
)
def test_a_model_that_cannot_be_is_refused(container: Any, words: str) -> None:
    with pytest.raises(Invalid) as error:
        World().ask("CreateModel", **a_model("m", PrimaryContainer=container))
    assert words in error.value.message


def test_a_model_has_exactly_one_container() -> None:
    world = World()
    one = a_model("m")["PrimaryContainer"]
    for more in ({"PrimaryContainer": {}, "Containers": []}, {"Containers": [one]}):
        with pytest.raises(Invalid, match="Exactly one of"):
            world.ask("CreateModel", **a_model("m", **more))
    with pytest.raises(Invalid, match="more than one container"):
        world.ask("CreateModel", ModelName="m", Containers=[one, one])
    world.ask("CreateModel", ModelName="m", Containers=[one])
    source = {"S3Uri": one["ModelDataUrl"], "S3DataType": "S3Object", "CompressionType": "Gzip"}
    shown = {"Mode": "SingleModel", **one, "ModelDataSource": {"S3DataSource": source}}
    assert world.ask("DescribeModel", ModelName="m")["Containers"] == [shown]


def test_a_model_that_exists_is_refused_in_awss_words() -> None:
    world = World()
    with pytest.raises(Invalid) as error:
        world.ask("CreateModel", **a_model("the-model"))
    assert error.value.message == f'Cannot create already existing model "{ARN}model/the-model".'


def test_uncompressed_model_data_is_looked_for_below_its_prefix() -> None:
    world = World()

    def source(prefix: str) -> Any:
        place = {"S3Uri": f"s3://{BUCKET}/{prefix}", "S3DataType": "S3Prefix", "CompressionType": "None"}
        return {"Image": SKLEARN, "ModelDataSource": {"S3DataSource": place}}

    world.ask("CreateModel", **a_model("m", PrimaryContainer=source("model/")))
    with pytest.raises(Invalid, match="Could not find model data"):
        world.ask("CreateModel", **a_model("n", PrimaryContainer=source("none/")))


@pytest.mark.parametrize("versioned", [True, False])
def test_a_model_of_a_package_names_the_packages_image_and_data(versioned: bool) -> None:
    world = World()
    request = a_version(ModelApprovalStatus="Approved") if versioned else a_model_package("package")
    request["InferenceSpecification"]["Containers"][0]["Environment"] = {"A": "package", "B": "package"}
    arn = world.ask("CreateModelPackage", **request)["ModelPackageArn"]
    world.ask("CreateModel", ModelName="m", Containers=[{"ModelPackageName": arn, "Environment": {"B": "model"}}])
    (container,) = world.ask("DescribeModel", ModelName="m")["Containers"]
    assert container == {
        "Mode": "SingleModel",
        "ModelPackageName": arn,
        "Image": XGBOOST,
        "ModelDataUrl": DATA,
        "ModelDataSource": {
            "S3DataSource": {"S3Uri": DATA, "S3DataType": "S3Object", "CompressionType": "Gzip"},
        },
        "Environment": {"A": "package", "B": "model"},
    }


@pytest.mark.parametrize("status", ["PendingManualApproval", "Rejected"])
def test_only_an_approved_version_becomes_a_model(status: str) -> None:
    """Both became one, and were served."""
    world = World()
    arn = world.ask("CreateModelPackage", **a_version(ModelApprovalStatus=status))["ModelPackageArn"]
    model = a_model("m", PrimaryContainer={"ModelPackageName": arn})
    with pytest.raises(Invalid, match=f"{arn} is {status}, not Approved"):
        world.ask("CreateModel", **model)
    world.ask("UpdateModelPackage", ModelPackageArn=arn, ModelApprovalStatus="Approved")
    world.ask("CreateModel", **model)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"ProductionVariants": [a_variant(ModelName="none")]}, f'Could not find model "{ARN}model/none".'),
        ({"ProductionVariants": [a_variant(), a_variant(VariantName="B")]}, "more than one variant"),
        ({"ProductionVariants": [a_variant(), a_variant()]}, "must be unique"),
        (
            {"ProductionVariants": [{"VariantName": "A", "InstanceType": "ml.m5.large", "ModelName": "the-model"}]},
            "'A' has no InitialInstanceCount",
        ),
        ({"ProductionVariants": [{"VariantName": "A", "InstanceType": "ml.m5.large"}]}, "inference components"),
        (
            {"ProductionVariants": [a_variant(ServerlessConfig={"MemorySizeInMB": 2048, "MaxConcurrency": 1})]},
            "does not implement ProductionVariants[].ServerlessConfig",
        ),
        ({"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://x/y"}}}, "AsyncInferenceConfig"),
        ({"ShadowProductionVariants": [a_variant()]}, "ShadowProductionVariants"),
        (
            {
                "DataCaptureConfig": {
                    "EnableCapture": True,
                    "InitialSamplingPercentage": 100,
                    "DestinationS3Uri": "s3://x/y",
                    "CaptureOptions": [{"CaptureMode": "Input"}],
                }
            },
            "does not implement DataCaptureConfig.EnableCapture True",
        ),
    ],
)
def test_a_configuration_that_cannot_be_served_is_refused(config: Any, words: str) -> None:
    with pytest.raises(Invalid) as error:
        World().ask("CreateEndpointConfig", **an_endpoint_config("c", **config))
    assert words in error.value.message


def test_what_is_stored_is_what_the_controller_reads() -> None:
    world = World()
    config = world.ask("DescribeEndpointConfig", EndpointConfigName="the-config")
    variant = Variant.from_config(config)
    model = world.ask("DescribeModel", ModelName=variant.model_name)
    container = container_of(definition_of(model), package=None, is_network_isolated=model["EnableNetworkIsolation"])
    assert (variant.weight, variant.instance_count, container.image) == (1.0, 1, SKLEARN)


def test_a_missing_configuration_is_not_found_in_awss_words() -> None:
    with pytest.raises(Invalid) as error:
        World().ask("CreateEndpoint", **an_endpoint("ep", EndpointConfigName="none"))
    assert error.value.message == f'Could not find endpoint configuration "{ARN}endpoint-config/none".'


def test_a_new_endpoint_is_creating_and_its_controller_was_woken() -> None:
    world = World()
    world.ask("CreateEndpoint", **an_endpoint("ep", EndpointConfigName="THE-CONFIG"))
    told = world.ask("DescribeEndpoint", EndpointName="ep")
    assert (told["EndpointStatus"], told["EndpointConfigName"]) == ("Creating", "the-config")
    assert told["ProductionVariants"] == [
        {
            "VariantName": "AllTraffic",
            "DesiredWeight": 1.0,
            "DesiredInstanceCount": 1,
            "CurrentWeight": 0.0,
            "CurrentInstanceCount": 0,
        }
    ]
    assert world.house.wake.names == ["ep"]


def test_an_update_waits_for_the_one_before_it() -> None:
    world = World()
    world.ask("CreateEndpoint", **an_endpoint("ep"))
    world.ask("CreateEndpointConfig", **an_endpoint_config("next"))
    with pytest.raises(Invalid) as error:
        world.ask("UpdateEndpoint", EndpointName="ep", EndpointConfigName="next")
    assert error.value.message == f'Cannot update in-progress endpoint "{ARN}endpoint/ep".'
    moved(world, "InService")
    world.ask("UpdateEndpoint", EndpointName="EP", EndpointConfigName="next")
    told = world.ask("DescribeEndpoint", EndpointName="ep")
    assert (told["EndpointStatus"], told["EndpointConfigName"]) == ("Updating", "the-config")
    assert told["PendingDeploymentSummary"]["EndpointConfigName"] == "next"
    assert world.house.wake.names == ["ep", "ep"]


def test_an_update_that_names_nothing_is_refused() -> None:
    world = World()
    with pytest.raises(Invalid, match='Could not find endpoint "'):
        world.ask("UpdateEndpoint", EndpointName="none", EndpointConfigName="the-config")
    world.ask("CreateEndpoint", **an_endpoint("ep"))
    moved(world, "InService")
    with pytest.raises(Invalid, match='Could not find endpoint configuration "'):
        world.ask("UpdateEndpoint", EndpointName="ep", EndpointConfigName="none")
    assert world.ask("DescribeEndpoint", EndpointName="ep")["EndpointStatus"] == "InService"


@pytest.mark.parametrize("status", ["InService", "Failed"])
def test_an_endpoint_is_deleted_by_its_controller(status: str) -> None:
    world = World()
    world.ask("CreateEndpoint", **an_endpoint("ep"))
    moved(world, status)
    world.ask("DeleteEndpoint", EndpointName="ep")
    assert world.ask("DescribeEndpoint", EndpointName="ep")["EndpointStatus"] == "Deleting"
    assert world.house.wake.names == ["ep", "ep"]
    with pytest.raises(Invalid, match="Cannot update in-progress endpoint"):
        world.ask("DeleteEndpoint", EndpointName="ep")


@pytest.mark.parametrize("status", ["Creating", "Updating"])
def test_an_endpoint_in_progress_is_not_deleted(status: str) -> None:
    world = World()
    world.ask("CreateEndpoint", **an_endpoint("ep"))
    if status == "Updating":
        moved(world, "InService")
        world.ask("UpdateEndpoint", EndpointName="ep", EndpointConfigName="the-config")
    with pytest.raises(Invalid) as error:
        world.ask("DeleteEndpoint", EndpointName="ep")
    assert error.value.message == f'Cannot update in-progress endpoint "{ARN}endpoint/ep".'
    assert world.ask("DescribeEndpoint", EndpointName="ep")["EndpointStatus"] == status


def test_an_endpoint_of_more_instances_than_a_machine_can_be_is_beyond_the_limit() -> None:
    world = World()
    world.ask(
        "CreateEndpointConfig", **an_endpoint_config("many", ProductionVariants=[a_variant(InitialInstanceCount=101)])
    )
    with pytest.raises(LimitExceeded, match="for endpoint usage' is 100 Instances"):
        world.ask("CreateEndpoint", EndpointName="ep", EndpointConfigName="many")
