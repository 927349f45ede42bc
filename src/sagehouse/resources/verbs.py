"""Create, load, describe, update and delete a resource of any kind."""

from collections.abc import Callable

from sagehouse.kit.arn import is_arn
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Delete, Insert, Key, Replace, Stored
from sagehouse.ports.house import House
from sagehouse.resources.kind import Kind
from sagehouse.resources.tagging import tags_of

ATTEMPTS = 20
"""How often a change is decided anew because somebody else wrote first: more than there can be writers at once."""


def key_of(call: Call, kind: Kind, name: str) -> Key:
    """Return the key of the caller's resource of this name."""
    return Key(account=call.account, region=call.region, kind=kind.name, name=name)


async def create(
    house: House, call: Call, kind: Kind, request: Document, name: str | None = None, parent: str = ""
) -> Stored:
    """Store a new resource and its tags, and wake its controller; `kind.taken` if the name is in use.

    `name` overrides the request's own, for kinds whose names are made here.
    """
    kind.check(call, request)
    insert = new(call, kind, request, name=name, parent=parent)
    try:
        (stored,) = await house.catalog.write(insert)
    except Conflict as error:
        if error.code != "AlreadyExists":
            raise
        raise kind.taken(insert.arn, insert.key.name) from error
    if kind.lifecycle is not None:
        house.wake(stored.key)
    return stored


def new(call: Call, kind: Kind, request: Document, *, name: str | None = None, parent: str = "") -> Insert:
    """Return the change that creates a resource, for operations that write more in the same transaction."""
    name = name if name is not None else str(request[kind.name_member])
    arn = kind.arn(call, name)
    given = {member: value for member, value in request.items() if member != "Tags"}
    given |= {kind.name_member: name, kind.arn_member: arn, kind.created_member: call.now}
    if kind.modified_member:
        given[kind.modified_member] = call.now
    if kind.lifecycle is not None:
        given[kind.lifecycle.status_member] = kind.first_status
    return Insert(
        key=key_of(call, kind, name),
        arn=arn,
        document=kind.prepare(call, given),
        status=kind.first_status,
        parent=parent.lower(),
        tags=tags_of(request.get("Tags") or ()),
        now=call.now,
        who=call.principal,
        why=call.operation,
    )


async def load(house: House, call: Call, kind: Kind, name_or_arn: str) -> Stored:
    """Return the caller's resource of this name or ARN, in any case; `kind.missing` if there is none."""
    if not is_arn(name_or_arn):
        stored = await house.catalog.get(key_of(call, kind, name_or_arn))
        if stored is None:
            raise kind.missing(kind.arn(call, name_or_arn), name_or_arn)
        return stored
    stored = await house.catalog.find(name_or_arn)
    if stored is None or (stored.key.kind, stored.key.account, stored.key.region) != (
        kind.name,
        call.account,
        call.region,
    ):
        raise kind.missing(name_or_arn, name_or_arn.rsplit("/", 1)[-1])
    return stored


async def describe(house: House, call: Call, kind: Kind, request: Document) -> Document:
    """Return the Describe output of the resource that the request names."""
    return presented(call, kind, await load(house, call, kind, str(request[kind.name_member])))


def presented(call: Call, kind: Kind, stored: Stored) -> Document:
    """Return the Describe output of a resource: its document without what is the house's own."""
    document = stored.document
    if kind.modified_member:
        document = {**document, kind.modified_member: stored.modified_at}
    return {member: value for member, value in kind.present(call, document).items() if member[:1] != "_"}


async def update(
    house: House, call: Call, stored: Stored, kind: Kind, document: Document, why: str | None = None
) -> Stored:
    """Store the next document of a resource, its status kept; Conflict if it has changed since it was loaded."""
    if kind.modified_member:
        document = {**document, kind.modified_member: call.now}
    (after,) = await house.catalog.write(
        Replace(
            key=stored.key,
            document=document,
            status=stored.status,
            expect_version=stored.version,
            now=call.now,
            who=call.principal,
            why=call.operation if why is None else why,
        )
    )
    return after


async def amend(
    house: House,
    call: Call,
    kind: Kind,
    name_or_arn: str,
    change: Callable[[Stored], Document],
    *,
    why: str | None = None,
) -> Stored:
    """Load, change and store, and again from the start if somebody else wrote in between.

    `change` returns the next document or raises.
    """
    for attempt in range(ATTEMPTS):
        stored = await load(house, call, kind, name_or_arn)
        try:
            return await update(house, call, stored, kind, change(stored), why=why)
        except Conflict as error:
            if error.code != "VersionChanged" or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


async def delete(house: House, call: Call, kind: Kind, name: str) -> None:
    """Delete the resource of this name or ARN and its tags; `kind.missing` if there is none."""
    stored = await load(house, call, kind, name)
    await house.catalog.write(Delete(key=stored.key, now=call.now, who=call.principal, why=call.operation))
