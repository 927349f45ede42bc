"""Log events put, read and filtered."""

import pytest
from tests.unit.services_logs.house import NOW_MS, Logs

from sagehouse.kit.errors import Invalid, NotFound
from sagehouse.services.logs import filtering

DAY_MS = 86_400_000
IN = {"logGroupName": "/g", "logStreamName": "s"}


def a_stream(count: int) -> Logs:
    logs = Logs()
    logs.a_stream("/g", "s", *((number, f"line {number}") for number in range(count)))
    return logs


def put(logs: Logs, *events: tuple[int, str]) -> dict:
    return logs.put_log_events(**IN, logEvents=[{"timestamp": NOW_MS + at, "message": text} for at, text in events])


def messages(page: dict) -> list[str]:
    return [event["message"] for event in page["events"]]


def test_what_is_put_is_read():
    logs = a_stream(0)
    assert "nextSequenceToken" in put(logs, (-5, "one\ntwo"), (0, "é"))
    page = logs.get_log_events(**IN, startFromHead=True)
    assert page["events"] == [
        {"timestamp": NOW_MS - 5, "message": "one\ntwo", "ingestionTime": NOW_MS - 5},
        {"timestamp": NOW_MS, "message": "é", "ingestionTime": NOW_MS},
    ]


def test_a_batch_keeps_its_order_its_size_and_its_day():
    logs = a_stream(0)
    with pytest.raises(Invalid, match="must be in chronological order"):
        put(logs, (1, "b"), (0, "a"))
    with pytest.raises(Invalid, match="cannot span more than 24 hours"):
        put(logs, (-DAY_MS - 1, "a"), (0, "b"))
    with pytest.raises(Invalid, match="at most 1048576 bytes"):
        put(logs, (0, "x" * 1_048_576))


def test_events_too_old_too_new_or_expired_are_told_and_the_others_kept():
    logs = a_stream(0)
    answer = put(logs, (-15 * DAY_MS, "old"), (0, "kept"), (2 * 3_600_000 + 1, "new"))
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}
    logs.put_retention_policy(logGroupName="/g", retentionInDays=1)
    answer = put(logs, (-2 * DAY_MS, "expired"), (1, "kept too"))
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    assert messages(logs.get_log_events(**IN)) == ["kept", "kept too"]


def test_events_beyond_the_retention_are_not_read():
    logs = Logs()
    logs.a_stream("/g", "s", (-3 * DAY_MS, "old"), (0, "new"))
    logs.put_retention_policy(logGroupName="/g", retentionInDays=1)
    assert messages(logs.get_log_events(**IN, startFromHead=True)) == ["new"]
    assert messages(logs.filter_log_events(logGroupName="/g")) == ["new"]


def test_without_a_direction_the_latest_events_come_first_in_order():
    page = a_stream(5).get_log_events(**IN, limit=2)
    assert messages(page) == ["line 3", "line 4"]


@pytest.mark.parametrize("is_from_head", [True, False])
def test_following_the_tokens_tells_everything_once_and_ends_at_the_same_token(is_from_head):
    logs = a_stream(7)
    page = logs.get_log_events(**IN, startFromHead=is_from_head, limit=3)
    name = "nextForwardToken" if is_from_head else "nextBackwardToken"
    told = []
    while page["events"]:
        told = told + messages(page) if is_from_head else messages(page) + told
        token = page[name]
        page = logs.get_log_events(**IN, startFromHead=is_from_head, limit=3, nextToken=token)
    assert told == [f"line {number}" for number in range(7)]
    assert page[name] == token
    again = logs.get_log_events(**IN, startFromHead=is_from_head, limit=3, nextToken=page[name])
    assert (again["events"], again[name]) == ([], token)


def test_the_forward_token_of_the_end_tells_what_comes_later():
    logs = a_stream(2)
    page = logs.get_log_events(**IN)
    put(logs, (50, "later"))
    assert messages(logs.get_log_events(**IN, startFromHead=True, nextToken=page["nextForwardToken"])) == ["later"]


def test_an_empty_stream_has_tokens():
    page = a_stream(0).get_log_events(**IN, startFromHead=True)
    assert page == {"events": [], "nextForwardToken": f"f/{0:056d}", "nextBackwardToken": f"b/{0:056d}"}


def test_times_bound_the_events_the_end_excluded():
    page = a_stream(6).get_log_events(**IN, startTime=NOW_MS + 2, endTime=NOW_MS + 4, startFromHead=True)
    assert messages(page) == ["line 2", "line 3"]


def test_a_token_that_is_none_is_refused():
    with pytest.raises(Invalid, match="The specified nextToken is invalid"):
        a_stream(1).get_log_events(**IN, nextToken="f/12")


def several() -> Logs:
    logs = Logs()
    logs.a_stream("/g", "one", *((number * 2, f"one {number}") for number in range(6)))
    logs.a_stream("/g", "two", *((number * 3, f"two {number}") for number in range(5)))
    logs.a_stream("/g", "other", (4, "other ERROR"))
    logs.create_log_stream(logGroupName="/g", logStreamName="empty")
    return logs


def test_the_events_of_all_streams_are_told_by_time():
    events = several().filter_log_events(logGroupName="/g")["events"]
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)
    assert len(events) == len({event["eventId"] for event in events}) == 12
    assert events[0] == {
        "logStreamName": "one",
        "timestamp": NOW_MS,
        "message": "one 0",
        "ingestionTime": NOW_MS,
        "eventId": events[0]["eventId"],
    }


@pytest.mark.parametrize("is_from_head", [True, False])
def test_filtered_events_paged_at_any_size_are_the_whole(is_from_head):
    logs = several()
    whole = messages(logs.filter_log_events(logGroupName="/g", startFromHead=is_from_head))
    if not is_from_head:
        times = [
            event["timestamp"] for event in logs.filter_log_events(logGroupName="/g", startFromHead=False)["events"]
        ]
        assert times == sorted(times, reverse=True)
    for limit in (1, 2, 5, 12, 100):
        paged, token = [], {}
        while True:
            page = logs.filter_log_events(logGroupName="/g", limit=limit, startFromHead=is_from_head, **token)
            paged += messages(page)
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
        assert paged == whole


def test_a_rare_match_is_found_across_pages_that_hold_nothing(monkeypatch):
    monkeypatch.setattr(filtering, "_LOOKED_THROUGH", 3)
    logs, found, token, pages = several(), [], {}, 0
    while True:
        page = logs.filter_log_events(logGroupName="/g", filterPattern="ERROR", **token)
        found, pages = found + messages(page), pages + 1
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert (found, pages) == (["other ERROR"], 4)


def test_streams_and_times_choose_the_events():
    logs = several()
    named = logs.filter_log_events(logGroupName="/g", logStreamNames=["one", "one"], startTime=NOW_MS + 8)
    assert messages(named) == ["one 4", "one 5"]
    until = logs.filter_log_events(logGroupName="/g", logStreamNamePrefix="t", endTime=NOW_MS + 3)
    assert messages(until) == ["two 0", "two 1"]
    with pytest.raises(NotFound, match="The specified log stream does not exist"):
        logs.filter_log_events(logGroupName="/g", logStreamNames=["absent"])
    with pytest.raises(Invalid):
        logs.filter_log_events(logGroupName="/g", logStreamNames=["one"], logStreamNamePrefix="t")
