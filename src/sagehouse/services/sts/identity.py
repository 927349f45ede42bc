"""Who an access key belongs to."""

import base64
import hashlib
import re

from sagehouse.domain.access_keys import account_of
from sagehouse.kit.arn import Arn
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Key
from sagehouse.ports.house import House

SESSION = "sts:Session"
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/")


def session_key(access_key: str) -> Key:
    return Key(account=account_of(access_key) or "", region="", kind=SESSION, name=access_key)


def unique_id(prefix: str, arn: str) -> str:
    """Return the id that the holder of an ARN always has: "AROA" and 17 letters."""
    return prefix + base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:17]


async def principal_of(house: House, call: Call) -> str:
    """Return the ARN of the caller: the session whose credentials sign the request, else the one the gateway names."""
    found = _CREDENTIAL.search(call.headers.get("authorization", ""))
    stored = await house.catalog.get(session_key(found[1])) if found else None
    if stored is None:
        return call.principal
    if stored.document["Expiration"] <= call.now:
        raise Invalid("The security token included in the request is expired.", code="ExpiredToken")
    return str(stored.document["Principal"])


async def get_caller_identity(house: House, call: Call, _request: Document) -> Document:
    """Return account, ARN and id of the caller: always an assumed role, as the SDKs expect."""
    arn = await principal_of(house, call)
    parsed = Arn.parse(arn)
    _, role, session = parsed.resource.split("/", 2)
    role_id = unique_id("AROA", f"arn:aws:iam::{parsed.account}:role/{role}")
    return {"UserId": f"{role_id}:{session}", "Account": parsed.account, "Arn": arn}


async def get_access_key_info(_house: House, _call: Call, request: Document) -> Document:
    """Return the account that an access key names."""
    account = account_of(request["AccessKeyId"])
    if account is None:
        raise Invalid(f"The access key {request['AccessKeyId']!r} names no account; those issued here do.")
    return {"Account": account}
