"""Who holds a data directory, and what is believed of a house that is gone."""

import json
import os
from pathlib import Path

import boto3
import pytest

from sagehouse.activation import HOUSE_FILE, running_house
from sagehouse.app.card import Taken, hold, write_card, write_client_files
from sagehouse.app.config import Config


def card_of(home: Path) -> dict[str, str] | None:
    return running_house(home)


def test_a_house_runs_where_its_lock_is_held_and_its_card_lies(tmp_path: Path) -> None:
    assert card_of(tmp_path) is None
    with hold(tmp_path):
        assert card_of(tmp_path) is None, "it does not answer yet"
        write_card(Config(home=tmp_path, environments=tmp_path), url="http://127.0.0.1:1", port=1)
        card = card_of(tmp_path)
        assert card is not None
        assert card["url"] == "http://127.0.0.1:1"
    assert card_of(tmp_path) is None


def test_the_card_of_a_killed_house_is_not_believed_though_its_process_id_is_another_s_now(tmp_path: Path) -> None:
    """`up` said "A house is up already" after a `kill -9`: the process id on the card was a zombie's."""
    hold(tmp_path).close()
    (tmp_path / HOUSE_FILE).write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": os.getpid()}))
    assert card_of(tmp_path) is None
    with hold(tmp_path):
        assert not (tmp_path / HOUSE_FILE).exists(), "nobody may be sent to the old one while the new one starts"


def test_a_data_directory_has_one_house(tmp_path: Path) -> None:
    with hold(tmp_path):
        assert card_of(tmp_path) is None, "looking at the lock leaves it alone"
        with pytest.raises(Taken, match="Another house holds"):
            hold(tmp_path)
    hold(tmp_path).close()


def test_a_card_that_was_torn_is_none(tmp_path: Path) -> None:
    with hold(tmp_path):
        (tmp_path / HOUSE_FILE).write_text("{")
        assert card_of(tmp_path) is None


def test_the_profile_default_is_the_house_s_and_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3.Session(profile_name="default") passes over the environment's keys, and found no such profile."""
    config = Config(home=tmp_path, environments=tmp_path, account="111122223333", region="eu-west-1")
    write_client_files(config)
    with (tmp_path / "aws/credentials").open("a") as file:
        file.write("[mine]\naws_access_key_id = 444455556666\naws_secret_access_key = x\n")
    write_client_files(config)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws/config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws/credentials"))
    default, mine = (boto3.Session(profile_name=name) for name in ("default", "mine"))
    assert default.region_name == "eu-west-1"
    assert [one.get_credentials().access_key for one in (default, mine)] == ["111122223333", "444455556666"]
