"""Where documents rest: every resource of every kind, its status, version, tags and story."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias

from sagehouse.kit.document import Document
from sagehouse.kit.page import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What names a resource. Names compare without case (AWS lower-cases them in ARNs) and keep their spelling."""

    account: str
    region: str
    kind: str
    """"TrainingJob"; services other than sagemaker prefix theirs: "iam:Role"."""
    name: str
    """Unique within account, region, kind: a job's name, "group/3" of a model package."""

    @property
    def plain(self) -> "Key":
        """The same key in lower case: two keys that name one resource are equal in this."""
        return replace(self, name=self.name.lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A resource as the catalog holds it. `document` is the caller's own copy."""

    key: Key
    arn: str
    document: Document
    status: str
    """The wire spelling ("InProgress"), "" for kinds without a lifecycle."""
    parent: str
    """Lower-case name of the resource it belongs to (package -> group, execution -> pipeline), "" if none."""
    version: int
    created_at: float
    modified_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """A new resource; Conflict (code "AlreadyExists") if the key or the ARN is taken."""

    key: Key
    arn: str
    document: Document
    now: float
    status: str = ""
    parent: str = ""
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """The next version of a resource; Conflict (code "VersionChanged") unless it still has `expect_version`.

    A line is added to the story when the status differs or `why` is given.
    """

    key: Key
    document: Document
    status: str
    expect_version: int
    now: float
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """The end of a resource and its tags; NotFound if it is absent. Its story stays."""

    key: Key
    now: float
    expect_version: int | None = None
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutTags:
    """Tags added to or overwritten on an ARN."""

    arn: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTags:
    """Tags taken off an ARN; absent keys are no error."""

    arn: str
    tag_keys: Sequence[str]


Change: TypeAlias = Insert | Replace | Delete | PutTags | DropTags
SortBy: TypeAlias = Literal["name", "created_at", "modified_at", "status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which resources of one kind, in which order. Bounds of times are inclusive, as AWS's After/Before are."""

    account: str
    region: str
    kind: str
    parent: str | None = None
    status: str | None = None
    name_contains: str | None = None
    name_prefix: str | None = None
    created_after: float | None = None
    created_before: float | None = None
    modified_after: float | None = None
    modified_before: float | None = None
    equals: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Top-level string members of the document and the values they must have."""
    members: Sequence[str] = ()
    """If any are named, the documents hold only these of their top-level members, and no null ones: for long lists."""
    sort_by: SortBy = "created_at"
    descending: bool = True
    """Ties are broken by name, in the same direction, so that pages never overlap."""
    limit: int = 100
    token: str | None = None
    """`Page.next_token` of the previous page; Invalid if it is not one of ours for this query's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryLine:
    """One transition: who, when, from where to where, why."""

    at: float
    who: str
    arn: str
    from_status: str
    to_status: str
    why: str


class Catalog(Protocol):
    """Every write is durable when it returns, atomic, and serialised with all others."""

    async def get(self, key: Key) -> Stored | None: ...

    async def find(self, arn: str) -> Stored | None:
        """Return the resource of this ARN, compared without case."""
        ...

    async def write(self, *changes: Change) -> list[Stored]:
        """Make all changes or none; return the new state per Insert and Replace, in order."""
        ...

    async def page(self, query: Query) -> Page[Stored]: ...

    async def count(self, query: Query) -> int:
        """Return how many match, whatever the limit and token."""
        ...

    async def with_status(self, kind: str, statuses: Sequence[str]) -> list[Stored]:
        """Return every resource of a kind in one of these statuses, in all accounts and regions, oldest first."""
        ...

    async def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of an ARN in the order they were added."""
        ...

    async def census(self) -> dict[str, dict[str, int]]:
        """Return kind -> status -> how many, in all accounts and regions."""
        ...

    async def story(self, arn: str) -> list[StoryLine]: ...

    async def clear(self) -> None:
        """Forget everything. For tests, and `sagehouse reset`."""
        ...
