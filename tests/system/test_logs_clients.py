"""CloudWatch Logs through boto3, the `aws` command line, awswrangler and the log loops of both SDKs."""

import itertools
import json
import time
from collections import Counter
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.system.conftest import SDK2, SDK3, RunningHouse
from tests.system.pointed import PROGRAMS, aws, aws_all, pointed_environment, run

pytestmark = pytest.mark.system

NOW_MS = int(time.time() * 1000)
_counted = itertools.count()


@pytest.fixture(scope="module")
def logs(shared_house: RunningHouse) -> Any:
    return boto3.session.Session().client(
        "logs",
        endpoint_url=shared_house.url,
        region_name="us-east-1",
        aws_access_key_id="123456789012",
        aws_secret_access_key="sagehouse",
        config=Config(retries={"max_attempts": 0}),
    )


@pytest.fixture
def group(logs: Any) -> str:
    name = f"/aws/sagemaker/Tests/{time.monotonic_ns()}-{next(_counted)}"
    logs.create_log_group(logGroupName=name)
    return name


def write(logs: Any, group: str, stream: str, *messages: str, at_ms: int = NOW_MS) -> None:
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": at_ms + number, "message": message} for number, message in enumerate(messages)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_seventy_streams_are_paged_by_every_client(logs, group, shared_house):
    names = [f"job/algo-{number:02}-1700000000" for number in range(70)]
    for name in names:
        write(logs, group, name, f"hello from {name}")
    paginator = logs.get_paginator("describe_log_streams")
    for size in ({}, {"PageSize": 7}):
        pages = paginator.paginate(logGroupName=group, logStreamNamePrefix="job/", PaginationConfig=size)
        assert [stream["logStreamName"] for page in pages for stream in page["logStreams"]] == names
    found = logs.get_paginator("filter_log_events").paginate(logGroupName=group, PaginationConfig={"PageSize": 9})
    assert [event["message"] for page in found for event in page["events"]] == [f"hello from {name}" for name in names]
    told = run([SDK3, PROGRAMS / "logs_sdk3.py", group, "job", "70"], pointed_environment(shared_house))
    assert told.out.splitlines() == [f"{name} hello from {name}" for name in names], told.err


def test_events_are_read_forwards_backwards_by_time_and_as_they_come(logs, group):
    write(logs, group, "s", *(f"line {number}" for number in range(25)))
    here = {"logGroupName": group, "logStreamName": "s"}

    def follow(**request: Any) -> list[str]:
        told: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = logs.get_log_events(**here, **request, **token)
            told += [event["message"] for event in page["events"]]
            following = page["nextForwardToken"]
            if token.get("nextToken") == following:
                return told
            token = {"nextToken": following}

    whole = [f"line {number}" for number in range(25)]
    assert follow(startFromHead=True, limit=4) == whole
    assert follow(startFromHead=True) == whole
    latest = logs.get_log_events(**here, limit=3)
    assert [event["message"] for event in latest["events"]] == whole[-3:]
    earlier = logs.get_log_events(**here, limit=3, nextToken=latest["nextBackwardToken"])
    assert [event["message"] for event in earlier["events"]] == whole[-6:-3]
    between = logs.get_log_events(**here, startTime=NOW_MS + 5, endTime=NOW_MS + 7, startFromHead=True)
    assert [event["message"] for event in between["events"]] == ["line 5", "line 6"]
    end = logs.get_log_events(**here, startFromHead=True)["nextForwardToken"]
    logs.put_log_events(**here, logEvents=[{"timestamp": NOW_MS + 100, "message": "late"}])
    news = logs.get_log_events(**here, startFromHead=True, nextToken=end)
    assert [event["message"] for event in news["events"]] == ["late"]


def test_the_command_line_describes_reads_filters_and_deletes(logs, shared_house):
    shell = pointed_environment(shared_house)
    group = "/by-hand"
    events = f"timestamp={NOW_MS},message=started timestamp={NOW_MS + 1},message=ERROR:boom"
    done = aws_all(
        [
            f"logs create-log-group --log-group-name {group} --tags team=ml",
            f"logs create-log-stream --log-group-name {group} --log-stream-name s",
            f"logs put-log-events --log-group-name {group} --log-stream-name s --log-events {events}",
            f"logs put-retention-policy --log-group-name {group} --retention-in-days 7",
            f"logs describe-log-groups --log-group-name-prefix {group}",
            f"logs describe-log-streams --log-group-name {group} --order-by LastEventTime --descending",
            f"logs get-log-events --log-group-name {group} --log-stream-name s --query events[].message",
            f"logs filter-log-events --log-group-name {group} --filter-pattern ERROR --query events[].message",
            f"logs list-tags-log-group --log-group-name {group}",
            f"logs delete-log-stream --log-group-name {group} --log-stream-name s",
            f"logs delete-log-group --log-group-name {group}",
        ],
        shell,
    )
    described = json.loads(done[4])["logGroups"][0]
    assert (described["logGroupName"], described["retentionInDays"]) == (group, 7)
    assert json.loads(done[5])["logStreams"][0]["lastEventTimestamp"] == NOW_MS + 1
    assert json.loads(done[6]) == ["started", "ERROR:boom"]
    assert json.loads(done[7]) == ["ERROR:boom"]
    assert json.loads(done[8]) == {"tags": {"team": "ml"}}
    refused = aws(
        [
            f"logs describe-log-streams --log-group-name {group}",
            "logs get-log-events --log-group-name /aws/sagemaker/None --log-stream-name s",
            "logs start-query --log-group-name x --start-time 1 --end-time 2 --query-string fields",
        ],
        shell,
    )
    assert [ended.status for ended in refused] == [255, 255, 255]
    assert "(ResourceNotFoundException)" in refused[0].err
    assert "The specified log group does not exist." in refused[1].err
    assert "StartQuery" in refused[2].err


def test_what_tail_does_tells_every_event_once(logs, group):
    """`aws logs tail --follow` (version 2) asks FilterLogEvents from the last event on, and drops what it knows."""
    told: list[str] = []
    known: Counter[str] = Counter()
    start = NOW_MS
    for number in range(6):
        write(logs, group, f"s{number % 3}-{number}", f"first {number}", f"second {number}", at_ms=NOW_MS + number)
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=start, PaginationConfig={"PageSize": 2}
        )
        for event in (event for page in pages for event in page["events"]):
            if not known[event["eventId"]]:
                known[event["eventId"]] += 1
                told.append(event["message"])
            start = max(start, event["timestamp"])
    assert sorted(told) == sorted(f"{word} {number}" for word in ("first", "second") for number in range(6))


def test_the_errors_have_the_words_of_aws(logs, group):
    write(logs, group, "s", "x")
    backwards = [{"timestamp": NOW_MS + 1, "message": "b"}, {"timestamp": NOW_MS, "message": "a"}]
    for operation, code, text in (
        (
            lambda: logs.create_log_group(logGroupName=group),
            "ResourceAlreadyExistsException",
            "The specified log group already exists",
        ),
        (
            lambda: logs.create_log_stream(logGroupName=group, logStreamName="s"),
            "ResourceAlreadyExistsException",
            "The specified log stream already exists",
        ),
        (
            lambda: logs.get_log_events(logGroupName=group, logStreamName="absent"),
            "ResourceNotFoundException",
            "The specified log stream does not exist.",
        ),
        (
            lambda: logs.filter_log_events(logGroupName="/absent"),
            "ResourceNotFoundException",
            "The specified log group does not exist.",
        ),
        (
            lambda: logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=backwards),
            "InvalidParameterException",
            "Log events in a single PutLogEvents request must be in chronological order.",
        ),
    ):
        with pytest.raises(ClientError) as caught:
            operation()
        error = caught.value.response
        assert error["Error"]["Code"] == code
        assert text in error["Error"]["Message"]
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize("hosts", [1, 3])
def test_the_log_loop_of_sdk_2_tells_every_line_of_every_host_once(house, hosts):
    ended = house.run(SDK2, PROGRAMS / "logs_sdk2.py", str(hosts))
    live, _, again = ended.stdout.partition("AGAIN ")
    for told in (live, again):
        for host in range(1, hosts + 1):
            for number in (0, 150, 299):
                assert told.count(f"line {number} of algo-{host}\n") == 1
        assert told.count("to standard error") == hosts
        assert told.count("tab#011and ümläut") == hosts
        assert told.count("without an end") == hosts
    job = again.split()[0]
    printed = house.cli("logs", job).stdout
    assert printed.count(" line 7 of algo-1\n") == 1
    group = "/aws/sagemaker/ProcessingJobs"
    shell = pointed_environment(house)
    told = run([SDK3, PROGRAMS / "logs_sdk3.py", group, job, str(hosts)], shell)
    assert len(told.out.splitlines()) == 303 * hosts, told.err
    wrangle = (
        "import awswrangler as wr; print(len(wr.cloudwatch.filter_log_events("
        f"'{group}', log_stream_name_prefix='{job}', filter_pattern='standard')))"
    )
    assert run([SDK2, "-c", wrangle], shell).out.strip() == str(hosts)
