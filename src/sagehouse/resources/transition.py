"""The only writer of a status."""

from collections.abc import Callable

from sagehouse.domain.lifecycle import Lifecycle
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Catalog, Replace, Stored
from sagehouse.ports.house import House
from sagehouse.resources.kind import Kind
from sagehouse.resources.verbs import ATTEMPTS, load


async def transition(
    catalog: Catalog,
    lifecycle: Lifecycle,
    stored: Stored,
    *,
    to: str,
    document: Document,
    now: float,
    who: str,
    why: str,
) -> Stored:
    """Store the next version of a resource with status `to`, which is also written into the document.

    `document` is the whole next document. Conflict if the lifecycle forbids the move (the message tells the resource's
    story) or if somebody else wrote first (code "VersionChanged": load again and decide again).
    """
    if not lifecycle.may_move(stored.status, to):
        story = await catalog.story(stored.arn)
        told = "; ".join(f"{line.from_status or 'new'} -> {line.to_status}: {line.why}" for line in story[-8:])
        raise Conflict(f"{stored.arn} is {stored.status} and cannot become {to}. Its story: {told}", code="IllegalMove")
    document = {**document, lifecycle.status_member: to}
    change = Replace(
        key=stored.key, document=document, status=to, expect_version=stored.version, now=now, who=who, why=why
    )
    return (await catalog.write(change))[0]


async def move(
    house: House,
    call: Call,
    kind: Kind,
    name_or_arn: str,
    change: Callable[[Stored], Document],
    *,
    to: str,
) -> Stored:
    """Load a resource, give it a new status, and wake its controller; anew if somebody else wrote in between.

    `change` returns the next document, or raises if the resource is in no status for it.
    """
    assert kind.lifecycle is not None, f"{kind.name} has no statuses"
    for attempt in range(ATTEMPTS):
        stored = await load(house, call, kind, name_or_arn)
        try:
            after = await transition(
                house.catalog,
                kind.lifecycle,
                stored,
                to=to,
                document=change(stored),
                now=call.now,
                who=call.principal,
                why=call.operation,
            )
        except Conflict as error:
            if error.code != "VersionChanged" or attempt == ATTEMPTS - 1:
                raise
            continue
        house.wake(after.key)
        return after
    raise AssertionError("the last attempt returns or raises")
