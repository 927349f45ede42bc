"""What the operations on log groups share: names and ARNs, times in milliseconds, tokens, refusals."""

import base64
import json
from typing import Any

from sagehouse.kit.arn import Arn, is_arn
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.kit.json_text import read_json
from sagehouse.ports.call import Call
from sagehouse.ports.streams import Scope

DAY_MS = 86_400_000


def scope_of(call: Call) -> Scope:
    return Scope(account=call.account, region=call.region)


def now_ms(call: Call) -> int:
    return int(call.now * 1000)


def group_arn(call: Call, group: str) -> str:
    """Return the ARN without the closing ":*"."""
    return str(Arn(service="logs", region=call.region, account=call.account, resource=f"log-group:{group}"))


def group_of(request: Document) -> str:
    """Return the group a request names by logGroupName or by logGroupIdentifier, a name or an ARN."""
    name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise invalid("Exactly one of logGroupName and logGroupIdentifier must be specified.")
    return str(name) if identifier is None else group_named(identifier)


def group_named(identifier: str) -> str:
    """Return the name in a group's ARN, or the name itself."""
    if not is_arn(identifier):
        return identifier
    kind, _, name = Arn.parse(identifier).resource.partition(":")
    if kind != "log-group" or not name:
        raise invalid(f"{identifier} is not the ARN of a log group.")
    return name.removesuffix(":*")


def write_token(*parts: Any) -> str:
    """Return an opaque token that holds the parts."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def read_token(token: str | None, *kinds: type) -> list[Any] | None:
    """Return the parts of a token of ours, None for no token; Invalid if it is not one of these kinds of parts."""
    if token is None:
        return None
    try:
        parts = read_json(base64.urlsafe_b64decode(token.encode()))
    except ValueError:
        parts = None
    if not isinstance(parts, list) or [type(part) for part in parts] != list(kinds):
        raise invalid("The specified nextToken is invalid.")
    return parts


def invalid(message: str) -> Invalid:
    return Invalid(message, code="InvalidParameterException")


def refuse(request: Document, *members: str) -> None:
    """Refuse members that ask for what is not available here."""
    for member in members:
        if request.get(member):
            raise invalid(f"{member} {request[member]!r} is not available here; leave it out.")
