"""Tags by ARN."""

import asyncio
from typing import Any

import pytest
from tests.fakes.house import a_call, a_house

from sagehouse.kit.errors import Invalid, LimitExceeded
from sagehouse.ports.house import House
from sagehouse.resources import Kind, create
from sagehouse.resources.tagging import add_tags, delete_tags, list_tags

KETTLE = Kind(
    name="Kettle",
    name_member="KettleName",
    arn_member="KettleArn",
    arn_resource="tea-kettle/{name}",
    summaries_member="",
)
ARN = "arn:aws:sagemaker:us-east-1:123456789012:tea-kettle/big"


def furnished(count: int) -> House:
    house = a_house()
    tags = [{"Key": f"k{n}", "Value": str(n)} for n in range(count)]
    asyncio.run(create(house, a_call(), KETTLE, {"KettleName": "Big", "Tags": tags}))
    return house


def ask(operation: Any, house: House, **request: Any) -> Any:
    return asyncio.run(operation(house, a_call(), {"ResourceArn": ARN, **request}))


def test_tags_are_added_overwritten_listed_and_taken_off() -> None:
    house = furnished(2)
    added = ask(add_tags, house, Tags=[{"Key": "k0", "Value": "new"}, {"Key": "z", "Value": ""}])
    expected = [{"Key": "k0", "Value": "new"}, {"Key": "k1", "Value": "1"}, {"Key": "z", "Value": ""}]
    assert added == {"Tags": expected}
    assert ask(list_tags, house) == {"Tags": expected}
    assert ask(delete_tags, house, TagKeys=["k1", "absent"]) == {}
    assert ask(list_tags, house)["Tags"] == [expected[0], expected[2]]


def test_pages_of_tags_add_up_to_all_of_them() -> None:
    house = furnished(7)
    seen: list[Any] = []
    token: dict[str, str] = {}
    while True:
        page = ask(list_tags, house, MaxResults=3, **token)
        seen += page["Tags"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == ask(list_tags, house)["Tags"]
    assert len(seen) == 7


def test_a_resource_has_fifty_tags_at_most() -> None:
    house = furnished(49)
    ask(add_tags, house, Tags=[{"Key": "k0", "Value": "again"}, {"Key": "fiftieth", "Value": ""}])
    with pytest.raises(LimitExceeded, match="50 tags"):
        ask(add_tags, house, Tags=[{"Key": "one too many", "Value": ""}])


@pytest.mark.parametrize("arn", [ARN + "ger", "kettle", ARN.replace("us-east-1", "eu-west-1")])
def test_an_unknown_or_foreign_arn_is_refused(arn: str) -> None:
    house = furnished(1)
    for operation, more in ((add_tags, {"Tags": []}), (list_tags, {}), (delete_tags, {"TagKeys": ["a"]})):
        with pytest.raises(Invalid):
            asyncio.run(operation(house, a_call(), {"ResourceArn": arn, **more}))


def test_tags_of_another_region_or_account_are_out_of_reach() -> None:
    house = furnished(1)
    for call in (a_call(region="eu-west-1"), a_call(account="000000000001")):
        with pytest.raises(Invalid, match='Could not find tea kettle "arn'):
            asyncio.run(list_tags(house, call, {"ResourceArn": ARN}))


@pytest.mark.parametrize("token", ["nonsense", "ü", "NTU1NQ=="])
def test_a_foreign_token_is_refused(token: str) -> None:
    with pytest.raises(Invalid, match="token"):
        ask(list_tags, furnished(1), NextToken=token)


def test_reserved_keys_are_refused() -> None:
    house = furnished(1)
    with pytest.raises(Invalid, match="aws:"):
        ask(add_tags, house, Tags=[{"Key": "AWS:mine", "Value": ""}])
    with pytest.raises(Invalid, match="aws:"):
        ask(delete_tags, house, TagKeys=["aws:theirs"])
