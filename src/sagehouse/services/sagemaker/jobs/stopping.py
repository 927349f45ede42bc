"""Asking a job to stop, and forgetting one that has ended: the same for every kind of job."""

from sagehouse.kit.document import Document
from sagehouse.kit.errors import InUse, Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Stored
from sagehouse.ports.house import House
from sagehouse.resources.kind import Kind, noun_of
from sagehouse.resources.transition import move
from sagehouse.resources.verbs import delete, load


async def stop(house: House, call: Call, kind: Kind, name: str) -> None:
    """Ask the job's controller to begin the stop protocol; again while it stops is no error.

    Source: wire observations of StopTrainingJob ("The request was rejected because ...").
    """
    assert kind.lifecycle is not None, f"{kind.name} has no statuses"
    unfinished = kind.lifecycle.unfinished

    def stopping(stored: Stored) -> Document:
        if stored.status not in unfinished:
            raise Invalid(f"The request was rejected because the {noun_of(stored.arn)} is in status {stored.status}.")
        return stored.document

    await move(house, call, kind, name, stopping, to="Stopping")


async def forget(house: House, call: Call, kind: Kind, name: str) -> None:
    """Delete a job that has ended; its logs and what it made stay."""
    assert kind.lifecycle is not None, f"{kind.name} has no statuses"
    stored = await load(house, call, kind, name)
    if stored.status in kind.lifecycle.unfinished:
        raise InUse(
            f"Cannot delete {noun_of(stored.arn)} {stored.key.name!r} in status {stored.status}; "
            "only a job that is Completed, Failed or Stopped can be deleted."
        )
    await delete(house, call, kind, name)
