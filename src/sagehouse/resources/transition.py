"""The only writer of a status."""

from sagehouse.domain.lifecycle import Lifecycle
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict
from sagehouse.ports.catalog import Catalog, Replace, Stored


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
