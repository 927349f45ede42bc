"""Whether SageMaker may act as the role that a request names, in AWS's words."""

from typing import Any

from sagehouse.kit.arn import Arn
from sagehouse.kit.errors import Invalid
from sagehouse.kit.json_text import read_json
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Key
from sagehouse.ports.house import House

_PRINCIPAL = "sagemaker.amazonaws.com"


async def require_role(house: House, call: Call, arn: str) -> None:
    """Invalid unless this is a role's ARN, and the role, if it was created here, trusts SageMaker.

    A role that was never created here is one that an unmodified program may name, of whatever account: nobody is
    authenticated on loopback, so roles gate nothing. Source: wire observations of CreateTrainingJob.
    """
    role = Arn.parse(arn)
    if role.service != "iam" or not role.resource.startswith("role/"):
        raise Invalid(f"Invalid role ARN {arn!r}: expected arn:aws:iam::account:role/name.")
    name = role.resource.rsplit("/", 1)[-1]
    stored = await house.catalog.get(Key(account=role.account or call.account, region="", kind="iam:Role", name=name))
    if stored is not None and not _is_trusting(stored.document.get("AssumeRolePolicyDocument", "")):
        raise Invalid(
            f"Could not assume role {arn}. Please ensure that the role exists and allows principal "
            f"'{_PRINCIPAL}' to assume the role."
        )


def _is_trusting(policy: str) -> bool:
    try:
        statements: Any = read_json(policy)["Statement"]
    except (ValueError, LookupError, TypeError):
        return False
    if isinstance(statements, dict):
        statements = [statements]
    return any(statement.get("Effect") == "Allow" and _names_us(statement) for statement in statements)


def _names_us(statement: Any) -> bool:
    principal = statement.get("Principal")
    if principal == "*":
        return True
    services = principal.get("Service") if isinstance(principal, dict) else None
    return _PRINCIPAL in ([services] if isinstance(services, str) else services or ())
