"""Temporary credentials. Nothing is refused on loopback; what a session was asked with is kept with it.

Session policies, tags, external ids and MFA codes are recorded and decide nothing while the house verifies no
signatures: then every caller may do everything.
"""

import base64
import binascii
from typing import Any

from sagehouse.domain.access_keys import issued_key
from sagehouse.kit.arn import Arn
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.kit.json_text import read_json
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Delete, Insert, Query
from sagehouse.ports.house import House
from sagehouse.services.sts.identity import SESSION, principal_of, session_key, unique_id

_DEFAULT_ROLE_S = 3_600
_DEFAULT_TOKEN_S = 43_200
_LONGEST_S = 129_600
"""Of any session. Source: STS API reference, GetSessionToken."""
_FORGOTTEN_AT_ONCE = 100
_KEY_SUFFIX = 8
_SECRET = 40


async def assume_role(house: House, call: Call, request: Document) -> Document:
    """Return credentials of a role's session; a role nobody made comes into being."""
    arn, user = await _session_of(house, call, request)
    output = {
        "Credentials": await _issue(house, call, arn, request, default_s=_DEFAULT_ROLE_S),
        "AssumedRoleUser": user,
        "PackedPolicySize": 0,
    }
    if "SourceIdentity" in request:
        output["SourceIdentity"] = request["SourceIdentity"]
    return output


async def assume_role_with_web_identity(house: House, call: Call, request: Document) -> Document:
    """Return credentials of a role's session to the holder of a web identity token, whose signature is not verified."""
    claims = _claims(request["WebIdentityToken"])
    arn, user = await _session_of(house, call, request)
    asked = {member: value for member, value in request.items() if member != "WebIdentityToken"}
    return {
        "Credentials": await _issue(house, call, arn, asked, default_s=_DEFAULT_ROLE_S),
        "AssumedRoleUser": user,
        "PackedPolicySize": 0,
        "SubjectFromWebIdentityToken": str(claims.get("sub", "")),
        "Audience": str(claims.get("aud", "")),
        "Provider": str(request.get("ProviderId") or claims.get("iss", "")),
    }


async def get_session_token(house: House, call: Call, request: Document) -> Document:
    """Return temporary credentials of the caller."""
    arn = await principal_of(house, call)
    return {"Credentials": await _issue(house, call, arn, request, default_s=_DEFAULT_TOKEN_S)}


async def _session_of(house: House, call: Call, request: Document) -> tuple[str, Document]:
    """Return the ARN of the session asked for, and how STS shows it."""
    role = Arn.parse(request["RoleArn"])
    if role.service != "iam" or not role.resource.startswith("role/"):
        raise Invalid(f"{request['RoleArn']} is not the ARN of a role: arn:aws:iam::123456789012:role/Name.")
    name = role.resource.rsplit("/", 1)[-1]
    await _ensure_role(house, call, role)
    arn = f"arn:{role.partition}:sts::{role.account}:assumed-role/{name}/{request['RoleSessionName']}"
    role_id = unique_id("AROA", f"arn:aws:iam::{role.account}:role/{name}")
    return arn, {"AssumedRoleId": f"{role_id}:{request['RoleSessionName']}", "Arn": arn}


async def _ensure_role(house: House, call: Call, role: Arn) -> None:
    """Let IAM hear the role's name: a role comes into being when a program names it."""
    simulation = Call(
        service="iam",
        operation="SimulatePrincipalPolicy",
        region=call.region,
        account=role.account,
        principal=call.principal,
        request_id=call.request_id,
        now=call.now,
    )
    await house.dispatch(simulation, {"PolicySourceArn": str(role), "ActionNames": ["sts:AssumeRole"]})


async def _issue(house: House, call: Call, principal: str, asked: Document, *, default_s: int) -> Document:
    duration_s = asked.get("DurationSeconds", default_s)
    if duration_s > _LONGEST_S:
        raise Invalid(f"DurationSeconds {duration_s} exceeds the longest session, {_LONGEST_S} seconds.")
    account = principal.split(":")[4]
    access_key = issued_key(account, house.ids.suffix(_KEY_SUFFIX))
    expires_at = call.now + duration_s
    await _forget_expired(house, call, account)
    await house.catalog.write(
        Insert(
            key=session_key(access_key),
            arn=f"{principal}#{access_key}",
            document={"Principal": principal, "Expiration": expires_at, "Asked": asked},
            now=call.now,
            who=call.principal,
            why=call.operation,
        )
    )
    return {
        "AccessKeyId": access_key,
        "SecretAccessKey": house.ids.suffix(_SECRET),
        "SessionToken": base64.b64encode(access_key.encode()).decode(),
        "Expiration": expires_at,
    }


async def _forget_expired(house: House, call: Call, account: str) -> None:
    """Delete sessions that no longer can be valid, a few at a time, so that they do not pile up."""
    query = Query(
        account=account,
        region="",
        kind=SESSION,
        created_before=call.now - _LONGEST_S,
        descending=False,
        limit=_FORGOTTEN_AT_ONCE,
    )
    stale = (await house.catalog.page(query)).items
    if stale:
        await house.catalog.write(*(Delete(key=stored.key, now=call.now) for stored in stale))


def _claims(token: str) -> dict[str, Any]:
    try:
        payload = token.split(".")[1]
        claims = read_json(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, binascii.Error):
        claims = None
    if not isinstance(claims, dict):
        raise Invalid("The web identity token that was passed is not a JSON web token.", code="InvalidIdentityToken")
    return claims
