"""IAM: roles, their policies, managed policies, and what they allow."""

from collections.abc import Mapping, Sequence

from sagehouse.ports.house import Operation
from sagehouse.services.iam.attachments import (
    attach_role_policy,
    delete_role_policy,
    detach_role_policy,
    get_role_policy,
    list_attached_role_policies,
    list_role_policies,
    put_role_policy,
)
from sagehouse.services.iam.policies import (
    create_policy,
    delete_policy,
    get_policy,
    get_policy_version,
    list_policies,
    list_policy_versions,
)
from sagehouse.services.iam.roles import (
    create_role,
    delete_role,
    get_role,
    list_role_tags,
    list_roles,
    tag_role,
    untag_role,
    update_assume_role_policy,
    update_role,
)
from sagehouse.services.iam.simulation import simulate_principal_policy

OPERATIONS: Mapping[str, Operation] = {
    "AttachRolePolicy": attach_role_policy,
    "CreatePolicy": create_policy,
    "CreateRole": create_role,
    "DeletePolicy": delete_policy,
    "DeleteRole": delete_role,
    "DeleteRolePolicy": delete_role_policy,
    "DetachRolePolicy": detach_role_policy,
    "GetPolicy": get_policy,
    "GetPolicyVersion": get_policy_version,
    "GetRole": get_role,
    "GetRolePolicy": get_role_policy,
    "ListAttachedRolePolicies": list_attached_role_policies,
    "ListPolicies": list_policies,
    "ListPolicyVersions": list_policy_versions,
    "ListRolePolicies": list_role_policies,
    "ListRoleTags": list_role_tags,
    "ListRoles": list_roles,
    "PutRolePolicy": put_role_policy,
    "SimulatePrincipalPolicy": simulate_principal_policy,
    "TagRole": tag_role,
    "UntagRole": untag_role,
    "UpdateAssumeRolePolicy": update_assume_role_policy,
    "UpdateRole": update_role,
}

NOTES: Sequence[str] = (
    "Nobody is authenticated on loopback: policies are stored and simulated, they gate no request.",
    "AWS's managed policies are known in outline; one that is not known can be attached and grants nothing.",
    "A role of the caller's account that SimulatePrincipalPolicy is the first to name comes into being.",
)
"""What differs from AWS, for the page of operations."""
