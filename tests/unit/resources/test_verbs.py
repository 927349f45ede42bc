"""The five verbs, over an invented kind."""

import asyncio
from typing import Any

import pytest
from tests.fakes.house import WakeRecorder, a_call, a_house

from sagehouse.domain.lifecycle import TRAINING_JOB
from sagehouse.kit.errors import Conflict, Invalid, LimitExceeded
from sagehouse.ports.catalog import Replace
from sagehouse.resources import Kind, amend, create, delete, describe, load, move, update


def a_kind(**more: Any) -> Kind:
    return Kind(
        **{
            "name": "Kettle",
            "name_member": "KettleName",
            "arn_member": "KettleArn",
            "arn_resource": "tea-kettle/{name}",
            "summaries_member": "Kettles",
            **more,
        }
    )


KETTLE = a_kind()
BOILER = a_kind(name="Boiler", lifecycle=TRAINING_JOB, first_status="InProgress", modified_member="")
ARN = "arn:aws:sagemaker:us-east-1:123456789012:tea-kettle/big"


def test_a_created_resource_is_described_as_it_was_asked_for_without_its_tags() -> None:
    house = a_house()
    request = {"KettleName": "Big", "Litres": 2, "Tags": [{"Key": "room", "Value": "kitchen"}]}

    async def scenario() -> None:
        stored = await create(house, a_call("CreateKettle"), KETTLE, request)
        assert (stored.arn, stored.key.name, stored.status, stored.parent) == (ARN, "Big", "", "")
        assert await describe(house, a_call(now=2000.0), KETTLE, {"KettleName": "bIG"}) == {
            "KettleName": "Big",
            "KettleArn": ARN,
            "Litres": 2,
            "CreationTime": 1000.0,
            "LastModifiedTime": 1000.0,
        }
        assert await house.catalog.tags(ARN) == {"room": "kitchen"}
        assert [(line.who.split("/")[1], line.why) for line in await house.catalog.story(ARN)] == [
            ("SageMakerRole", "CreateKettle")
        ]

    asyncio.run(scenario())
    assert house.wake.keys == []


def test_a_kind_with_a_lifecycle_begins_in_its_first_status_and_wakes_its_controller() -> None:
    house = a_house()
    stored = asyncio.run(create(house, a_call(), BOILER, {"KettleName": "Big"}))
    assert stored.status == "InProgress"
    assert stored.document == {
        "KettleName": "Big",
        "KettleArn": ARN,
        "CreationTime": 1000.0,
        "TrainingJobStatus": "InProgress",
    }
    assert house.wake.keys == [stored.key]


def test_the_hooks_prepare_check_and_present() -> None:
    def check(_call: Any, request: Any) -> None:
        if request["Litres"] > 3:
            raise Invalid("too big")

    kind = a_kind(
        check=check,
        prepare=lambda _call, document: {"Colour": "red", "_Secret": 1, **document},
        present=lambda _call, document: {**document, "Seen": document["_Secret"]},
    )
    house = a_house()
    with pytest.raises(Invalid, match="too big"):
        asyncio.run(create(house, a_call(), kind, {"KettleName": "Big", "Litres": 4}))
    asyncio.run(create(house, a_call(), kind, {"KettleName": "Big", "Litres": 1}))
    described = asyncio.run(describe(house, a_call(), kind, {"KettleName": "Big"}))
    assert (described["Colour"], described["Seen"], "_Secret" in described) == ("red", 1, False)


def test_a_taken_name_is_refused_in_the_kinds_own_words() -> None:
    house = a_house()
    asyncio.run(create(house, a_call(), KETTLE, {"KettleName": "Big"}))
    with pytest.raises(Invalid) as error:
        asyncio.run(create(house, a_call(), KETTLE, {"KettleName": "BIG"}))
    assert error.value.message == f'Cannot create already existing tea kettle "{ARN}".'


def test_a_resource_is_loaded_by_name_or_arn_only_by_its_own_account_and_region_and_kind() -> None:
    house = a_house()
    stored = asyncio.run(create(house, a_call(), KETTLE, {"KettleName": "Big"}))
    assert asyncio.run(load(house, a_call(), KETTLE, ARN.upper().replace("ARN:", "arn:", 1))) == stored
    for call, kind, name in (
        (a_call(), KETTLE, "small"),
        (a_call(account="000000000001"), KETTLE, ARN),
        (a_call(region="eu-west-1"), KETTLE, ARN),
        (a_call(), BOILER, ARN),
    ):
        with pytest.raises(Invalid, match=r"^Could not find tea kettle "):
            asyncio.run(load(house, call, kind, name))


def test_an_update_of_a_stale_copy_is_a_conflict_and_an_amendment_decides_anew() -> None:
    house = a_house()

    async def scenario() -> None:
        stale = await create(house, a_call(), KETTLE, {"KettleName": "Big", "Boiled": 0})
        after = await update(house, a_call(now=1001.0), stale, KETTLE, {**stale.document, "Boiled": 1})
        assert (after.version, after.document["LastModifiedTime"]) == (2, 1001.0)
        with pytest.raises(Conflict):
            await update(house, a_call(), stale, KETTLE, stale.document)

        async def boil() -> None:
            await amend(
                house, a_call(), KETTLE, "Big", lambda one: {**one.document, "Boiled": one.document["Boiled"] + 1}
            )

        await asyncio.gather(*(boil() for _ in range(5)))
        assert (await load(house, a_call(), KETTLE, "Big")).document["Boiled"] == 6

    asyncio.run(scenario())


def test_a_move_writes_the_status_twice_and_wakes_and_an_illegal_one_tells_the_story() -> None:
    wake = WakeRecorder()
    house = a_house(wake=wake)

    async def scenario() -> None:
        await create(house, a_call(), BOILER, {"KettleName": "Big"})
        after = await move(house, a_call("StopKettle"), BOILER, "big", lambda one: one.document, to="Stopping")
        assert (after.status, after.document["TrainingJobStatus"]) == ("Stopping", "Stopping")
        await house.catalog.write(
            Replace(key=after.key, document={}, status="Failed", expect_version=2, now=3.0, why="burnt")
        )
        with pytest.raises(Conflict, match=r"is Failed and cannot become Stopping.*Stopping -> Failed: burnt"):
            await move(house, a_call(), BOILER, "big", lambda one: one.document, to="Stopping")

    asyncio.run(scenario())
    assert wake.names == ["Big", "Big"]


def test_deleting_needs_it_to_exist() -> None:
    house = a_house()
    asyncio.run(create(house, a_call(), KETTLE, {"KettleName": "Big"}))
    asyncio.run(delete(house, a_call(), KETTLE, "BIG"))
    with pytest.raises(Invalid, match="Could not find"):
        asyncio.run(delete(house, a_call(), KETTLE, "Big"))


@pytest.mark.parametrize(
    ("tags", "error"),
    [
        ([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], Invalid),
        ([{"Key": "aws:x", "Value": "1"}], Invalid),
        ([{"Key": str(n), "Value": ""} for n in range(51)], LimitExceeded),
    ],
)
def test_wrong_tags_refuse_the_whole_creation(tags: Any, error: type[Exception]) -> None:
    house = a_house()
    with pytest.raises(error):
        asyncio.run(create(house, a_call(), KETTLE, {"KettleName": "Big", "Tags": tags}))
    with pytest.raises(Invalid):
        asyncio.run(load(house, a_call(), KETTLE, "Big"))
