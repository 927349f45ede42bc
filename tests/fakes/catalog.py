"""A catalog in a dictionary: the whole contract of `ports.catalog`, nothing kept after the process."""

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from sagehouse.kit.errors import Conflict, Invalid, NotFound
from sagehouse.kit.page import Page
from sagehouse.ports.catalog import Change, Delete, DropTags, Insert, Key, PutTags, Query, Replace, Stored, StoryLine

Place = tuple[str, str, str, str]


def _place(key: Key) -> Place:
    return key.account, key.region, key.kind, key.name.lower()


@dataclass
class _Room:
    """Everything the catalog knows. Documents rest as JSON text, so that nobody shares a mutable one."""

    resources: dict[Place, tuple[Stored, str]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    story: dict[str, list[StoryLine]] = field(default_factory=dict)

    def copy(self) -> "_Room":
        return _Room(
            resources=dict(self.resources),
            tags={arn: dict(tags) for arn, tags in self.tags.items()},
            story={arn: list(lines) for arn, lines in self.story.items()},
        )


class FakeCatalog:
    """Writes take effect at once and together; `on_commit` hears the keys of each write."""

    def __init__(self, *, on_commit: Iterable[Callable[[Sequence[Key]], None]] = ()) -> None:
        self._room = _Room()
        self._on_commit = list(on_commit)

    async def get(self, key: Key) -> Stored | None:
        held = self._room.resources.get(_place(key))
        return None if held is None else _own_copy(*held)

    async def find(self, arn: str) -> Stored | None:
        for stored, text in self._room.resources.values():
            if stored.arn.lower() == arn.lower():
                return _own_copy(stored, text)
        return None

    async def write(self, *changes: Change) -> list[Stored]:
        room = self._room.copy()
        written: list[Stored] = []
        keys: list[Key] = []
        for change in changes:
            match change:
                case Insert():
                    written.append(_insert(room, change))
                    keys.append(change.key)
                case Replace():
                    written.append(_replace(room, change))
                    keys.append(written[-1].key)
                case Delete():
                    keys.append(_delete(room, change))
                case PutTags():
                    room.tags.setdefault(change.arn.lower(), {}).update(change.tags)
                case DropTags():
                    for tag_key in change.tag_keys:
                        room.tags.get(change.arn.lower(), {}).pop(tag_key, None)
        self._room = room
        if keys:
            for hear in self._on_commit:
                hear(keys)
        return written

    async def page(self, query: Query) -> Page[Stored]:
        rows = sorted(self._matching(query), key=lambda stored: _rank(query, stored), reverse=query.descending)
        if query.token is not None:
            after = _read_token(query)
            rows = [
                row for row in rows if (_rank(query, row) < after if query.descending else _rank(query, row) > after)
            ]
        items = [_with_members(row, query.members) for row in rows[: query.limit]]
        more = len(rows) > query.limit
        return Page(items=items, next_token=_write_token(query, items[-1]) if more and items else None)

    async def count(self, query: Query) -> int:
        return len(self._matching(query))

    async def with_status(self, kind: str, statuses: Sequence[str]) -> list[Stored]:
        rows = [
            _own_copy(stored, text)
            for stored, text in self._room.resources.values()
            if stored.key.kind == kind and stored.status in statuses
        ]
        return sorted(rows, key=lambda stored: (stored.created_at, stored.key.name.lower()))

    async def census(self) -> dict[str, dict[str, int]]:
        counted: dict[str, dict[str, int]] = {}
        for stored, _ in self._room.resources.values():
            of_kind = counted.setdefault(stored.key.kind, {})
            of_kind[stored.status] = of_kind.get(stored.status, 0) + 1
        return counted

    async def tags(self, arn: str) -> dict[str, str]:
        return dict(self._room.tags.get(arn.lower(), {}))

    async def story(self, arn: str) -> list[StoryLine]:
        return list(self._room.story.get(arn.lower(), []))

    async def clear(self) -> None:
        self._room = _Room()

    def _matching(self, query: Query) -> list[Stored]:
        return [
            _own_copy(stored, text)
            for stored, text in self._room.resources.values()
            if _matches(query, _own_copy(stored, text))
        ]


def _with_members(stored: Stored, members: Sequence[str]) -> Stored:
    """Return a copy whose document holds only these members, if any are named."""
    if not members:
        return stored
    kept = {member: stored.document[member] for member in members if stored.document.get(member) is not None}
    return replace(stored, document=kept)


def _own_copy(stored: Stored, text: str) -> Stored:
    return Stored(
        key=stored.key,
        arn=stored.arn,
        document=json.loads(text),
        status=stored.status,
        parent=stored.parent,
        version=stored.version,
        created_at=stored.created_at,
        modified_at=stored.modified_at,
    )


def _insert(room: _Room, change: Insert) -> Stored:
    arns = {stored.arn.lower() for stored, _ in room.resources.values()}
    if _place(change.key) in room.resources or change.arn.lower() in arns:
        raise Conflict(f"{change.key.kind} {change.key.name!r} ({change.arn}) already exists.", code="AlreadyExists")
    stored = Stored(
        key=change.key,
        arn=change.arn,
        document=change.document,
        status=change.status,
        parent=change.parent.lower(),
        version=1,
        created_at=change.now,
        modified_at=change.now,
    )
    _told(room, change.arn, _line(change, change.arn, "", change.status))
    room.tags.setdefault(change.arn.lower(), {}).update(change.tags)
    return _keep(room, stored)


def _replace(room: _Room, change: Replace) -> Stored:
    held = room.resources.get(_place(change.key))
    if held is None or held[0].version != change.expect_version:
        raise Conflict(f"{change.key.kind} {change.key.name!r} has changed meanwhile.", code="VersionChanged")
    before = held[0]
    if change.status != before.status or change.why:
        _told(room, before.arn, _line(change, before.arn, before.status, change.status))
    after = Stored(
        key=before.key,
        arn=before.arn,
        document=change.document,
        status=change.status,
        parent=before.parent,
        version=before.version + 1,
        created_at=before.created_at,
        modified_at=change.now,
    )
    return _keep(room, after)


def _delete(room: _Room, change: Delete) -> Key:
    held = room.resources.get(_place(change.key))
    if held is None:
        raise NotFound(f"There is no {change.key.kind} {change.key.name!r}.")
    before = held[0]
    if change.expect_version is not None and before.version != change.expect_version:
        raise Conflict(f"{change.key.kind} {change.key.name!r} has changed meanwhile.", code="VersionChanged")
    del room.resources[_place(change.key)]
    room.tags.pop(before.arn.lower(), None)
    _told(room, before.arn, _line(change, before.arn, before.status, ""))
    return before.key


def _keep(room: _Room, stored: Stored) -> Stored:
    try:
        text = json.dumps(stored.document, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Invalid(f"The document of {stored.arn} is not JSON: {error}.") from error
    room.resources[_place(stored.key)] = (stored, text)
    return _own_copy(stored, text)


def _line(change: Insert | Replace | Delete, arn: str, from_status: str, to_status: str) -> StoryLine:
    return StoryLine(
        at=change.now, who=change.who, arn=arn, from_status=from_status, to_status=to_status, why=change.why
    )


def _told(room: _Room, arn: str, line: StoryLine) -> None:
    room.story.setdefault(arn.lower(), []).append(line)


def _matches(query: Query, row: Stored) -> bool:
    name = row.key.name.lower()
    if (row.key.account, row.key.region, row.key.kind) != (query.account, query.region, query.kind):
        return False
    return all(
        (
            query.parent is None or row.parent == query.parent.lower(),
            query.status is None or row.status == query.status,
            query.name_contains is None or query.name_contains.lower() in name,
            query.name_prefix is None or name.startswith(query.name_prefix.lower()),
            query.created_after is None or row.created_at >= query.created_after,
            query.created_before is None or row.created_at <= query.created_before,
            query.modified_after is None or row.modified_at >= query.modified_after,
            query.modified_before is None or row.modified_at <= query.modified_before,
            all(row.document.get(member) == value for member, value in query.equals.items()),
        )
    )


def _rank(query: Query, row: Stored) -> tuple[str | float, str]:
    name = row.key.name.lower()
    match query.sort_by:
        case "name":
            return name, name
        case "created_at":
            return row.created_at, name
        case "modified_at":
            return row.modified_at, name
        case "status":
            return row.status, name


def _write_token(query: Query, last: Stored) -> str:
    text = json.dumps([query.kind, query.sort_by, query.descending, *_rank(query, last)])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read_token(query: Query) -> tuple[str | float, str]:
    try:
        kind, sort_by, descending, value, name = json.loads(base64.urlsafe_b64decode(query.token or ""))
    except ValueError:
        raise Invalid(f"Invalid pagination token {query.token!r}: it was not issued here.") from None
    if [kind, sort_by, descending] != [query.kind, query.sort_by, query.descending]:
        raise Invalid(f"Invalid pagination token {query.token!r}: it belongs to another list or order.")
    return value, name
