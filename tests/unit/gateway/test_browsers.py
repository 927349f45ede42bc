"""Web pages of strangers, in the browser of whoever runs a house: refused. Programs, and pages of this machine: not."""

import pytest

from sagehouse.gateway.browsers import refuse_foreign_pages
from sagehouse.kit.errors import Denied
from sagehouse.wire.http import HttpRequest


def is_refused(method: str = "POST", query: str = "", **headers: str) -> bool:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        refuse_foreign_pages(HttpRequest(method=method, raw_path="/lab", query=query, headers=named))
    except Denied:
        return True
    return False


HERE = "127.0.0.1:5100"


@pytest.mark.parametrize(
    "host",
    [
        *("", "localhost", "LOCALHOST:5100", HERE, "[::1]:5100", "192.168.1.7:5100", "house", "lab.s3.localhost:5100"),
        *(
            "host.docker.internal:5100",
            "lab.s3.us-east-1.amazonaws.com",
            "sts.cn-north-1.amazonaws.com.cn",
            "x.api.aws",
        ),
    ],
)
def test_a_program_may_call_the_house_by_any_name_that_no_stranger_can_own(host: str) -> None:
    assert not is_refused(host=host)


@pytest.mark.parametrize(
    "host",
    ["evil.example.com:5100", "127.0.0.1.evil.com", "amazonaws.com.evil.com", "localhost.evil.com", "a b.c", "[::1"],
)
def test_a_page_cannot_reach_the_house_under_a_name_of_its_own(host: str) -> None:
    """DNS rebinding: to the browser the house is then of the page's own origin, and its answers can be read."""
    assert is_refused("GET", host=host)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.com", "http://evil.com:5100", "null", "", "https://evil.s3.amazonaws.com", "http://[2001:db8::1]"],
)
def test_a_form_of_a_foreign_page_changes_nothing(origin: str) -> None:
    """`POST /bucket?delete` and the forms of IAM are requests that a page may send without asking first."""
    assert is_refused(host=HERE, origin=origin)


@pytest.mark.parametrize(
    "origin", [f"http://{HERE}", "http://localhost:3000", "http://[::1]:8888", "https://app.localhost"]
)
def test_pages_served_on_this_machine_may_ask(origin: str) -> None:
    assert not is_refused(host=HERE, origin=origin, sec_fetch_site="cross-site")


def test_a_foreign_page_shows_nothing_of_the_house_but_links_to_objects_can_be_followed() -> None:
    assert is_refused("GET", host=HERE, sec_fetch_site="cross-site", sec_fetch_mode="no-cors")
    assert not is_refused("GET", host=HERE, sec_fetch_site="cross-site", sec_fetch_mode="navigate")
    assert not is_refused("GET", host=HERE, sec_fetch_site="none", sec_fetch_mode="navigate")
    iam = "Action=DeleteRole&RoleName=a&Version=2010-05-08"
    assert is_refused("GET", iam, host=HERE, sec_fetch_site="cross-site", sec_fetch_mode="navigate")
    assert is_refused("POST", host=HERE, sec_fetch_site="cross-site", sec_fetch_mode="navigate")
