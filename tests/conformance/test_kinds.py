"""Every kind of resource, walked through its operations: the service model is the oracle of shapes."""

from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from tests.conformance.world import WALKS, Walk, World

from sagehouse.kit.document import Document
from sagehouse.kit.errors import InUse, Invalid, NotFound, SagehouseError

MODEL = botocore.session.get_session().get_service_model("sagemaker")
NOT_YET = {"DescribeModelPackage": {"ModelPackageName"}}
"""Required output members that AWS leaves out too: of a version of a group."""

EVERY = pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.noun)
DELETED_AT_ONCE = pytest.mark.parametrize("walk", [walk for walk in WALKS if walk.deletes], ids=lambda walk: walk.noun)


def assert_shaped(operation: str, output: Document) -> None:
    """Every member the model requires is there, and those it knows are of its types."""
    shape = MODEL.operation_model(operation).output_shape
    absent = set(shape.required_members) - output.keys() - NOT_YET.get(operation, set())
    assert not absent, f"{operation} leaves out {absent}"
    known = _known(shape, output)
    for member in NOT_YET.get(operation, set()):
        known.setdefault(member, "x")
    assert ParamValidator().validate(known, shape).generate_report() == ""


def _known(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure" and isinstance(value, dict):
        return {name: _known(shape.members[name], item) for name, item in value.items() if name in shape.members}
    if shape.type_name == "list" and isinstance(value, list):
        return [_known(shape.member, item) for item in value]
    return value


def assert_echoed(given: Any, told: Any, path: str = "") -> None:
    """Everything given is in what is told; what is told may say more."""
    if isinstance(given, dict):
        for name, value in given.items():
            assert name in told, f"{path}.{name} is not echoed"
            assert_echoed(value, told[name], f"{path}.{name}")
    elif isinstance(given, list):
        assert len(given) == len(told), path
        for number, value in enumerate(given):
            assert_echoed(value, told[number], f"{path}[{number}]")
    else:
        assert given == told, path


def created(world: World, walk: Walk, name: str, **more: Any) -> str:
    output = world.ask(f"Create{walk.noun}", **walk.request(name), **more)
    assert_shaped(f"Create{walk.noun}", output)
    arn: str = output[walk.arn]
    return arn


def names(world: World, walk: Walk, **request: Any) -> list[str]:
    output = world.ask(walk.lists, **request)
    assert_shaped(walk.lists, output)
    return [row[walk.name] for row in output[walk.summaries]]


@EVERY
def test_a_created_resource_is_described_with_all_that_was_asked_for(walk: Walk) -> None:
    world = World()
    arn = created(world, walk, "My-Thing", Tags=[{"Key": "team", "Value": "tea"}])
    assert arn.endswith("/my-thing")
    told = world.ask(f"Describe{walk.noun}", **{walk.name: "My-Thing"})
    assert_shaped(f"Describe{walk.noun}", told)
    asked = walk.request("My-Thing")
    asked.pop("ClientRequestToken", None)
    assert_echoed(asked, told)
    assert told[walk.arn] == arn
    assert told["CreationTime"] == world.now - 1
    assert "Tags" not in told
    assert not [member for member in told if member.startswith("_")]


@EVERY
def test_names_are_looked_up_without_case(walk: Walk) -> None:
    world = World()
    arn = created(world, walk, "My-Thing")
    assert world.ask(f"Describe{walk.noun}", **{walk.name: "mY-tHING"})[walk.arn] == arn


@EVERY
def test_a_name_is_taken_once_whatever_its_case(walk: Walk) -> None:
    world = World()
    created(world, walk, "My-Thing")
    request = walk.request("my-thing")
    if "ClientRequestToken" in request:
        request["ClientRequestToken"] = "1" * 32
    with pytest.raises((Invalid, InUse), match=r"(?i)already exist"):
        world.ask(f"Create{walk.noun}", **request)


@EVERY
def test_what_does_not_exist_is_a_client_error(walk: Walk) -> None:
    world = World()
    with pytest.raises((Invalid, NotFound)):
        world.ask(f"Describe{walk.noun}", **{walk.name: "nothing"})
    if walk.deletes:
        token = {"ClientRequestToken": "2" * 32} if walk.noun == "Pipeline" else {}
        with pytest.raises((Invalid, NotFound)):
            world.ask(walk.deletes, **{walk.name: "nothing"}, **token)


@EVERY
def test_a_list_paged_at_any_size_equals_the_list(walk: Walk) -> None:
    world = World()
    for number in range(7):
        created(world, walk, f"Thing-{number}")
    for order in ("Ascending", "Descending"):
        for sort_by in ("Name", "CreationTime"):
            asked = {"SortBy": sort_by, "SortOrder": order}
            whole = names(world, walk, MaxResults=100, **asked)
            assert whole == sorted(whole, key=str.lower, reverse=order == "Descending") or sort_by == "CreationTime"
            for size in (1, 3, 8):
                paged: list[str] = []
                token: dict[str, str] = {}
                while True:
                    output = world.ask(walk.lists, MaxResults=size, **asked, **token)
                    paged += [row[walk.name] for row in output[walk.summaries]]
                    if "NextToken" not in output:
                        break
                    token = {"NextToken": output["NextToken"]}
                assert paged == whole


@EVERY
def test_lists_are_filtered_by_every_member_the_model_declares(walk: Walk) -> None:
    world = World()
    before = world.now + 1
    created(world, walk, "Alpha")
    created(world, walk, "Beta")
    after = world.now
    shape = MODEL.operation_model(walk.lists).input_shape
    answers = {
        "NameContains": ("ALPH", ["Alpha"]),
        "PipelineNamePrefix": ("Be", ["Beta"]),
        "StatusEquals": (walk.status, ["Alpha", "Beta"]),
        "CreationTimeAfter": (after, ["Beta"]),
        "CreatedAfter": (after, ["Beta"]),
        "LastModifiedTimeAfter": (after, ["Beta"]),
        "MaxResults": (1, None),
        "WarmPoolStatusEquals": ("InUse", []),
        "TrainingPlanArnEquals": ("arn:aws:sagemaker:us-east-1:123456789012:training-plan/planned", []),
        "CrossAccountFilterOption": ("CrossAccount", []),
        "ModelApprovalStatus": ("Approved", []),
        "ModelPackageType": ("Versioned", []),
        "ModelPackageGroupName": ("the-group", []),
        "ManagedBy": ("AWS", []),
    }
    bounds = {"CreationTimeBefore", "CreatedBefore", "LastModifiedTimeBefore"}
    order = {"SortBy", "SortOrder", "NextToken"}
    for member in shape.members:
        if member in order:
            continue
        if member in bounds:
            found = [name for name in names(world, walk, **{member: before}) if name in {"Alpha", "Beta"}]
            assert (member, found) == (member, ["Alpha"])
            continue
        value, expected = answers[member]
        found = names(world, walk, **{member: value})
        if expected is not None:
            assert (member, sorted(found)) == (member, expected)
    for sort_by in shape.members["SortBy"].enum:
        names(world, walk, SortBy=sort_by)


@EVERY
def test_tags_travel_beside_the_document(walk: Walk) -> None:
    world = World()
    arn = created(world, walk, "My-Thing", Tags=[{"Key": "team", "Value": "tea"}])
    assert world.ask("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "tea"}]
    world.ask("AddTags", ResourceArn=arn, Tags=[{"Key": "cost", "Value": "1"}])
    world.ask("DeleteTags", ResourceArn=arn, TagKeys=["team"])
    assert world.ask("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "cost", "Value": "1"}]


@EVERY
def test_a_resource_is_its_accounts_and_regions_own(walk: Walk) -> None:
    world = World()
    arn = created(world, walk, "My-Thing")
    assert arn.split(":")[3:5] == ["us-east-1", "123456789012"]


@DELETED_AT_ONCE
def test_a_deleted_resource_is_gone_with_its_tags_and_its_name_is_free(walk: Walk) -> None:
    world = World()
    arn = created(world, walk, "My-Thing", Tags=[{"Key": "team", "Value": "tea"}])
    token = {"ClientRequestToken": "2" * 32} if walk.noun == "Pipeline" else {}
    world.ask(walk.deletes, **{walk.name: "my-thing"}, **token)
    with pytest.raises(SagehouseError):
        world.ask(f"Describe{walk.noun}", **{walk.name: "My-Thing"})
    with pytest.raises(SagehouseError):
        world.ask("ListTags", ResourceArn=arn)
    created(world, walk, "My-Thing")
    assert world.ask("ListTags", ResourceArn=arn)["Tags"] == []
