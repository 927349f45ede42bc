"""Access keys that say whose they are: 12 digits are the account, issued ones hold it."""

import re

_ISSUED = re.compile(r"ASIA(\d{12})[A-Z0-9]+")
_ACCOUNT = re.compile(r"\d{12}")


def issued_key(account: str, suffix: str) -> str:
    """Return a temporary access key of an account: "ASIA", its 12 digits, and letters that make it unique."""
    return f"ASIA{account}{suffix.upper()}"


def account_of(access_key: str) -> str | None:
    """Return the account that an access key names, None if it names none."""
    if _ACCOUNT.fullmatch(access_key):
        return access_key
    issued = _ISSUED.fullmatch(access_key)
    return issued[1] if issued else None
