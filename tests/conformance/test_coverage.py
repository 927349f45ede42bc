"""coverage.toml tells the truth: every operation of a bound service's model is bound, or listed as not bound."""

import tomllib
from pathlib import Path

import botocore
import botocore.session
import pytest

from sagehouse.app.bound import SERVICES

FILE = Path(__file__).resolve().parents[2] / "coverage.toml"
COVERAGE = tomllib.loads(FILE.read_text())
WRITTEN_FOR = COVERAGE.pop("botocore")
"""The service models grow with botocore: another version than this one may know operations more or fewer."""
LISTED = {service: set(table["not_bound"]) for service, table in COVERAGE.items()}
HINT = "run `python scripts/coverage.py`"


def test_every_bound_service_is_listed_and_no_other() -> None:
    assert LISTED.keys() == SERVICES.keys(), HINT


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_not_bound_is_listed_and_what_is_bound_is_not(service: str) -> None:
    model = set(botocore.session.get_session().get_service_model(service).operation_names)
    bound = set(SERVICES[service])
    assert bound - model == set(), "bound, but not in the service model"
    assert bound & LISTED[service] == set(), f"bound, but listed as not: {HINT}"
    if botocore.__version__ == WRITTEN_FOR:
        assert model - bound - LISTED[service] == set(), f"neither bound nor listed: {HINT}"
        assert LISTED[service] - model == set(), f"listed, but not in the service model: {HINT}"
