"""Log groups and streams as AWS programs see them."""

import pytest
from tests.unit.services_logs.house import NOW_MS, Logs

from sagehouse.kit.errors import InUse, Invalid, NotFound

ARN = "arn:aws:logs:us-east-1:123456789012:log-group:/g"


def test_a_group_is_described_as_aws_does():
    logs = Logs()
    logs.create_log_group(logGroupName="/g")
    logs.put_retention_policy(logGroupName="/g", retentionInDays=7)
    assert logs.describe_log_groups() == {
        "logGroups": [
            {
                "logGroupName": "/g",
                "creationTime": NOW_MS,
                "retentionInDays": 7,
                "metricFilterCount": 0,
                "arn": f"{ARN}:*",
                "logGroupArn": ARN,
                "storedBytes": 0,
                "logGroupClass": "STANDARD",
            }
        ]
    }
    logs.delete_retention_policy(logGroupName="/g")
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]


def test_groups_page_by_prefix_and_by_pattern():
    logs = Logs()
    for name in ("/a/x", "/a/y", "/b/x", "/c/x"):
        logs.create_log_group(logGroupName=name)
    first = logs.describe_log_groups(limit=2, logGroupNamePattern="/x")
    assert [one["logGroupName"] for one in first["logGroups"]] == ["/a/x", "/b/x"]
    second = logs.describe_log_groups(limit=2, logGroupNamePattern="/x", nextToken=first["nextToken"])
    assert [one["logGroupName"] for one in second["logGroups"]] == ["/c/x"]
    assert "nextToken" not in second
    assert len(logs.describe_log_groups(logGroupNamePrefix="/a")["logGroups"]) == 2
    named = logs.describe_log_groups(logGroupIdentifiers=["/b/x", "/absent", f"{ARN.removesuffix('/g')}/c/x"])
    assert [one["logGroupName"] for one in named["logGroups"]] == ["/b/x", "/c/x"]
    assert logs.describe_log_groups(logGroupClass="INFREQUENT_ACCESS") == {"logGroups": []}


def test_the_errors_are_in_the_words_of_aws():
    logs = Logs()
    logs.create_log_group(logGroupName="/g")
    with pytest.raises(InUse, match=r"^The specified log group already exists$") as taken:
        logs.create_log_group(logGroupName="/g")
    assert taken.value.code == "ResourceAlreadyExistsException"
    for operation, request in {
        "describe_log_streams": {},
        "delete_log_group": {},
        "put_retention_policy": {"retentionInDays": 7},
        "get_log_events": {"logStreamName": "s"},
        "filter_log_events": {},
        "put_log_events": {"logStreamName": "s", "logEvents": [{"timestamp": NOW_MS, "message": "m"}]},
        "create_log_stream": {"logStreamName": "s"},
        "tag_log_group": {"tags": {"a": "b"}},
    }.items():
        with pytest.raises(NotFound, match=r"^The specified log group does not exist\.$") as missing:
            getattr(logs, operation)(logGroupName="/absent", **request)
        assert missing.value.code == "ResourceNotFoundException"
    with pytest.raises(NotFound, match=r"^The specified log stream does not exist\.$"):
        logs.get_log_events(logGroupName="/g", logStreamName="s")


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("create_log_group", {"logGroupName": "/k", "kmsKeyId": "arn:aws:kms:::key/1"}),
        ("create_log_group", {"logGroupName": "/k", "logGroupClass": "INFREQUENT_ACCESS"}),
        ("create_log_group", {"logGroupName": "/k", "tags": {"aws:a": "b"}}),
        ("tag_log_group", {"logGroupName": "/g", "tags": {"aws:a": "b"}}),
        ("put_retention_policy", {"logGroupName": "/g", "retentionInDays": 8}),
        ("describe_log_groups", {"nextToken": "!"}),
        ("describe_log_groups", {"nextToken": "WzFd"}),
        ("describe_log_groups", {"includeLinkedAccounts": True}),
        ("describe_log_groups", {"logGroupNamePrefix": "a", "logGroupNamePattern": "b"}),
        ("describe_log_streams", {}),
        ("describe_log_streams", {"logGroupName": "/g", "logGroupIdentifier": "/g"}),
        ("describe_log_streams", {"logGroupIdentifier": "arn:aws:s3:::bucket"}),
        ("describe_log_streams", {"logGroupName": "/g", "orderBy": "LastEventTime", "logStreamNamePrefix": "a"}),
    ],
)
def test_what_cannot_be_done_is_refused(operation, request_):
    logs = Logs()
    logs.create_log_group(logGroupName="/g")
    with pytest.raises(Invalid) as refused:
        getattr(logs, operation)(**request_)
    assert refused.value.code in ("InvalidParameterException", None)


def test_tags_of_a_group_by_arn_and_by_name():
    logs = Logs()
    logs.create_log_group(logGroupName="/g", tags={"team": "a"})
    logs.tag_resource(resourceArn=f"{ARN}:*", tags={"stage": "test"})
    logs.tag_log_group(logGroupName="/g", tags={"team": "b"})
    assert logs.list_tags_for_resource(resourceArn=ARN) == {"tags": {"team": "b", "stage": "test"}}
    logs.untag_resource(resourceArn=ARN, tagKeys=["team"])
    assert logs.list_tags_log_group(logGroupName="/g") == {"tags": {"stage": "test"}}
    logs.untag_log_group(logGroupName="/g", tags=["stage"])
    logs.tag_log_group(logGroupName="/g", tags={"left": "over"})
    logs.delete_log_group(logGroupName="/g")
    logs.create_log_group(logGroupName="/g")
    assert logs.list_tags_for_resource(resourceArn=ARN) == {"tags": {}}


def test_streams_are_described_by_name_and_by_time_of_their_last_event():
    logs = Logs()
    logs.a_stream("/g", "a", (0, "x"), (30, "y"))
    logs.a_stream("/g", "b", (20, "x"))
    logs.create_log_stream(logGroupName="/g", logStreamName="c")
    streams = logs.describe_log_streams(logGroupName="/g")["logStreams"]
    assert [one["logStreamName"] for one in streams] == ["a", "b", "c"]
    assert streams[0]["firstEventTimestamp"] == NOW_MS
    assert streams[0]["lastEventTimestamp"] == streams[0]["lastIngestionTime"] == NOW_MS + 30
    assert streams[0]["arn"] == f"{ARN}:log-stream:a"
    assert "lastEventTimestamp" not in streams[2]
    assert streams[2]["creationTime"] == NOW_MS
    newest = logs.describe_log_streams(logGroupName="/g", orderBy="LastEventTime", descending=True)
    assert [one["logStreamName"] for one in newest["logStreams"]] == ["a", "b", "c"]
    logs.delete_log_stream(logGroupName="/g", logStreamName="a")
    assert len(logs.describe_log_streams(logGroupIdentifier=f"{ARN}:*")["logStreams"]) == 2


@pytest.mark.parametrize("order", [{}, {"descending": True}, {"orderBy": "LastEventTime", "descending": True}])
def test_streams_paged_at_any_size_are_the_whole_list(order):
    logs = Logs()
    for number in range(7):
        logs.a_stream("/g", f"s{number}", (number % 3, "x"))
    whole = [one["logStreamName"] for one in logs.describe_log_streams(logGroupName="/g", **order)["logStreams"]]
    for limit in (1, 3, 7, 50):
        paged, token = [], {}
        while True:
            page = logs.describe_log_streams(logGroupName="/g", limit=limit, **order, **token)
            paged += [one["logStreamName"] for one in page["logStreams"]]
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
        assert paged == whole


def test_the_loop_of_sdk_2_ends():
    """SDK 2.x asks again with limit 50 and without the token until no token comes back."""
    logs = Logs()
    for number in (1, 2):
        logs.a_stream("/aws/sagemaker/TrainingJobs", f"job/algo-{number}-1700000000", (0, "x"))
    asked = {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamNamePrefix": "job/", "orderBy": "LogStreamName"}
    first = logs.describe_log_streams(limit=1, **asked)
    assert "nextToken" in first
    second = logs.describe_log_streams(limit=50, **asked)
    assert "nextToken" not in second
    assert len(second["logStreams"]) == 2
