"""What every catalog promises. Each adapter and the fake inherit `CatalogContract`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import pytest

from sagehouse.kit.errors import Conflict, Invalid, NotFound
from sagehouse.ports.catalog import Catalog, Delete, DropTags, Insert, Key, PutTags, Query, Replace, Stored

T = TypeVar("T")
Heard = Callable[[Sequence[Key]], None]


def a_key(name: str = "Iris", *, kind: str = "TrainingJob", region: str = "us-east-1") -> Key:
    return Key(account="123456789012", region=region, kind=kind, name=name)


def an_arn(key: Key) -> str:
    return f"arn:aws:sagemaker:{key.region}:{key.account}:{key.kind.lower()}/{key.name.lower()}"


def an_insert(name: str = "Iris", *, kind: str = "TrainingJob", now: float = 1.0, **more: Any) -> Insert:
    key = a_key(name, kind=kind)
    return Insert(**{"key": key, "arn": an_arn(key), "document": {"Name": name}, "now": now, **more})


def a_query(**more: Any) -> Query:
    return Query(**{"account": "123456789012", "region": "us-east-1", "kind": "TrainingJob", **more})


def names(rows: Sequence[Stored]) -> list[str]:
    return [row.key.name for row in rows]


async def all_pages(catalog: Catalog, query: Query) -> list[Stored]:
    rows: list[Stored] = []
    token = None
    while True:
        page = await catalog.page(_with_token(query, token))
        assert len(page.items) <= query.limit
        rows.extend(page.items)
        token = page.next_token
        if token is None:
            return rows


def _with_token(query: Query, token: str | None) -> Query:
    return Query(**{name: getattr(query, name) for name in query.__slots__} | {"token": token})


class CatalogContract:
    """Subclasses give `opened`: an async context manager that yields an empty catalog telling `heard` its commits."""

    def opened(self, heard: Heard = lambda _keys: None) -> AbstractAsyncContextManager[Catalog]:
        raise NotImplementedError

    def run(self, scenario: Callable[[Catalog], Awaitable[T]]) -> T:
        async def whole() -> T:
            async with self.opened() as catalog:
                return await scenario(catalog)

        return asyncio.run(whole())

    def test_what_is_inserted_is_found_by_key_and_by_arn_whatever_the_case(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            (written,) = await catalog.write(an_insert("Iris", status="InProgress", parent="Group"))
            assert written == Stored(
                key=a_key("Iris"),
                arn=an_arn(a_key("Iris")),
                document={"Name": "Iris"},
                status="InProgress",
                parent="group",
                version=1,
                created_at=1.0,
                modified_at=1.0,
            )
            assert await catalog.get(a_key("iRIS")) == written
            assert await catalog.find(an_arn(a_key("IRIS")).upper()) == written
            assert await catalog.get(a_key("other")) is None
            assert await catalog.get(a_key("Iris", region="eu-west-1")) is None
            assert await catalog.find("arn:aws:sagemaker:us-east-1:123456789012:trainingjob/other") is None

        self.run(scenario)

    def test_a_document_is_the_callers_own_copy(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            document = {"Deep": {"List": [1, 2.5, None, True, "ü\n"]}}
            (written,) = await catalog.write(an_insert(document=document))
            document["Deep"]["List"].clear()
            written.document["Deep"]["List"].clear()
            found = await catalog.get(a_key())
            assert found is not None
            assert found.document == {"Deep": {"List": [1, 2.5, None, True, "ü\n"]}}

        self.run(scenario)

    def test_a_name_or_arn_that_is_taken_is_a_conflict_and_changes_nothing(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            (first,) = await catalog.write(an_insert("Iris"))
            with pytest.raises(Conflict) as by_name:
                await catalog.write(an_insert("IRIS", now=2.0))
            assert by_name.value.code == "AlreadyExists"
            with pytest.raises(Conflict) as by_arn:
                await catalog.write(an_insert("Other", arn=first.arn))
            assert by_arn.value.code == "AlreadyExists"
            assert await catalog.get(a_key("iris")) == first
            assert await catalog.get(a_key("Other")) is None

        self.run(scenario)

    def test_a_replace_needs_the_version_it_decided_on(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            await catalog.write(an_insert(status="InProgress"))
            after = Replace(key=a_key("IRIS"), document={"n": 2}, status="Completed", expect_version=1, now=5.0)
            (written,) = await catalog.write(after)
            assert (written.key.name, written.version, written.status) == ("Iris", 2, "Completed")
            assert (written.document, written.created_at, written.modified_at) == ({"n": 2}, 1.0, 5.0)
            assert await catalog.get(a_key()) == written
            with pytest.raises(Conflict) as stale:
                await catalog.write(after)
            assert stale.value.code == "VersionChanged"
            with pytest.raises(Conflict) as absent:
                await catalog.write(Replace(key=a_key("no"), document={}, status="", expect_version=1, now=5.0))
            assert absent.value.code == "VersionChanged"

        self.run(scenario)

    def test_all_changes_of_a_write_happen_or_none(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            await catalog.write(an_insert("Iris", tags={"a": "1"}))
            arn = an_arn(a_key())
            with pytest.raises(Conflict):
                await catalog.write(
                    an_insert("Second"),
                    PutTags(arn=arn, tags={"b": "2"}),
                    Delete(key=a_key(), now=2.0),
                    an_insert("second"),
                )
            assert await catalog.get(a_key("Second")) is None
            assert await catalog.get(a_key()) is not None
            assert await catalog.tags(arn) == {"a": "1"}
            assert len(await catalog.story(arn)) == 1
            rows = await catalog.write(Delete(key=a_key(), now=2.0), an_insert("iris"), an_insert("Second"))
            assert names(rows) == ["iris", "Second"]
            assert await catalog.write() == []

        self.run(scenario)

    def test_deleting_takes_the_tags_and_keeps_the_story(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            await catalog.write(an_insert(status="InProgress", tags={"a": "1"}, who="me", why="asked"))
            with pytest.raises(Conflict) as stale:
                await catalog.write(Delete(key=a_key(), now=2.0, expect_version=7))
            assert stale.value.code == "VersionChanged"
            await catalog.write(Delete(key=a_key(), now=2.0, expect_version=1, who="you", why="cleaned up"))
            arn = an_arn(a_key())
            assert await catalog.get(a_key()) is None
            assert await catalog.find(arn) is None
            assert await catalog.tags(arn) == {}
            told = [
                (line.at, line.who, line.from_status, line.to_status, line.why) for line in await catalog.story(arn)
            ]
            assert told == [(1.0, "me", "", "InProgress", "asked"), (2.0, "you", "InProgress", "", "cleaned up")]
            with pytest.raises(NotFound):
                await catalog.write(Delete(key=a_key(), now=3.0))

        self.run(scenario)

    def test_the_story_has_a_line_per_move_and_per_reason(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            await catalog.write(an_insert(status="InProgress"))
            moves = [("InProgress", ""), ("InProgress", "input downloaded"), ("Completed", "")]
            for version, (status, why) in enumerate(moves, start=1):
                await catalog.write(
                    Replace(
                        key=a_key(), document={}, status=status, expect_version=version, now=float(version), why=why
                    )
                )
            story = await catalog.story(an_arn(a_key()).upper())
            assert [(line.from_status, line.to_status, line.why) for line in story] == [
                ("", "InProgress", ""),
                ("InProgress", "InProgress", "input downloaded"),
                ("InProgress", "Completed", ""),
            ]
            assert {line.arn for line in story} == {an_arn(a_key())}

        self.run(scenario)

    def test_tags_keep_their_order_and_are_overwritten_in_place(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            arn = an_arn(a_key())
            await catalog.write(an_insert(tags={"b": "1", "a": "2"}))
            await catalog.write(PutTags(arn=arn.upper(), tags={"c": "3", "b": "4", "": ""}))
            assert list((await catalog.tags(arn)).items()) == [("b", "4"), ("a", "2"), ("c", "3"), ("", "")]
            await catalog.write(DropTags(arn=arn, tag_keys=["a", "absent"]))
            await catalog.write(PutTags(arn=arn, tags={"a": "5"}))
            assert list(await catalog.tags(arn)) == ["b", "c", "", "a"]

        self.run(scenario)

    def test_filters_bound_what_a_page_holds(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            for n, (name, status) in enumerate([("Ab", "Failed"), ("b_c", "Completed"), ("b%d", "Failed")], start=1):
                document = {"Approval": status[0], "Depth": {"Approval": "x"}}
                await catalog.write(an_insert(name, now=float(n), status=status, parent=f"P{n % 2}", document=document))
            await catalog.write(
                Replace(key=a_key("Ab"), document={"Approval": "Z"}, status="Failed", expect_version=1, now=9.0)
            )
            await catalog.write(an_insert("Ab", kind="Model"))
            answers = {
                "all": (a_query(), ["b%d", "b_c", "Ab"]),
                "status": (a_query(status="Failed"), ["b%d", "Ab"]),
                "contains": (a_query(name_contains="B"), ["b%d", "b_c", "Ab"]),
                "contains, no wildcard": (a_query(name_contains="_"), ["b_c"]),
                "contains, no percent": (a_query(name_contains="%"), ["b%d"]),
                "prefix": (a_query(name_prefix="B"), ["b%d", "b_c"]),
                "parent": (a_query(parent="p1"), ["b%d", "Ab"]),
                "created": (a_query(created_after=2.0, created_before=2.0), ["b_c"]),
                "modified after": (a_query(modified_after=9.0), ["Ab"]),
                "modified before": (a_query(modified_before=2.0), ["b_c"]),
                "equals": (a_query(equals={"Approval": "Z"}), ["Ab"]),
                "equals, two": (a_query(equals={"Approval": "Z", "Depth": "x"}), []),
                "by modification": (a_query(sort_by="modified_at"), ["Ab", "b%d", "b_c"]),
                "by name": (a_query(sort_by="name", descending=False), ["Ab", "b%d", "b_c"]),
                "by status, ties by name": (a_query(sort_by="status", descending=False), ["b_c", "Ab", "b%d"]),
                "by status, descending": (a_query(sort_by="status"), ["b%d", "Ab", "b_c"]),
            }
            for what, (query, expected) in answers.items():
                assert (what, names((await catalog.page(query)).items)) == (what, expected)
                assert (what, await catalog.count(query)) == (what, len(expected))

        self.run(scenario)

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
    @pytest.mark.parametrize("sort_by", ["name", "created_at", "modified_at", "status"])
    @pytest.mark.parametrize("descending", [True, False])
    def test_a_list_paged_at_any_size_equals_the_list(self, limit: int, sort_by: Any, descending: bool) -> None:
        async def scenario(catalog: Catalog) -> None:
            for n in range(7):
                await catalog.write(an_insert(f"Job-{n}", now=float(n // 3), status=("A", "B")[n % 2]))
            whole = (await catalog.page(a_query(sort_by=sort_by, descending=descending))).items
            paged = await all_pages(catalog, a_query(sort_by=sort_by, descending=descending, limit=limit))
            assert paged == list(whole)
            assert len(paged) == 7

        self.run(scenario)

    def test_a_page_may_hold_some_members_only(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            document = {
                "Name": "Iris",
                "At": 1763720914.123456,
                "Deep": {"List": [1, True, "ä\n"]},
                "Rest": "x",
                "No": None,
            }
            await catalog.write(an_insert(document=document))
            wanted = {
                ("Name",): {"Name": "Iris"},
                ("At", "Deep", "No", "Absent"): {"At": document["At"], "Deep": document["Deep"]},
                ("Absent",): {},
                (): document,
            }
            for members, expected in wanted.items():
                [found] = (await catalog.page(a_query(members=members, name_prefix="iris", equals={"Rest": "x"}))).items
                assert (found.document, found.key, found.version) == (expected, a_key(), 1)

        self.run(scenario)

    def test_a_deleted_row_does_not_disturb_the_pages_after_it(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            for n in range(4):
                await catalog.write(an_insert(f"Job-{n}", now=float(n)))
            first = await catalog.page(a_query(limit=2))
            await catalog.write(Delete(key=a_key("Job-2"), now=9.0))
            rest = await catalog.page(a_query(limit=2, token=first.next_token))
            assert names([*first.items, *rest.items]) == ["Job-3", "Job-2", "Job-1", "Job-0"]
            assert rest.next_token is None

        self.run(scenario)

    def test_a_token_that_is_not_ours_is_invalid(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            for n in range(3):
                await catalog.write(an_insert(f"Job-{n}", now=float(n)))
            token = (await catalog.page(a_query(limit=1))).next_token
            for query in (
                a_query(token="nonsense"),
                a_query(token="ü"),
                a_query(token=""),
                a_query(token="e30="),
                a_query(token=token, sort_by="name"),
                a_query(token=token, descending=False),
                a_query(token=token, kind="Model"),
            ):
                with pytest.raises(Invalid):
                    await catalog.page(query)

        self.run(scenario)

    def test_unfinished_resources_are_listed_oldest_first_in_all_accounts_and_regions(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            far = Key(account="000000000001", region="eu-west-1", kind="TrainingJob", name="far")
            await catalog.write(an_insert("late", now=3.0, status="Stopping"))
            await catalog.write(an_insert("done", now=2.0, status="Completed"))
            await catalog.write(Insert(key=far, arn=an_arn(far), document={}, now=1.0, status="InProgress"))
            await catalog.write(an_insert("model", kind="Model", status="InProgress"))
            assert names(await catalog.with_status("TrainingJob", ["InProgress", "Stopping"])) == ["far", "late"]
            assert await catalog.with_status("TrainingJob", []) == []

        self.run(scenario)

    def test_of_two_writers_that_decided_on_the_same_version_one_wins(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            await catalog.write(an_insert())

            async def attempt(n: int) -> bool:
                try:
                    await catalog.write(
                        Replace(key=a_key(), document={"n": n}, status="", expect_version=1, now=float(n))
                    )
                except Conflict:
                    return False
                return True

            won = await asyncio.gather(*(attempt(n) for n in range(20)))
            assert sum(won) == 1
            found = await catalog.get(a_key())
            assert found is not None
            assert found.document == {"n": won.index(True)}

        self.run(scenario)

    def test_commits_are_heard_with_their_keys_and_failures_are_not(self) -> None:
        heard: list[list[str]] = []

        async def whole() -> None:
            async with self.opened(lambda keys: heard.append([key.name for key in keys])) as catalog:
                await catalog.write(an_insert("a"), an_insert("b"))
                with pytest.raises(Conflict):
                    await catalog.write(an_insert("c"), an_insert("a"))
                await catalog.write(Replace(key=a_key("a"), document={}, status="", expect_version=1, now=2.0))
                await catalog.write(Delete(key=a_key("b"), now=3.0))

        asyncio.run(whole())
        assert heard == [["a", "b"], ["a"], ["b"]]

    def test_what_json_or_unicode_cannot_hold_is_invalid_and_changes_nothing(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            for document in ({"n": float("nan")}, {"n": object()}):
                with pytest.raises(Invalid):
                    await catalog.write(an_insert(document=document))
            (kept,) = await catalog.write(an_insert(document={"text": "half a pair \ud800"}))
            assert await catalog.get(a_key()) == kept

        self.run(scenario)

    def test_clearing_forgets_everything(self) -> None:
        async def scenario(catalog: Catalog) -> None:
            await catalog.write(an_insert(tags={"a": "1"}))
            await catalog.clear()
            assert await catalog.get(a_key()) is None
            assert await catalog.tags(an_arn(a_key())) == {}
            assert await catalog.story(an_arn(a_key())) == []
            assert await catalog.count(a_query()) == 0
            await catalog.write(an_insert())

        self.run(scenario)


@asynccontextmanager
async def just(catalog: Catalog) -> AsyncIterator[Catalog]:
    """A catalog that needs no closing."""
    yield catalog
