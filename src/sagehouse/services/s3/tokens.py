"""Continuation tokens: where a list goes on, opaque to the client. Pure."""

import base64
import binascii

from sagehouse.kit.errors import Invalid

_MARK = b"1:"


def write_token(last: str) -> str:
    return base64.urlsafe_b64encode(_MARK + last.encode()).decode("ascii")


def read_token(token: str) -> str:
    """Return what `write_token` was given; InvalidArgument for anything else."""
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        if raw.startswith(_MARK):
            return raw.removeprefix(_MARK).decode()
    except (binascii.Error, ValueError):
        pass
    raise Invalid(
        "The continuation token provided is incorrect",
        code="InvalidArgument",
        details={"ArgumentName": "continuation-token"},
    )
