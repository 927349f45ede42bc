"""An endpoint's stored document, read and written by the tasks of its keeper."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from sagehouse.domain.hosting.deployment import MEMBER, Deployment, Hosting
from sagehouse.domain.lifecycle import ENDPOINT
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict
from sagehouse.ports.catalog import Catalog, Key, Stored
from sagehouse.ports.clock import Clock
from sagehouse.resources.transition import transition

WHO = "endpoints controller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """The next version of an endpoint. `status` None keeps it; a member that is None is dropped."""

    hosting: Hosting
    status: str | None = None
    members: Document = field(default_factory=dict)
    why: str = ""


Change: TypeAlias = Callable[[Stored, Hosting], Next | None]


class Record:
    """Invariant: every write is decided on the version it replaces; one that was overtaken is decided again."""

    def __init__(self, key: Key, *, catalog: Catalog, clock: Clock) -> None:
        self._key = key
        self._catalog = catalog
        self._clock = clock

    async def load(self) -> Stored | None:
        return await self._catalog.get(self._key)

    async def change(self, change: Change) -> bool:
        """Store what `change` makes of the endpoint; False if it is gone or `change` leaves it alone."""
        while (stored := await self.load()) is not None:
            wanted = change(stored, Hosting.of(stored.document))
            if wanted is None:
                return False
            now = self._clock.now()
            document = {**stored.document, **wanted.members, MEMBER: wanted.hosting.to_document()}
            if wanted.members:
                document["LastModifiedTime"] = now
            try:
                await transition(
                    self._catalog,
                    ENDPOINT,
                    stored,
                    to=wanted.status or stored.status,
                    document={name: value for name, value in document.items() if value is not None},
                    now=now,
                    who=WHO,
                    why=wanted.why,
                )
            except Conflict as overtaken:
                if overtaken.code == "IllegalMove":
                    raise
            else:
                return True
        return False

    async def plan(self, deployment: Deployment) -> bool:
        """Store what is to be brought up next."""

        def planned(stored: Stored, hosting: Hosting) -> Next | None:
            if stored.status == "Deleting" or hosting.next is not None:
                return None
            return Next(
                hosting=Hosting(live=hosting.live, next=deployment, old=hosting.old, revision=deployment.revision)
            )

        return await self.change(planned)

    async def promote(self, revision: int) -> bool:
        """Put the new deployment in the live one's place; the endpoint is in service."""

        def promoted(stored: Stored, hosting: Hosting) -> Next | None:
            new = hosting.next
            if stored.status == "Deleting" or new is None or new.revision != revision:
                return None
            members = {
                "EndpointConfigName": new.config_name,
                "ProductionVariants": [new.summary(now=self._clock.now())],
                "PendingDeploymentSummary": None,
                "FailureReason": None,
            }
            why = f"{new.config_name} answers its pings"
            return Next(hosting=hosting.promoted(), status="InService", members=members, why=why)

        return await self.change(promoted)

    async def abandon(self, reason: str) -> bool:
        """Give the change under way up: the old deployment goes on; without one the endpoint has failed."""

        def abandoned(stored: Stored, hosting: Hosting) -> Next | None:
            if stored.status not in {"Creating", "Updating", "SystemUpdating", "RollingBack"}:
                return None
            members: Document = {"FailureReason": reason, "PendingDeploymentSummary": None}
            if hosting.live is not None:
                members["EndpointConfigName"] = hosting.live.config_name
            status = "InService" if hosting.live else "Failed"
            return Next(hosting=hosting.abandoned(), status=status, members=members, why=reason)

        return await self.change(abandoned)
