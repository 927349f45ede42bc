"""What the service model cannot know about a kind of resource."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from sagehouse.domain.lifecycle import Lifecycle
from sagehouse.kit.arn import Arn
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid, SagehouseError
from sagehouse.ports.call import Call


def _unchanged(_call: Call, document: Document) -> Document:
    return document


def _unchecked(_call: Call, _request: Document) -> None:
    return None


def noun_of(arn: str) -> str:
    """Return what an ARN names, in words: "endpoint config" of arn:aws:sagemaker:...:endpoint-config/name."""
    return arn.rsplit(":", 1)[-1].split("/", 1)[0].replace("-", " ")


def _could_not_find(arn: str, _name: str) -> SagehouseError:
    return Invalid(f'Could not find {noun_of(arn)} "{arn}".')


def _already_existing(arn: str, _name: str) -> SagehouseError:
    return Invalid(f'Cannot create already existing {noun_of(arn)} "{arn}".')


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Members, limits and enums are in the service model; the rest of a kind is here.

    The four hooks are pure and the set is closed: `prepare` (request -> stored document), `check` (raise), `present`
    (stored document -> Describe output), `summarize` (stored document -> List row). Members of a stored document that
    begin with "_" are the house's own and never leave it.
    """

    name: str
    """"TrainingJob", also the kind of its `Key`."""
    name_member: str
    arn_member: str
    arn_resource: str
    """"training-job/{name}"; the name is lower-cased in the ARN, as AWS does."""
    arn_service: str = "sagemaker"
    summaries_member: str
    """The list of the List output: "TrainingJobSummaries"."""
    lifecycle: Lifecycle | None = None
    first_status: str = ""
    created_member: str = "CreationTime"
    modified_member: str = "LastModifiedTime"
    """"" for kinds whose Describe output has none."""
    page_size: int = 10
    """Of a List request that names none. Source: API reference, ListEndpoints, MaxResults."""
    filters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Members of the List request beyond the usual ones -> the top-level string member of the document they equal."""
    row_members: Sequence[str] = ()
    """For kinds listed by the thousand: the members a List row has. A page then reads these alone, not `present`'s."""
    missing: Callable[[str, str], SagehouseError] = _could_not_find
    """(arn, name) -> the error when it does not exist."""
    taken: Callable[[str, str], SagehouseError] = _already_existing
    """(arn, name) -> the error when the name is in use."""
    prepare: Callable[[Call, Document], Document] = _unchanged
    """Gets the request without its tags, with name, ARN, times and first status already in it."""
    check: Callable[[Call, Document], None] = _unchecked
    present: Callable[[Call, Document], Document] = _unchanged
    summarize: Callable[[Call, Document], Document] = _unchanged

    def arn(self, call: Call, name: str) -> str:
        """Return the ARN that a resource of this name has for the caller."""
        resource = self.arn_resource.format(name=name.lower())
        return str(Arn(service=self.arn_service, region=call.region, account=call.account, resource=resource))
