"""Amazon Resource Names, read and written."""

from dataclasses import dataclass
from typing import Self

from sagehouse.kit.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Arn:
    """`arn:partition:service:region:account:resource`; region and account may be empty (S3, IAM)."""

    partition: str = "aws"
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the ARN that `text` spells; Invalid if it spells none."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[2] or not parts[5]:
            raise Invalid(f"Invalid ARN {text!r}: expected arn:partition:service:region:account:resource.")
        return cls(partition=parts[1], service=parts[2], region=parts[3], account=parts[4], resource=parts[5])


def is_arn(text: str) -> bool:
    """Whether a member that takes a name or an ARN holds an ARN."""
    return text.startswith("arn:")
