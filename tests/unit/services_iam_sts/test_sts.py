"""Who calls, and credentials that lead back to an account and a role."""

import asyncio
import base64
import json

import pytest
from tests.fakes.house import ACCOUNT, a_call, a_house

from sagehouse.domain.access_keys import account_of
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.services import iam, sts

ROLE = "arn:aws:iam::999999999999:role/team/Trainer"


def a_bound_house() -> House:
    async def dispatch(call: Call, request: Document) -> Document:
        return await iam.OPERATIONS[call.operation](house, call, request)

    house = a_house(dispatch=dispatch)
    return house


def signed_by(access_key: str) -> dict[str, str]:
    return {"authorization": f"AWS4-HMAC-SHA256 Credential={access_key}/20260101/us-east-1/sts/aws4_request, Signed"}


def ask(house: House, operation: str, request: Document, **call: object) -> Document:
    return asyncio.run(sts.OPERATIONS[operation](house, a_call(operation, service="sts", **call), request))


def test_an_ordinary_caller_is_an_assumed_role() -> None:
    identity = ask(a_bound_house(), "GetCallerIdentity", {})
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/SageMakerRole/session"
    assert identity["Account"] == ACCOUNT
    assert identity["UserId"].endswith(":session")


def test_credentials_of_an_assumed_role_lead_back_to_its_account_and_session() -> None:
    house = a_bound_house()
    output = ask(house, "AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "nightly", "DurationSeconds": 900})
    credentials = output["Credentials"]
    assert credentials["Expiration"] == 1900.0
    assert account_of(credentials["AccessKeyId"]) == "999999999999"
    assert output["AssumedRoleUser"]["Arn"] == "arn:aws:sts::999999999999:assumed-role/Trainer/nightly"
    headers = signed_by(credentials["AccessKeyId"])
    identity = ask(house, "GetCallerIdentity", {}, headers=headers)
    assert identity["Arn"] == output["AssumedRoleUser"]["Arn"]
    assert identity["UserId"] == output["AssumedRoleUser"]["AssumedRoleId"]
    with pytest.raises(Invalid, match="expired"):
        ask(house, "GetCallerIdentity", {}, headers=headers, now=2000.0)


def test_an_assumed_role_exists_afterwards() -> None:
    house = a_bound_house()
    ask(house, "AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "nightly"})
    call = a_call("GetRole", service="iam", account="999999999999")
    role = asyncio.run(iam.OPERATIONS["GetRole"](house, call, {"RoleName": "Trainer"}))["Role"]
    assert role["Arn"] == ROLE


def test_a_session_token_is_of_the_caller_and_two_are_never_the_same() -> None:
    house = a_bound_house()
    first = ask(house, "GetSessionToken", {})["Credentials"]
    second = ask(house, "GetSessionToken", {})["Credentials"]
    assert first["AccessKeyId"] != second["AccessKeyId"]
    assert len(first["AccessKeyId"]) >= 16
    assert ask(house, "GetAccessKeyInfo", {"AccessKeyId": first["AccessKeyId"]}) == {"Account": ACCOUNT}


def test_a_web_identity_is_told_by_its_claims() -> None:
    payload = base64.urlsafe_b64encode(json.dumps({"sub": "job-7", "aud": "sts", "iss": "https://ci"}).encode())
    request = {"RoleArn": ROLE, "RoleSessionName": "ci", "WebIdentityToken": f"x.{payload.decode().rstrip('=')}.y"}
    output = ask(a_bound_house(), "AssumeRoleWithWebIdentity", request)
    assert (output["SubjectFromWebIdentityToken"], output["Audience"], output["Provider"]) == (
        "job-7",
        "sts",
        "https://ci",
    )
    with pytest.raises(Invalid, match="not a JSON web token"):
        ask(a_bound_house(), "AssumeRoleWithWebIdentity", {**request, "WebIdentityToken": "abcd"})


def test_what_is_no_role_cannot_be_assumed() -> None:
    with pytest.raises(Invalid, match="not the ARN of a role"):
        ask(a_bound_house(), "AssumeRole", {"RoleArn": "arn:aws:s3:::bucket/key", "RoleSessionName": "x"})
