"""An execution under way in memory: loaded from the catalog, kept there step by step, and its inbox."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from sagehouse.domain.pipelines import records
from sagehouse.domain.pipelines.checking import Plan, plan
from sagehouse.domain.pipelines.decide import begin
from sagehouse.domain.pipelines.definition import parse
from sagehouse.domain.pipelines.execution import STEP, Execution, StepRun
from sagehouse.domain.pipelines.functions import Shape
from sagehouse.kit.errors import NotFound
from sagehouse.ports.catalog import Catalog, Insert, Key, Query, Stored
from sagehouse.resources.transition import transition

_PLANS_KEPT = 64
_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    steps: frozenset[str]
    """Steps whose child was written."""
    is_poked: bool
    """The execution itself was written."""
    has_rung: bool
    """A moment asked for has come."""


class Inbox:
    """What a worker is told between two looks. Telling never waits, repeats collapse."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._steps: set[str] = set()
        self._has_rung = False
        self.is_poked = False

    def poke(self) -> None:
        self.is_poked = True
        self._event.set()

    def ring(self) -> None:
        self._has_rung = True
        self._event.set()

    def child(self, step: str) -> None:
        self._steps.add(step)
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()

    def take(self) -> News:
        """Return what has been told since the last time, and forget it."""
        news = News(steps=frozenset(self._steps), is_poked=self.is_poked, has_rung=self._has_rung)
        self._event.clear()
        self._steps.clear()
        self._has_rung = self.is_poked = False
        return news


class Plans:
    """Checked definitions of pipeline versions, the last few kept: a version never changes."""

    def __init__(self, *, catalog: Catalog) -> None:
        self._catalog = catalog
        self._kept: dict[str, tuple[float, Plan]] = {}

    async def of(self, key: Key, pipeline: str, version: int) -> Plan:
        name = records.version_name(pipeline, version)
        stored = await self._catalog.get(
            Key(account=key.account, region=key.region, kind=records.VERSION, name=name.lower())
        )
        if stored is None:
            raise NotFound(f"Version {version} of pipeline {pipeline!r} is gone.")
        kept = self._kept.pop(stored.arn, None)
        if kept is None or kept[0] != stored.created_at:
            kept = stored.created_at, plan(parse(stored.document["PipelineDefinition"]))
        self._kept[stored.arn] = kept
        while len(self._kept) > _PLANS_KEPT:
            del self._kept[next(iter(self._kept))]
        return kept[1]


@dataclass(slots=True, kw_only=True)
class Live:
    """`stored` follows the catalog's version of every step; nobody else writes steps."""

    catalog: Catalog
    key: Key
    role: str
    inbox: Inbox
    execution: Execution
    stored: dict[str, Stored] = field(default_factory=dict)
    rings_at: float | None = None

    async def save(self, runs: Sequence[StepRun], now: float) -> None:
        """Store these steps in their order, a row of new ones in one write.

        The order matters: a step is never stored as begun before those it needs are stored as succeeded.
        """
        for is_new, group in groupby(runs, key=lambda run: run.name not in self.stored):
            if is_new:
                fresh = list(group)
                written = await self.catalog.write(*(self._insert(run) for run in fresh))
                self.stored.update(zip((run.name for run in fresh), written, strict=True))
            else:
                for run in group:
                    await self._change(run, now)

    async def _change(self, run: StepRun, now: float) -> None:
        self.stored[run.name] = await transition(
            self.catalog,
            STEP,
            self.stored[run.name],
            to=run.status,
            document=self._document(run),
            now=now,
            who="pipelines",
            why=run.reason,
        )

    def _insert(self, run: StepRun) -> Insert:
        index = self.execution.plan.definition.steps[run.name].index
        return Insert(
            key=Key(
                account=self.key.account,
                region=self.key.region,
                kind=records.STEP,
                name=records.step_name(self.key.name, index),
            ),
            arn=f"{self.execution.facts.arn}/step/{index:05d}",
            document=self._document(run),
            now=run.started_at,
            status=run.status,
            parent=self.key.name.lower(),
            who="pipelines",
            why=run.reason,
        )

    def _document(self, run: StepRun) -> dict[str, object]:
        step = self.execution.plan.definition.steps[run.name]
        document = run.to_document()
        if step.display_name:
            document["StepDisplayName"] = step.display_name
        if step.description:
            document["StepDescription"] = step.description
        return document


async def load(
    catalog: Catalog, plans: Plans, shapes: Mapping[str, Shape | None], key: Key, inbox: Inbox
) -> Live | None:
    """Return an execution that has not ended, as the catalog knows it; None if it has ended or is gone."""
    found = await catalog.get(key)
    if found is None or found.status not in {"Executing", "Stopping"}:
        return None
    document = found.document
    facts = records.facts_of(document)
    steps = await _steps(catalog, key)
    execution = begin(
        await plans.of(key, facts.pipeline_name, document["PipelineVersionId"]),
        facts,
        shapes,
        runs=[StepRun.from_document(step.document) for step in steps],
        limit=document.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps"),
        round=document["_round"],
        selected=None if document["_selected"] is None else frozenset(document["_selected"]),
        stopping=found.status == "Stopping",
    )
    return Live(
        catalog=catalog,
        key=key,
        role=document["RoleArn"],
        inbox=inbox,
        execution=execution,
        stored={step.document["StepName"]: step for step in steps},
    )


async def _steps(catalog: Catalog, key: Key) -> list[Stored]:
    steps: list[Stored] = []
    token: str | None = None
    while True:
        page = await catalog.page(
            Query(
                account=key.account,
                region=key.region,
                kind=records.STEP,
                parent=key.name.lower(),
                limit=_PAGE,
                token=token,
            )
        )
        steps += page.items
        token = page.next_token
        if token is None:
            return steps
