"""Roles and policies: what is stored, what is answered, what is allowed."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

import pytest
from tests.fakes.house import ACCOUNT, a_call, a_house

from sagehouse.domain.policies import trusted_services
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, Denied, InUse, Invalid, NotFound
from sagehouse.services.iam import OPERATIONS

TRUST = json.dumps(
    {"Statement": [{"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
)
READ = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::data/*"}
SIMULATED = f"arn:aws:iam::{ACCOUNT}:role/service-role/Worker"

Ask = Callable[..., Awaitable[Document]]


def in_a_house(scenario: Callable[[Ask], Awaitable[None]]) -> None:
    async def run() -> None:
        house = a_house()

        async def ask(operation: str, **request: Any) -> Document:
            call = a_call(operation, service="iam", now=1000.0)
            return await OPERATIONS[operation](house, call, request)

        await scenario(ask)

    asyncio.run(run())


def policy(*statements: Document) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


async def decisions(ask: Ask, *actions: str, resources: list[str] | None = None, **more: Any) -> list[str]:
    request = {"PolicySourceArn": SIMULATED, "ActionNames": list(actions), **more}
    if resources:
        request["ResourceArns"] = resources
    output = await ask("SimulatePrincipalPolicy", **request)
    assert output["IsTruncated"] is False
    return [row["EvalDecision"] for row in output["EvaluationResults"]]


def test_the_default_role_is_always_there_and_trusts_sagemaker() -> None:
    async def scenario(ask: Ask) -> None:
        role = (await ask("GetRole", RoleName="SageMakerRole"))["Role"]
        assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/SageMakerRole"
        assert role["AssumeRolePolicyDocument"].startswith("%7B")
        assert trusted_services(unquote(role["AssumeRolePolicyDocument"])) == {"sagemaker.amazonaws.com"}
        with pytest.raises(Denied, match="stays"):
            await ask("DeleteRole", RoleName="SageMakerRole")

    in_a_house(scenario)


def test_an_unknown_role_is_missing_until_a_simulation_names_it() -> None:
    async def scenario(ask: Ask) -> None:
        with pytest.raises(NotFound, match="The role with name Worker cannot be found"):
            await ask("GetRole", RoleName="Worker")
        assert await decisions(ask, "sagemaker:CreateTrainingJob", "s3:PutObject") == ["allowed", "allowed"]
        role = (await ask("GetRole", RoleName="Worker"))["Role"]
        assert (role["Arn"], role["Path"]) == (SIMULATED, "/service-role/")

    in_a_house(scenario)


def test_a_role_of_another_account_does_not_come_into_being() -> None:
    async def scenario(ask: Ask) -> None:
        with pytest.raises(NotFound):
            await ask(
                "SimulatePrincipalPolicy", PolicySourceArn="arn:aws:iam::999999999999:role/X", ActionNames=["a:b"]
            )
        with pytest.raises(Invalid, match="not the ARN of a role"):
            await ask(
                "SimulatePrincipalPolicy", PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/bob", ActionNames=["a:b"]
            )

    in_a_house(scenario)


def test_a_role_is_created_updated_tagged_and_deleted() -> None:
    async def scenario(ask: Ask) -> None:
        made = await ask(
            "CreateRole",
            RoleName="Etl",
            AssumeRolePolicyDocument=TRUST,
            MaxSessionDuration=7200,
            Tags=[{"Key": "team", "Value": "a"}],
        )
        assert made["Role"]["RoleId"].startswith("AROA")
        with pytest.raises(InUse, match="Role with name etl already exists"):
            await ask("CreateRole", RoleName="etl", AssumeRolePolicyDocument=TRUST)
        await ask("UpdateRole", RoleName="Etl", Description="new")
        await ask("TagRole", RoleName="Etl", Tags=[{"Key": "stage", "Value": "dev"}])
        await ask("UntagRole", RoleName="Etl", TagKeys=["team"])
        role = (await ask("GetRole", RoleName="Etl"))["Role"]
        assert (role["Description"], role["MaxSessionDuration"]) == ("new", 7200)
        assert role["Tags"] == [{"Key": "stage", "Value": "dev"}]
        assert json.loads(unquote(role["AssumeRolePolicyDocument"])) == json.loads(TRUST)
        assert [role["RoleName"] for role in (await ask("ListRoles"))["Roles"]] == ["Etl", "SageMakerRole"]
        await ask("DeleteRole", RoleName="Etl")
        with pytest.raises(NotFound):
            await ask("GetRole", RoleName="Etl")

    in_a_house(scenario)


def test_a_malformed_policy_is_refused_by_its_own_name() -> None:
    async def scenario(ask: Ask) -> None:
        with pytest.raises(Invalid, match="Syntax errors in policy") as refused:
            await ask("CreateRole", RoleName="Etl", AssumeRolePolicyDocument="{")
        assert refused.value.code == "MalformedPolicyDocument"

    in_a_house(scenario)


def test_attached_and_inline_policies_decide_what_a_role_may() -> None:
    async def scenario(ask: Ask) -> None:
        await ask("CreateRole", RoleName="Worker", AssumeRolePolicyDocument=TRUST)
        assert await decisions(ask, "s3:GetObject") == ["implicitDeny"]
        await ask("PutRolePolicy", RoleName="Worker", PolicyName="read", PolicyDocument=policy(READ))
        objects = ["arn:aws:s3:::data/a.csv", "arn:aws:s3:::other/a.csv"]
        assert await decisions(ask, "s3:GetObject", resources=objects) == ["allowed", "implicitDeny"]
        deny = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
        arn = (await ask("CreatePolicy", PolicyName="NoS3", PolicyDocument=policy(deny)))["Policy"]["Arn"]
        await ask("AttachRolePolicy", RoleName="Worker", PolicyArn=arn)
        assert await decisions(ask, "s3:GetObject", resources=objects[:1]) == ["explicitDeny"]
        with pytest.raises(Conflict, match="Cannot delete a policy attached to entities: Worker"):
            await ask("DeletePolicy", PolicyArn=arn)
        await ask("DetachRolePolicy", RoleName="Worker", PolicyArn=arn)
        await ask("DeletePolicy", PolicyArn=arn)
        assert await decisions(ask, "s3:GetObject", resources=objects[:1]) == ["allowed"]
        with pytest.raises(Conflict, match="must delete policies first"):
            await ask("DeleteRole", RoleName="Worker")

    in_a_house(scenario)


def test_aws_managed_policies_may_be_attached_and_known_ones_grant() -> None:
    async def scenario(ask: Ask) -> None:
        await ask("CreateRole", RoleName="Worker", AssumeRolePolicyDocument=TRUST)
        for name in ("AmazonS3ReadOnlyAccess", "SomethingVeryNew"):
            await ask("AttachRolePolicy", RoleName="Worker", PolicyArn=f"arn:aws:iam::aws:policy/{name}")
        attached = (await ask("ListAttachedRolePolicies", RoleName="Worker"))["AttachedPolicies"]
        assert [row["PolicyName"] for row in attached] == ["AmazonS3ReadOnlyAccess", "SomethingVeryNew"]
        assert await decisions(ask, "s3:GetObject", "s3:PutObject") == ["allowed", "implicitDeny"]
        version = await ask("GetPolicyVersion", PolicyArn=attached[0]["PolicyArn"], VersionId="v1")
        assert "s3:Get*" in unquote(version["PolicyVersion"]["Document"])
        with pytest.raises(NotFound):
            await ask("GetPolicy", PolicyArn=attached[1]["PolicyArn"])

    in_a_house(scenario)


def test_a_condition_is_decided_from_the_context_and_a_missing_key_is_told() -> None:
    statement = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": "*",
        "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    }

    async def scenario(ask: Ask) -> None:
        await ask("CreateRole", RoleName="Worker", AssumeRolePolicyDocument=TRUST)
        await ask("PutRolePolicy", RoleName="Worker", PolicyName="pass", PolicyDocument=policy(statement))
        output = await ask("SimulatePrincipalPolicy", PolicySourceArn=SIMULATED, ActionNames=["iam:PassRole"])
        (row,) = output["EvaluationResults"]
        assert (row["EvalDecision"], row["MissingContextValues"]) == ("implicitDeny", ["iam:PassedToService"])
        entry = {
            "ContextKeyName": "iam:PassedToService",
            "ContextKeyValues": ["sagemaker.amazonaws.com"],
            "ContextKeyType": "string",
        }
        assert await decisions(ask, "iam:PassRole", ContextEntries=[entry]) == ["allowed"]

    in_a_house(scenario)


@pytest.mark.parametrize("member", ["ResourcePolicy", "CallerArn", "ResourceOwner", "ResourceHandlingOption"])
def test_a_simulation_refuses_what_it_would_not_look_at(member: str) -> None:
    async def scenario(ask: Ask) -> None:
        with pytest.raises(Invalid, match=f"does not implement the member {member}"):
            await ask(
                "SimulatePrincipalPolicy",
                PolicySourceArn="arn:aws:iam::123456789012:role/SageMakerRole",
                ActionNames=["s3:GetObject"],
                **{member: "EC2-VPC-InstanceStore"},
            )

    in_a_house(scenario)


def test_lists_are_paged_by_marker_and_max_items() -> None:
    async def scenario(ask: Ask) -> None:
        for name in ("A", "B", "C"):
            await ask("PutRolePolicy", RoleName="SageMakerRole", PolicyName=name, PolicyDocument=policy(READ))
        first = await ask("ListRolePolicies", RoleName="SageMakerRole", MaxItems=2)
        assert (first["PolicyNames"], first["IsTruncated"]) == (["A", "B"], True)
        rest = await ask("ListRolePolicies", RoleName="SageMakerRole", MaxItems=2, Marker=first["Marker"])
        assert (rest["PolicyNames"], rest["IsTruncated"]) == (["C"], False)

    in_a_house(scenario)
