"""Lists of an invented kind by every member List requests share."""

import asyncio
from typing import Any

import pytest
from tests.fakes.house import a_call, a_house

from sagehouse.domain.lifecycle import TRAINING_JOB
from sagehouse.kit.errors import Invalid
from sagehouse.ports.house import House
from sagehouse.resources import Kind, create, list_page

KETTLE = Kind(
    name="Kettle",
    name_member="KettleName",
    arn_member="KettleArn",
    arn_resource="tea-kettle/{name}",
    summaries_member="Kettles",
    lifecycle=TRAINING_JOB,
    first_status="InProgress",
    filters={"ColourEquals": "Colour"},
)


def furnished() -> House:
    house = a_house()
    for n, name in enumerate(["Big", "small", "Bigger", "tiny"]):
        request = {"KettleName": name, "Colour": ("red", "blue")[n % 2]}
        asyncio.run(create(house, a_call(now=float(n)), KETTLE, request, parent=("Kitchen", "")[n % 2]))
    return house


def names(house: House, request: dict[str, Any], **more: Any) -> list[str]:
    output = asyncio.run(list_page(house, a_call("ListKettles"), KETTLE, request, **more))
    return [row["KettleName"] for row in output["Kettles"]]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({}, ["tiny", "Bigger", "small", "Big"]),
        ({"SortOrder": "Ascending"}, ["Big", "small", "Bigger", "tiny"]),
        ({"SortBy": "Name", "SortOrder": "Ascending"}, ["Big", "Bigger", "small", "tiny"]),
        ({"SortBy": "KettleArn"}, ["tiny", "small", "Bigger", "Big"]),
        ({"NameContains": "BIG"}, ["Bigger", "Big"]),
        ({"KettleNamePrefix": "ti"}, ["tiny"]),
        ({"CreationTimeAfter": 1.0, "CreationTimeBefore": 2.0}, ["Bigger", "small"]),
        ({"CreatedAfter": 3.0}, ["tiny"]),
        ({"LastModifiedTimeBefore": 0.0}, ["Big"]),
        ({"StatusEquals": "Failed"}, []),
        ({"ColourEquals": "red"}, ["Bigger", "Big"]),
        ({"MaxResults": 3}, ["tiny", "Bigger", "small"]),
        ({"NextToken": ""}, ["tiny", "Bigger", "small", "Big"]),
    ],
)
def test_every_shared_member_is_honoured(request_: dict[str, Any], expected: list[str]) -> None:
    assert names(furnished(), request_) == expected


def test_the_caller_may_restrict_by_parent_and_by_members() -> None:
    house = furnished()
    assert names(house, {}, parent="kitchen") == ["Bigger", "Big"]
    assert names(house, {"Other": 1}, equals={"Colour": "blue"}, handled=["Other"]) == ["tiny", "small"]


def test_a_member_nobody_honours_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match="ListKettles: sagehouse does not implement the member Material"):
        names(furnished(), {"Material": "steel"})
    with pytest.raises(Invalid, match="SortBy 'Material'"):
        names(furnished(), {"SortBy": "Material"})


def test_the_token_leads_through_the_whole_list_and_is_absent_at_its_end() -> None:
    house = furnished()
    seen: list[str] = []
    request: dict[str, Any] = {"MaxResults": 3}
    while True:
        output = asyncio.run(list_page(house, a_call("ListKettles"), KETTLE, request))
        seen += [row["KettleName"] for row in output["Kettles"]]
        if "NextToken" not in output:
            break
        request = {**request, "NextToken": output["NextToken"]}
    assert seen == names(house, {})


def test_an_empty_list_is_a_list() -> None:
    assert asyncio.run(list_page(a_house(), a_call(), KETTLE, {})) == {"Kettles": []}
