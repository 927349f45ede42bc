"""Documents to text and rows to `Stored`."""

import json
from collections.abc import Sequence
from typing import Any

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.ports.catalog import Key, Stored

COLUMNS = "account, region, kind, name, arn, document, status, parent, version, created_at, modified_at"
_DOCUMENT = COLUMNS.split(", ").index("document")


def to_text(arn: str, document: Document) -> str:
    """Return the JSON text of a document, ASCII only; Invalid if it holds what JSON cannot."""
    try:
        return json.dumps(document, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise Invalid(f"The document of {arn} is not JSON: {error}.") from error


def to_stored(row: tuple[Any, ...]) -> Stored:
    """Return the resource of a row of COLUMNS."""
    return _stored(row, json.loads(row[_DOCUMENT]))


def to_list(rows: Sequence[tuple[Any, ...]], *, members: Sequence[str] = ()) -> list[Stored]:
    """Return the resources of many rows, their documents parsed in one go: a fifth cheaper, names are shared.

    With `members` the document's column is an array of these members' values.
    """
    documents = json.loads(f"[{','.join([row[_DOCUMENT] for row in rows])}]")
    if members:
        documents = [
            {member: value for member, value in zip(members, values, strict=False) if value is not None}
            for values in documents
        ]
    return [_stored(row, document) for row, document in zip(rows, documents, strict=True)]


def _stored(row: tuple[Any, ...], document: Document) -> Stored:
    account, region, kind, name, arn, _, status, parent, version, created_at, modified_at = row
    return Stored(
        key=Key(account=account, region=region, kind=kind, name=name),
        arn=arn,
        document=document,
        status=status,
        parent=parent,
        version=version,
        created_at=created_at,
        modified_at=modified_at,
    )
