"""A `Query` to SQL with keyset pagination: a page costs the same however deep it lies."""

import base64
import json
import re
from collections.abc import Sequence
from typing import Any

from sagehouse.kit.errors import Invalid
from sagehouse.kit.json_text import read_json
from sagehouse.kit.page import Page
from sagehouse.ports.catalog import Query, Stored
from sagehouse.storage.catalog.rows import COLUMNS, to_list

Parameter = str | float | int

_MEMBER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def page_sql(query: Query) -> tuple[str, list[Parameter]]:
    """Return the statement for a page and one row more, which tells whether another page follows."""
    where, parameters = _where(query)
    comparison, direction = ("<", "DESC") if query.descending else (">", "ASC")
    column = "name_key" if query.sort_by == "name" else query.sort_by
    if query.token is not None:
        value, name_key = _read_token(query)
        where += f" AND ({column}, name_key) {comparison} (?, ?)"
        parameters += [value, name_key]
    order = f"name_key {direction}" if column == "name_key" else f"{column} {direction}, name_key {direction}"
    # Only words of this module are formatted in; every value is a parameter.
    columns, paths = _columns(query)
    statement = f"SELECT {columns} FROM resources WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608
    return statement, [*paths, *parameters, query.limit + 1]


def count_sql(query: Query) -> tuple[str, list[Parameter]]:
    """Return the statement that counts what matches."""
    where, parameters = _where(query)
    return f"SELECT COUNT(*) FROM resources WHERE {where}", parameters  # noqa: S608 - see page_sql


def to_page(query: Query, rows: Sequence[tuple[Any, ...]]) -> Page[Stored]:
    """Return the page that the rows of `page_sql` make."""
    more = len(rows) > query.limit > 0
    items = to_list(rows[: query.limit], members=query.members)
    return Page(items=items, next_token=_write_token(query, items[-1]) if more else None)


def _columns(query: Query) -> tuple[str, list[Parameter]]:
    """Return the columns and the paths they ask for; of a document only the wanted members, as a JSON array."""
    if not query.members:
        return COLUMNS, []
    paths = [_path(member) for member in query.members]
    paths.append(paths[0])  # of a single path json_extract makes no array
    marks = ", ".join("?" * len(paths))  # PostgreSQL: jsonb_build_array(document -> member, ...)
    return COLUMNS.replace("document", f"json_extract(document, {marks})"), list(paths)


def _path(member: str) -> str:
    if not _MEMBER.fullmatch(member):
        raise Invalid(f"{member!r} is not the name of a document's member.")
    return f"$.{member}"


def _where(query: Query) -> tuple[str, list[Parameter]]:
    clauses = ["account = ?", "region = ?", "kind = ?"]
    parameters: list[Parameter] = [query.account, query.region, query.kind]
    simple: tuple[tuple[str, Parameter | None], ...] = (
        ("parent = ?", None if query.parent is None else query.parent.lower()),
        ("status = ?", query.status),
        ("created_at >= ?", query.created_after),
        ("created_at <= ?", query.created_before),
        ("modified_at >= ?", query.modified_after),
        ("modified_at <= ?", query.modified_before),
        ("name_key LIKE ? ESCAPE '!'", _pattern("%", query.name_contains)),
        ("name_key LIKE ? ESCAPE '!'", _pattern("", query.name_prefix)),
    )
    for clause, value in simple:
        if value is not None:
            clauses.append(clause)
            parameters.append(value)
    for member, wanted in query.equals.items():
        clauses.append("json_extract(document, ?) = ?")  # PostgreSQL: document ->> member
        parameters += [_path(member), wanted]
    return " AND ".join(clauses), parameters


def _pattern(before: str, wanted: str | None) -> str | None:
    if not wanted:
        return None
    return before + re.sub(r"([!%_])", r"!\1", wanted.lower()) + "%"


def _write_token(query: Query, last: Stored) -> str:
    name_key = last.key.name.lower()
    value = name_key if query.sort_by == "name" else getattr(last, query.sort_by)
    text = json.dumps([query.kind, query.sort_by, query.descending, value, name_key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read_token(query: Query) -> tuple[Parameter, str]:
    try:
        parts = read_json(base64.urlsafe_b64decode(query.token or ""))
    except ValueError:
        parts = None
    if not isinstance(parts, list) or len(parts) != 5:
        raise Invalid(f"Invalid pagination token {query.token!r}: it was not issued here.")
    kind, sort_by, descending, value, name_key = parts
    is_number = sort_by in {"created_at", "modified_at"}
    if not isinstance(name_key, str) or not isinstance(value, (int, float) if is_number else str):
        raise Invalid(f"Invalid pagination token {query.token!r}: it was not issued here.")
    if (kind, sort_by, descending) != (query.kind, query.sort_by, query.descending):
        raise Invalid(f"Invalid pagination token {query.token!r}: it belongs to another list or order.")
    return value, name_key
