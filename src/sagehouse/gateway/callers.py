"""Who calls: from an access key to an account and a principal. Signatures are not verified here."""

from dataclasses import dataclass
from typing import Protocol

from sagehouse.domain.access_keys import account_of

ACCOUNT = "123456789012"
ROLE = "SageMakerRole"
SESSION = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    account: str
    principal: str
    """ARN of an assumed role: the SDKs refuse to work as a user."""


class Callers(Protocol):
    def __call__(self, access_key: str | None) -> Caller:
        """Return who holds an access key; None is a request that is not signed."""
        ...


class AnyoneIsWelcome:
    """Every key is accepted: one that names an account belongs to it, any other to the default account."""

    def __init__(self, *, account: str = ACCOUNT) -> None:
        self._default = self._caller(account)

    def __call__(self, access_key: str | None) -> Caller:
        account = account_of(access_key) if access_key else None
        return self._caller(account) if account else self._default

    def _caller(self, account: str) -> Caller:
        return Caller(account=account, principal=f"arn:aws:sts::{account}:assumed-role/{ROLE}/{SESSION}")
