"""What a role's policies allow.

The decisions are IAM's own over the policies the role really has. They are an answer, not a gate: on loopback, where
the house verifies no signatures, every caller may do everything whatever is decided here.
"""

from collections.abc import Mapping

from sagehouse.domain.policies import ALLOWED, Decision, Policy, decide, parse_policy
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.services.iam.paging import paged
from sagehouse.services.iam.policies import policy_text
from sagehouse.services.iam.roles import ensure_role

_UNHONOURED = ("ResourcePolicy", "PolicyExclusionList", "ResourceOwner", "CallerArn", "ResourceHandlingOption")


async def simulate_principal_policy(house: House, call: Call, request: Document) -> Document:
    """Decide actions on resources for a role, which comes into being if a program is the first to name it."""
    for member in _UNHONOURED:
        if request.get(member):
            raise Invalid(f"SimulatePrincipalPolicy: sagehouse does not implement the member {member}.")
    role = (await ensure_role(house, call, request["PolicySourceArn"])).document
    policies = [parse_policy(text, id=name) for name, text in role["_inline"].items()]
    policies += await _managed(house, role["_attached"])
    policies += _given(request.get("PolicyInputList", []), "PolicyInputList")
    boundaries = _given(request.get("PermissionsBoundaryPolicyInputList", []), "PermissionsBoundaryPolicyInputList")
    if "PermissionsBoundary" in role:
        boundaries += await _managed(house, [role["PermissionsBoundary"]["PermissionsBoundaryArn"]])
    is_bounded = bool(boundaries) or "PermissionsBoundary" in role
    context = {
        entry["ContextKeyName"].lower(): tuple(entry.get("ContextKeyValues", ()))
        for entry in request.get("ContextEntries", [])
    }
    rows = [
        _row(action, resource, policies, boundaries if is_bounded else None, context)
        for action in request["ActionNames"]
        for resource in request.get("ResourceArns") or ["*"]
    ]
    return paged(request, "EvaluationResults", rows)


async def _managed(house: House, arns: list[str]) -> list[Policy]:
    texts = [(arn, await policy_text(house, arn)) for arn in arns]
    return [parse_policy(text, id=arn.rsplit("/", 1)[-1]) for arn, text in texts if text is not None]


def _given(texts: list[str], member: str) -> list[Policy]:
    return [parse_policy(text, id=f"{member}.{index}") for index, text in enumerate(texts, start=1)]


def _row(
    action: str,
    resource: str,
    policies: list[Policy],
    boundaries: list[Policy] | None,
    context: Mapping[str, tuple[str, ...]],
) -> Document:
    decision = decide(policies, action=action, resource=resource, context=context)
    row: Document = {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision.decision}
    if boundaries is not None:
        bound: Decision = decide(boundaries, action=action, resource=resource, context=context)
        row["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": bound.decision == ALLOWED}
        if decision.decision == ALLOWED and bound.decision != ALLOWED:
            row["EvalDecision"] = bound.decision
    row["MatchedStatements"] = [{"SourcePolicyId": name, "SourcePolicyType": "IAM Policy"} for name in decision.matched]
    row["MissingContextValues"] = list(decision.missing)
    return row
