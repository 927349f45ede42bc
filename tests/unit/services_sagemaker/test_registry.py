"""The model registry: versions, approval, deletion, lists."""

import asyncio
from typing import Any

import pytest
from tests.conformance.world import World, a_model_package, a_version
from tests.fakes.house import ACCOUNT, REGION, a_call

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, Invalid
from sagehouse.services.sagemaker import OPERATIONS

ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
VERSION = ARN + "model-package/the-group/"


def register(world: World, **more: Any) -> str:
    arn: str = world.ask("CreateModelPackage", **a_version(**more))["ModelPackageArn"]
    return arn


def listed(world: World, **request: Any) -> list[str]:
    rows = world.ask("ListModelPackages", **request)["ModelPackageSummaryList"]
    return [row["ModelPackageArn"].removeprefix(ARN + "model-package/") for row in rows]


def test_versions_are_numbered_and_numbers_are_never_used_twice() -> None:
    world = World()
    assert [register(world), register(world)] == [VERSION + "1", VERSION + "2"]
    world.ask("DeleteModelPackage", ModelPackageName=VERSION + "2")
    assert register(world) == VERSION + "3"


def test_versions_registered_at_once_get_different_numbers() -> None:
    world = World()
    create = OPERATIONS["CreateModelPackage"]

    async def at_once() -> list[Document]:
        return await asyncio.gather(*(create(world.house, a_call(), a_version()) for _ in range(8)))

    arns = {output["ModelPackageArn"] for output in asyncio.run(at_once())}
    assert arns == {f"{VERSION}{number}" for number in range(1, 9)}


def test_a_version_is_described_by_group_and_number() -> None:
    world = World()
    register(world, ModelApprovalStatus="Approved", CustomerMetadataProperties={"a": "1"})
    told = world.ask("DescribeModelPackage", ModelPackageName=VERSION + "1")
    expected = {
        "ModelPackageGroupName": "the-group",
        "ModelPackageVersion": 1,
        "ModelPackageArn": VERSION + "1",
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "ModelApprovalStatus": "Approved",
        "CertifyForMarketplace": False,
        "SkipModelValidation": "None",
        "CustomerMetadataProperties": {"a": "1"},
    }
    assert {member: told[member] for member in expected} == expected
    assert "ModelPackageName" not in told
    assert world.ask("DescribeModelPackage", ModelPackageName="the-group/1") == told


def test_a_version_waits_for_approval_unless_it_says_otherwise() -> None:
    world = World()
    register(world)
    name = {"ModelPackageName": VERSION + "1"}
    assert world.ask("DescribeModelPackage", **name)["ModelApprovalStatus"] == "PendingManualApproval"
    world.ask(
        "UpdateModelPackage",
        ModelPackageArn=VERSION + "1",
        ModelApprovalStatus="Approved",
        ApprovalDescription="good enough",
    )
    told = world.ask("DescribeModelPackage", **name)
    assert (told["ModelApprovalStatus"], told["ApprovalDescription"]) == ("Approved", "good enough")
    assert told["LastModifiedBy"]["IamIdentity"]["Arn"].endswith("SageMakerRole/session")
    story = asyncio.run(world.house.catalog.story(VERSION + "1"))
    assert story[-1].why == "Approved: good enough"


def test_an_update_changes_metadata_and_adds_specifications_once() -> None:
    world = World()
    register(world, CustomerMetadataProperties={"a": "1", "b": "2"})
    extra = {"Name": "neo", "Containers": [{"Image": "x"}]}
    for _ in range(2):
        world.ask(
            "UpdateModelPackage",
            ModelPackageArn=VERSION + "1",
            CustomerMetadataProperties={"b": "3", "c": "4"},
            CustomerMetadataPropertiesToRemove=["a"],
            AdditionalInferenceSpecificationsToAdd=[extra],
        )
    told = world.ask("DescribeModelPackage", ModelPackageName=VERSION + "1")
    assert told["CustomerMetadataProperties"] == {"b": "3", "c": "4"}
    assert told["AdditionalInferenceSpecifications"] == [extra]


def test_the_same_token_is_the_same_package() -> None:
    world = World()
    assert register(world, ClientToken="once") == register(world, ClientToken="once")
    first = world.ask("CreateModelPackage", **a_model_package("alone", ClientToken="twice"))
    assert world.ask("CreateModelPackage", **a_model_package("alone", ClientToken="twice")) == first
    with pytest.raises(Invalid, match="ModelPackage already exists"):
        world.ask("CreateModelPackage", **a_model_package("alone", ClientToken="other"))
    assert "ClientToken" not in world.ask("DescribeModelPackage", ModelPackageName="alone")


def test_a_package_of_its_own_may_come_with_an_approval_status() -> None:
    """`register(model_package_name=...)` of both SDKs sends one, and was refused."""
    world = World()
    world.ask("CreateModelPackage", **a_model_package("alone", ModelApprovalStatus="PendingManualApproval"))
    told = world.ask("DescribeModelPackage", ModelPackageName="alone")
    assert (told["ModelPackageName"], told["ModelApprovalStatus"]) == ("alone", "PendingManualApproval")
    with pytest.raises(Invalid, match="belongs to versions of a model package group"):
        world.ask("UpdateModelPackage", ModelPackageArn=told["ModelPackageArn"], ModelApprovalStatus="Approved")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ModelPackageName": "x", "ModelPackageGroupName": "the-group"}, "Cannot determine which one to use."),
        ({}, "Missing ARN."),
        ({"ModelPackageGroupName": "none"}, f"ModelPackageGroup {ARN}model-package-group/none does not exist."),
    ],
)
def test_a_package_has_one_name(more: Document, words: str) -> None:
    specification = a_version()["InferenceSpecification"]
    with pytest.raises(Invalid) as error:
        World().ask("CreateModelPackage", InferenceSpecification=specification, **more)
    assert words in error.value.message


def test_a_group_with_versions_cannot_be_deleted() -> None:
    world = World()
    register(world)
    with pytest.raises(Conflict, match="still contains Model Packages"):
        world.ask("DeleteModelPackageGroup", ModelPackageGroupName="the-group")
    world.ask("DeleteModelPackage", ModelPackageName=VERSION + "1")
    world.ask("DeleteModelPackageGroup", ModelPackageGroupName="the-group")


def test_a_group_may_be_named_by_its_arn() -> None:
    world = World()
    arn = world.ask("DescribeModelPackageGroup", ModelPackageGroupName="the-group")["ModelPackageGroupArn"]
    output = world.ask("CreateModelPackage", **a_version(ModelPackageGroupName=arn))
    assert output["ModelPackageArn"] == VERSION + "1"


def test_the_first_approved_version_listed_by_creation_time_is_the_latest() -> None:
    """A deployment script asked so, and got the oldest approved model to deploy."""
    world = World()
    for _ in range(3):
        register(world, ModelApprovalStatus="Approved")
    request = {"ModelPackageGroupName": "the-group", "ModelApprovalStatus": "Approved", "SortBy": "CreationTime"}
    assert listed(world, **request)[0] == "the-group/3"


def test_lists_know_versions_from_packages_that_stand_alone() -> None:
    world = World()
    register(world)
    register(world, ModelApprovalStatus="Approved")
    world.ask("CreateModelPackage", **a_model_package("alone"))
    assert listed(world) == ["alone"]
    assert listed(world, ModelPackageGroupName="the-group") == ["the-group/2", "the-group/1"]
    assert listed(world, ModelPackageGroupName="the-group", ModelApprovalStatus="Approved") == ["the-group/2"]
    assert listed(world, ModelPackageType="Versioned", SortOrder="Ascending") == ["the-group/1", "the-group/2"]
    assert len(listed(world, ModelPackageType="Both")) == 3
    with pytest.raises(Invalid, match="does not exist"):
        listed(world, ModelPackageGroupName="none")


def test_many_packages_are_described_at_once() -> None:
    world = World()
    arn = register(world)
    output = world.ask("BatchDescribeModelPackage", ModelPackageArnList=[arn, VERSION + "9"])
    assert list(output["ModelPackageSummaries"]) == [arn]
    assert output["BatchDescribeModelPackageErrorMap"][VERSION + "9"]["ErrorCode"] == "ValidationException"


GONE = "s3://sagemaker-us-east-1-123456789012/no/such/model.tar.gz"


def specified(**container: Any) -> Document:
    """A version's specification whose one container differs in these members."""
    specification = a_version()["InferenceSpecification"]
    (given,) = specification["Containers"]
    kept = {member: value for member, value in given.items() if member not in ("ModelDataUrl", "ModelDataSource")}
    return {**specification, "Containers": [{**kept, **container}]}


@pytest.mark.parametrize(
    ("container", "says"),
    [
        ({"ModelDataUrl": GONE}, f"Could not find model data at {GONE}."),
        ({"ModelDataUrl": "s3://no-such-bucket/model.tar.gz"}, "Could not access model data at s3://no-such-bucket/"),
        (
            {"ModelDataSource": {"S3DataSource": {"S3Uri": GONE, "S3DataType": "S3Object", "CompressionType": "Gzip"}}},
            f"Could not find model data at {GONE}.",
        ),
        ({"Image": "123.dkr.ecr.us-east-1.amazonaws.com/own:1"}, "The image .* cannot be run here"),
    ],
)
def test_what_could_never_be_served_is_not_registered_or_changed_to(container: Document, says: str) -> None:
    """It was, and only the deployment said that the model's archive was not there."""
    world = World()
    specification = specified(**container)
    with pytest.raises(Invalid, match=says):
        register(world, InferenceSpecification=specification)
    with pytest.raises(Invalid, match=says):
        world.ask("CreateModelPackage", **a_model_package("alone", InferenceSpecification=specification))
    assert register(world) == VERSION + "1"  # the number was not taken
    with pytest.raises(Invalid, match=says):
        world.ask("UpdateModelPackage", ModelPackageArn=VERSION + "1", InferenceSpecification=specification)
    told = world.ask("DescribeModelPackage", ModelPackageName=VERSION + "1")
    assert told["InferenceSpecification"] == a_version()["InferenceSpecification"]


def test_whoever_skips_validation_registers_what_is_not_there_yet() -> None:
    world = World()
    register(world, InferenceSpecification=specified(ModelDataUrl=GONE), SkipModelValidation="All")
    told = world.ask("DescribeModelPackage", ModelPackageName=VERSION + "1")
    assert told["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == GONE


def test_additional_specifications_need_their_data_too() -> None:
    world = World()
    extra = {"Name": "neo", "Containers": [{"Image": "compiled", "ModelDataUrl": GONE}]}
    with pytest.raises(Invalid, match="Could not find model data"):
        register(world, AdditionalInferenceSpecifications=[extra])
    register(world)
    with pytest.raises(Invalid, match="Could not find model data"):
        world.ask("UpdateModelPackage", ModelPackageArn=VERSION + "1", AdditionalInferenceSpecificationsToAdd=[extra])


def test_the_same_token_is_the_same_package_whatever_became_of_its_data() -> None:
    world = World()
    first = register(world, ClientToken="t" * 36)
    uri = a_version()["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    asyncio.run(world.house.objects.delete(bucket, [key]))
    assert register(world, ClientToken="t" * 36) == first
