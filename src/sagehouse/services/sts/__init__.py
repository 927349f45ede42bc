"""STS: who calls, and credentials that lead back to an account and a role."""

from collections.abc import Mapping, Sequence

from sagehouse.ports.house import Operation
from sagehouse.services.sts.identity import get_access_key_info, get_caller_identity
from sagehouse.services.sts.sessions import assume_role, assume_role_with_web_identity, get_session_token

OPERATIONS: Mapping[str, Operation] = {
    "AssumeRole": assume_role,
    "AssumeRoleWithWebIdentity": assume_role_with_web_identity,
    "GetAccessKeyInfo": get_access_key_info,
    "GetCallerIdentity": get_caller_identity,
    "GetSessionToken": get_session_token,
}

NOTES: Sequence[str] = (
    "Any credentials are accepted; an access key id of twelve digits is the account.",
    "Session policies, session tags and MFA codes are stored, not used; web identity tokens are not verified.",
)
"""What differs from AWS, for the page of operations."""
