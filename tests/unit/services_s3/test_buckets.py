"""Buckets and what can be set on them."""

from typing import Any

import pytest
from tests.unit.services_s3.asking import ACCOUNT, Asking, error_of, scene

from sagehouse.kit.errors import Conflict, Invalid, NotBound, NotFound, SagehouseError
from sagehouse.services.s3.names import owner


def test_a_bucket_is_made_found_and_deleted() -> None:
    async def scenario(ask: Asking) -> None:
        tags = [{"Key": "a", "Value": "1"}]
        configuration = {"LocationConstraint": "eu-west-1", "Tags": tags}
        made = await ask("CreateBucket", Bucket="new-bucket", CreateBucketConfiguration=configuration)
        assert made == {"Location": "/new-bucket", "BucketArn": "arn:aws:s3:::new-bucket"}
        assert await ask("HeadBucket", Bucket="new-bucket") == {
            "BucketRegion": "eu-west-1",
            "BucketArn": "arn:aws:s3:::new-bucket",
            "AccessPointAlias": False,
        }
        assert await ask("GetBucketLocation", Bucket="new-bucket") == {"LocationConstraint": "eu-west-1"}
        assert await ask("GetBucketLocation", Bucket="bkt") == {}
        assert (await ask("GetBucketTagging", Bucket="new-bucket"))["TagSet"] == tags
        listed = await ask("ListBuckets")
        assert [(one["Name"], one["BucketRegion"]) for one in listed["Buckets"]] == [
            ("bkt", "us-east-1"),
            ("new-bucket", "eu-west-1"),
        ]
        assert listed["Owner"] == owner(ACCOUNT)
        await ask("PutObject", Bucket="new-bucket", Key="k", Body=b"")
        with pytest.raises(Conflict) as caught:
            await ask("DeleteBucket", Bucket="new-bucket")
        assert caught.value.code == "BucketNotEmpty"
        await ask("DeleteObject", Bucket="new-bucket", Key="k")
        assert await ask("DeleteBucket", Bucket="new-bucket") == {}

    scene(scenario)


def test_buckets_are_paged_and_filtered() -> None:
    async def scenario(ask: Asking) -> None:
        for name in ("aaa", "aab", "aac"):
            await ask("CreateBucket", Bucket=name)
        first = await ask("ListBuckets", MaxBuckets=2, Prefix="aa")
        assert [one["Name"] for one in first["Buckets"]] == ["aaa", "aab"]
        assert first["Prefix"] == "aa"
        rest = await ask("ListBuckets", MaxBuckets=2, Prefix="aa", ContinuationToken=first["ContinuationToken"])
        assert [one["Name"] for one in rest["Buckets"]] == ["aac"]
        assert "ContinuationToken" not in rest
        assert (await ask("ListBuckets", BucketRegion="eu-west-1"))["Buckets"] == []

    scene(scenario)


def test_creating_again_is_forgiven_only_in_the_first_region() -> None:
    async def scenario(ask: Asking) -> None:
        await ask("PutBucketTagging", Bucket="bkt", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
        assert (await ask("CreateBucket", Bucket="bkt"))["Location"] == "/bkt"
        assert (await ask("GetBucketTagging", Bucket="bkt"))["TagSet"] == [{"Key": "a", "Value": "1"}]
        ask.account = "999999999999"
        with pytest.raises(Conflict) as caught:
            await ask("CreateBucket", Bucket="bkt")
        assert caught.value.code == "BucketAlreadyExists"

    scene(scenario)

    async def elsewhere(ask: Asking) -> None:
        with pytest.raises(Conflict) as caught:
            await ask("CreateBucket", Bucket="bkt", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        assert error_of(caught) == ("BucketAlreadyOwnedByYou", {"BucketName": "bkt"})
        for constraint in ({}, {"LocationConstraint": "eu-central-1"}):
            with pytest.raises(Invalid) as wrong:
                await ask("CreateBucket", Bucket="other", CreateBucketConfiguration=constraint)
            assert wrong.value.code == "IllegalLocationConstraintException"

    scene(elsewhere, region="eu-west-1")


@pytest.mark.parametrize(
    "name", ["ab", "A-b", "a_b", "-ab", "ab-", "a..b", "1.2.3.4", "xn--abc", "abc-s3alias", "x" * 64, "a b", "abc\n"]
)
def test_names_that_no_bucket_has_are_refused(name: str) -> None:
    async def scenario(ask: Asking) -> None:
        with pytest.raises(Invalid) as caught:
            await ask("CreateBucket", Bucket=name)
        assert caught.value.code == "InvalidBucketName"

    scene(scenario)


@pytest.mark.parametrize(
    "members",
    [
        {"ObjectLockEnabledForBucket": True},
        {"BucketNamespace": "account-regional"},
        {"CreateBucketConfiguration": {"Location": {"Type": "AvailabilityZone"}}},
    ],
)
def test_buckets_of_other_natures_are_refused(members: dict[str, Any]) -> None:
    async def scenario(ask: Asking) -> None:
        with pytest.raises(NotBound):
            await ask("CreateBucket", Bucket="other", **members)

    scene(scenario)


RULE = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
SETTINGS = [
    ("BucketCors", "CORSConfiguration", {"CORSRules": [RULE]}, {"CORSRules": [RULE]}, "NoSuchCORSConfiguration"),
    ("BucketPolicy", "Policy", '{"Statement": []}', {"Policy": '{"Statement": []}'}, "NoSuchBucketPolicy"),
    (
        "PublicAccessBlock",
        "PublicAccessBlockConfiguration",
        {"BlockPublicAcls": True},
        {
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "IgnorePublicAcls": False,
                "BlockPublicPolicy": False,
                "RestrictPublicBuckets": False,
            }
        },
        "NoSuchPublicAccessBlockConfiguration",
    ),
    (
        "BucketOwnershipControls",
        "OwnershipControls",
        {"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
        {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}},
        "OwnershipControlsNotFoundError",
    ),
]


@pytest.mark.parametrize(("noun", "member", "given", "answered", "absent"), SETTINGS)
def test_settings_are_kept_as_given(noun: str, member: str, given: Any, answered: Any, absent: str) -> None:
    async def scenario(ask: Asking) -> None:
        await ask(f"Put{noun}", Bucket="bkt", **{member: given})
        assert await ask(f"Get{noun}", Bucket="bkt") == answered
        await ask(f"Delete{noun}", Bucket="bkt")
        with pytest.raises(NotFound) as caught:
            await ask(f"Get{noun}", Bucket="bkt")
        assert error_of(caught) == (absent, {"BucketName": "bkt"})

    scene(scenario)


def test_lifecycles_are_kept() -> None:
    async def scenario(ask: Asking) -> None:
        rules = [{"ID": "a", "Status": "Enabled", "Expiration": {"Days": 1}, "Filter": {"Prefix": "x"}}]
        await ask("PutBucketLifecycleConfiguration", Bucket="bkt", LifecycleConfiguration={"Rules": rules})
        assert (await ask("GetBucketLifecycleConfiguration", Bucket="bkt"))["Rules"] == rules
        await ask("DeleteBucketLifecycle", Bucket="bkt")
        with pytest.raises(NotFound) as caught:
            await ask("GetBucketLifecycleConfiguration", Bucket="bkt")
        assert caught.value.code == "NoSuchLifecycleConfiguration"

    scene(scenario)


def test_what_every_new_bucket_has() -> None:
    async def scenario(ask: Asking) -> None:
        await ask("CreateBucket", Bucket="new")
        block = (await ask("GetPublicAccessBlock", Bucket="new"))["PublicAccessBlockConfiguration"]
        assert set(block.values()) == {True}
        controls = (await ask("GetBucketOwnershipControls", Bucket="new"))["OwnershipControls"]
        assert controls == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        rules = (await ask("GetBucketEncryption", Bucket="new"))["ServerSideEncryptionConfiguration"]["Rules"]
        assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
        assert await ask("GetBucketVersioning", Bucket="new") == {}
        with pytest.raises(NotFound) as caught:
            await ask("GetBucketTagging", Bucket="new")
        assert caught.value.code == "NoSuchTagSet"

    scene(scenario)


def test_the_default_encryption_shows_on_objects_written_after_it() -> None:
    async def scenario(ask: Asking) -> None:
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "key"}
        rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
        await ask("PutBucketEncryption", Bucket="bkt", ServerSideEncryptionConfiguration=rules)
        answer = await ask("PutObject", Bucket="bkt", Key="k", Body=b"")
        assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", "key")
        own = await ask("PutObject", Bucket="bkt", Key="k", Body=b"", ServerSideEncryption="AES256")
        assert (own["ServerSideEncryption"], "SSEKMSKeyId" in own) == ("AES256", False)
        await ask("DeleteBucketEncryption", Bucket="bkt")
        assert (await ask("PutObject", Bucket="bkt", Key="k", Body=b""))["ServerSideEncryption"] == "AES256"

    scene(scenario)


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{" * 100_000, '{"a":"' + "x" * 30_000 + '"}'])
def test_a_policy_that_is_none_is_refused(text: str) -> None:
    async def scenario(ask: Asking) -> None:
        with pytest.raises(SagehouseError) as caught:
            await ask("PutBucketPolicy", Bucket="bkt", Policy=text)
        assert caught.value.code == "MalformedPolicy"

    scene(scenario)
