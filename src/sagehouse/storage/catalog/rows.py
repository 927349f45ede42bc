"""Documents to text and rows to `Stored`."""

import json
from typing import Any

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.ports.catalog import Key, Stored

COLUMNS = "account, region, kind, name, arn, document, status, parent, version, created_at, modified_at"


def to_text(arn: str, document: Document) -> str:
    """Return the JSON text of a document, ASCII only; Invalid if it holds what JSON cannot."""
    try:
        return json.dumps(document, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise Invalid(f"The document of {arn} is not JSON: {error}.") from error


def to_stored(row: tuple[Any, ...]) -> Stored:
    """Return the resource of a row of COLUMNS."""
    account, region, kind, name, arn, document, status, parent, version, created_at, modified_at = row
    return Stored(
        key=Key(account=account, region=region, kind=kind, name=name),
        arn=arn,
        document=json.loads(document),
        status=status,
        parent=parent,
        version=version,
        created_at=created_at,
        modified_at=modified_at,
    )
