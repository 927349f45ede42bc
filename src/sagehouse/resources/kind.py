"""What the service model cannot know about a kind of resource."""

from collections.abc import Callable
from dataclasses import dataclass

from sagehouse.domain.lifecycle import Lifecycle
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid, SagehouseError
from sagehouse.ports.call import Call


def _unchanged(_call: Call, document: Document) -> Document:
    return document


def _unchecked(_call: Call, _request: Document) -> None:
    return None


def _could_not_find(arn: str, _name: str) -> SagehouseError:
    noun = arn.rsplit(":", 1)[-1].split("/", 1)[0].replace("-", " ")
    return Invalid(f'Could not find {noun} "{arn}".')


def _already_existing(arn: str, _name: str) -> SagehouseError:
    noun = arn.rsplit(":", 1)[-1].split("/", 1)[0].replace("-", " ")
    return Invalid(f'Cannot create already existing {noun} "{arn}".')


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
    summaries_member: str
    """The list of the List output: "TrainingJobSummaries"."""
    lifecycle: Lifecycle | None = None
    first_status: str = ""
    missing: Callable[[str, str], SagehouseError] = _could_not_find
    """(arn, name) -> the error when it does not exist."""
    taken: Callable[[str, str], SagehouseError] = _already_existing
    """(arn, name) -> the error when the name is in use."""
    prepare: Callable[[Call, Document], Document] = _unchanged
    check: Callable[[Call, Document], None] = _unchecked
    present: Callable[[Call, Document], Document] = _unchanged
    summarize: Callable[[Call, Document], Document] = _unchanged
