"""What becomes of members that a table of members speaks of, and of those it has never heard of."""

from typing import Any

import pytest

from sagehouse.kit.errors import Invalid
from sagehouse.services.sagemaker.members import Members

TABLE = Members(
    operation="CreateThing",
    honoured=frozenset({"Name", "Channels[].Name", "Channels[].Source.Uri", "Tags"}),
    refused={"Channels[].Source.Disk": "give a Uri.", "Mode": "leave it out.", "Name=pipe": "use file."},
    not_honoured={"Key.Id": "Nothing is encrypted."},
)


@pytest.mark.parametrize(
    "request_document",
    [
        {"Name": "a", "Channels": [{"Name": "b", "Source": {"Uri": "s3://b"}}], "Tags": [{"Key": "k", "Value": "v"}]},
        {"Name": "a", "Mode": "", "Key": {"Id": "x"}, "Channels": []},
        {"Name": "a", "New": None, "Newer": {}, "Newest": False},
    ],
)
def test_what_is_honoured_or_said_to_have_no_effect_is_let_in(request_document: dict[str, Any]) -> None:
    TABLE.refuse(request_document)


@pytest.mark.parametrize(
    ("request_document", "said"),
    [
        ({"Mode": "x"}, "CreateThing: sagehouse does not implement Mode: leave it out."),
        ({"Name": "pipe"}, "CreateThing: sagehouse does not implement Name pipe: use file."),
        ({"Channels": [{"Source": {"Disk": "d"}}]}, "does not implement Channels[].Source.Disk: give a Uri."),
        ({"Name": "a", "New": 1}, "CreateThing: sagehouse does not implement New; leave it out."),
        ({"Channels": [{"Name": "b"}, {"Name": "c", "New": "x"}]}, "does not implement Channels[].New; leave it out."),
        ({"Key": {"Id": "x", "Algorithm": "y"}}, "does not implement Key.Algorithm; leave it out."),
    ],
)
def test_what_is_refused_or_unheard_of_is_named(request_document: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        TABLE.refuse(request_document)
    assert said in refused.value.message
