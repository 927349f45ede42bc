"""IAM policies: what a set of them says of an action on a resource.

Covers Effect, Action, NotAction, Resource, NotResource and the condition operators named in `_OPERATORS`; a statement
with another operator is taken for one whose condition is not met. Source: IAM user guide, "Policy evaluation logic".
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sagehouse.kit.errors import Invalid
from sagehouse.kit.json_text import read_json

ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY = "allowed", "explicitDeny", "implicitDeny"


def _matches(value: str, pattern: str) -> bool:
    return fnmatchcase(value, pattern.replace("[", "[[]"))


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringNotEquals": lambda value, wanted: value != wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": _matches,
    "ArnEquals": _matches,
    "ArnLike": _matches,
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
}
_NEGATED = frozenset({"StringNotEquals"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy document and where it comes from."""

    id: str
    type: str
    """"IAM Policy" as SimulatePrincipalPolicy names the source."""
    statements: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    decision: str
    matched: tuple[str, ...]
    """Ids of the policies that decided."""
    missing: tuple[str, ...]
    """Context keys that conditions asked for and nobody gave."""


def parse_policy(text: str, *, id: str, type: str = "IAM Policy") -> Policy:  # noqa: A002 - IAM's own words
    """Return a policy; Invalid (code "MalformedPolicyDocument") if the text is none."""
    try:
        document = read_json(text)
    except ValueError as error:
        raise _malformed(f"it is not JSON: {error}") from None
    statements = document.get("Statement") if isinstance(document, dict) else None
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list):
        raise _malformed("it has no Statement")
    for statement in statements:
        if not isinstance(statement, dict) or statement.get("Effect") not in {"Allow", "Deny"}:
            raise _malformed("a statement needs the Effect Allow or Deny")
        if not ({"Action", "NotAction"} & statement.keys()):
            raise _malformed("a statement needs Action or NotAction")
    return Policy(id=id, type=type, statements=tuple(statements))


def _malformed(why: str) -> Invalid:
    return Invalid(f"Syntax errors in policy: {why}.", code="MalformedPolicyDocument")


def trusted_services(text: str) -> set[str]:
    """Return the services that a trust policy lets assume its role."""
    found: set[str] = set()
    for statement in parse_policy(text, id="trust").statements:
        principal = statement.get("Principal")
        if statement["Effect"] == "Allow" and isinstance(principal, Mapping):
            found |= set(_listed(principal.get("Service", [])))
    return found


def decide(
    policies: Iterable[Policy], *, action: str, resource: str, context: Mapping[str, tuple[str, ...]]
) -> Decision:
    """Return what these policies say together: a deny wins, an allow is needed."""
    allowing: list[str] = []
    denying: list[str] = []
    missing: list[str] = []
    for policy in policies:
        for statement in policy.statements:
            if not _applies(statement, action=action, resource=resource):
                continue
            holds, absent = _condition_holds(statement.get("Condition", {}), context)
            missing += absent
            if holds:
                (allowing if statement["Effect"] == "Allow" else denying).append(policy.id)
    told = tuple(dict.fromkeys(missing))
    if denying:
        return Decision(decision=EXPLICIT_DENY, matched=tuple(denying), missing=told)
    return Decision(decision=ALLOWED if allowing else IMPLICIT_DENY, matched=tuple(allowing), missing=told)


def _applies(statement: Mapping[str, Any], *, action: str, resource: str) -> bool:
    if "Action" in statement:
        is_action = any(_matches(action.lower(), pattern.lower()) for pattern in _listed(statement["Action"]))
    else:
        is_action = not any(_matches(action.lower(), pattern.lower()) for pattern in _listed(statement["NotAction"]))
    if "NotResource" in statement:
        return is_action and not any(_matches(resource, pattern) for pattern in _listed(statement["NotResource"]))
    return is_action and any(_matches(resource, pattern) for pattern in _listed(statement.get("Resource", "*")))


def _condition_holds(condition: Mapping[str, Any], context: Mapping[str, tuple[str, ...]]) -> tuple[bool, list[str]]:
    missing: list[str] = []
    holds = True
    for name, tests in condition.items():
        operator = name.removesuffix("IfExists").split(":")[-1]
        test = _OPERATORS.get(operator)
        for key, wanted in tests.items():
            values = context.get(key.lower())
            if values is None:
                missing.append(key)
                holds &= name.endswith("IfExists") or operator in _NEGATED
            elif test is None:
                holds = False
            else:
                combine = all if operator in _NEGATED else any
                holds &= combine(test(value, text) for value in values for text in _listed(wanted))
    return holds, missing


def _listed(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
