"""Both catalogs, driven by hypothesis through any sequence of writes, agree with a plain dictionary."""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.contract.catalog import a_key, a_query, all_pages, an_arn, an_insert
from tests.fakes.catalog import FakeCatalog

from sagehouse.kit.errors import Conflict, NotFound
from sagehouse.ports.catalog import Catalog, Delete, DropTags, PutTags, Replace
from sagehouse.storage.catalog import SqliteCatalog

NAMES = st.sampled_from(["a", "A", "b%", "b_c", "Ü", "long-name"])
STATUSES = st.sampled_from(["", "InProgress", "Failed"])
TIMES = st.integers(0, 5).map(float)
TAGS = st.dictionaries(st.sampled_from("xyz"), st.text(max_size=3, alphabet="ab"), max_size=3)


@dataclass
class Row:
    name: str
    status: str
    version: int
    n: int
    tags: dict[str, str]


class CatalogStates(RuleBasedStateMachine):
    """The model is `rows`, by lower-case name."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.catalog = self.make()
        self.rows: dict[str, Row] = {}

    def make(self) -> Catalog:
        return FakeCatalog()

    def teardown(self) -> None:
        self.loop.close()

    def do(self, awaitable: Any) -> Any:
        return self.loop.run_until_complete(awaitable)

    def refused(self, error: type[Exception], *changes: Any) -> bool:
        try:
            self.do(self.catalog.write(*changes))
        except error:
            return True
        return False

    @rule(name=NAMES, status=STATUSES, now=TIMES, n=st.integers(), tags=TAGS)
    def insert(self, name: str, status: str, now: float, n: int, tags: dict[str, str]) -> None:
        change = an_insert(name, status=status, now=now, document={"n": n}, tags=tags)
        assert self.refused(Conflict, change) == (name.lower() in self.rows)
        self.rows.setdefault(name.lower(), Row(name, status, 1, n, dict(tags)))

    @rule(name=NAMES, status=STATUSES, now=TIMES, n=st.integers(), version=st.integers(1, 3))
    def replace(self, name: str, status: str, now: float, n: int, version: int) -> None:
        row = self.rows.get(name.lower())
        is_current = row is not None and row.version == version
        change = Replace(key=a_key(name), document={"n": n}, status=status, expect_version=version, now=now)
        assert self.refused(Conflict, change) != is_current
        if row is not None and is_current:
            row.status, row.version, row.n = status, version + 1, n

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        assert self.refused(NotFound, Delete(key=a_key(name), now=9.0)) == (name.lower() not in self.rows)
        self.rows.pop(name.lower(), None)

    @rule(first=NAMES, second=NAMES)
    def insert_two_or_none(self, first: str, second: str) -> None:
        fits = first.lower() != second.lower() and not {first.lower(), second.lower()} & self.rows.keys()
        changes = [an_insert(name, document={"n": 0}) for name in (first, second)]
        assert self.refused(Conflict, *changes) != fits
        if fits:
            self.rows |= {name.lower(): Row(name, "", 1, 0, {}) for name in (first, second)}

    @rule(name=NAMES, tags=TAGS)
    def tag(self, name: str, tags: dict[str, str]) -> None:
        row = self.rows.get(name.lower())
        if row is not None:
            self.do(self.catalog.write(PutTags(arn=an_arn(a_key(name)), tags=tags)))
            row.tags.update(tags)

    @rule(name=NAMES, tag_key=st.sampled_from("xyz"))
    def untag(self, name: str, tag_key: str) -> None:
        row = self.rows.get(name.lower())
        if row is not None:
            self.do(self.catalog.write(DropTags(arn=an_arn(a_key(name)), tag_keys=[tag_key])))
            row.tags.pop(tag_key, None)

    @invariant()
    def every_resource_is_as_it_was_written(self) -> None:
        for name in ("a", "b%", "b_c", "ü", "long-name"):
            stored, row = self.do(self.catalog.get(a_key(name))), self.rows.get(name)
            if row is None:
                assert stored is None
                continue
            assert (stored.key.name, stored.status, stored.version) == (row.name, row.status, row.version)
            assert stored.document == {"n": row.n}
            assert self.do(self.catalog.tags(stored.arn)) == row.tags
            assert list(self.do(self.catalog.tags(stored.arn))) == list(row.tags)

    @invariant()
    def lists_paged_by_two_equal_the_list(self) -> None:
        paged = self.do(all_pages(self.catalog, a_query(limit=2)))
        assert sorted(stored.key.name.lower() for stored in paged) == sorted(self.rows)
        ranks = [(stored.created_at, stored.key.name.lower()) for stored in paged]
        assert ranks == sorted(ranks, reverse=True)
        assert self.do(self.catalog.count(a_query(status="Failed"))) == sum(
            row.status == "Failed" for row in self.rows.values()
        )


class SqliteStates(CatalogStates):
    def make(self) -> Catalog:
        self.directory = Path(tempfile.mkdtemp(prefix="catalog-"))
        self.sqlite = SqliteCatalog(self.directory / "catalog.sqlite")
        return self.sqlite

    @rule()
    def close_and_open_again(self) -> None:
        self.sqlite.close()
        self.sqlite = self.catalog = SqliteCatalog(self.directory / "catalog.sqlite")

    def teardown(self) -> None:
        self.sqlite.close()
        shutil.rmtree(self.directory)
        super().teardown()


QUICK = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
TestFakeStates = CatalogStates.TestCase
TestFakeStates.settings = QUICK
TestSqliteStates = SqliteStates.TestCase
TestSqliteStates.settings = QUICK
