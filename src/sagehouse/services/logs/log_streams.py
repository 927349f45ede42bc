"""Log streams: created, listed, deleted."""

from collections.abc import Sequence

from sagehouse.kit.document import Document
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.ports.streams import LogStream
from sagehouse.services.logs.members import group_arn, group_of, invalid, read_token, scope_of, write_token

_PAGE = 50
"""Source: API reference, DescribeLogStreams, limit."""
SEQUENCE_TOKEN = "49590302938290893285901093285908302938290893285901093285"  # noqa: S105 - ignored by everybody since 2023
"""Kept in answers for old programs; any token is accepted. Source: API reference, PutLogEvents."""


async def create_log_stream(house: House, call: Call, request: Document) -> Document:
    await house.streams.create_stream(scope_of(call), request["logGroupName"], request["logStreamName"], now=call.now)
    return {}


async def delete_log_stream(house: House, call: Call, request: Document) -> Document:
    await house.streams.delete_stream(scope_of(call), request["logGroupName"], request["logStreamName"])
    return {}


async def describe_log_streams(house: House, call: Call, request: Document) -> Document:
    """Return a page of streams; `nextToken` only when more follow, for SDK 2.x repeats the call until there is none."""
    group = group_of(request)
    by_time = request.get("orderBy") == "LastEventTime"
    prefix = request.get("logStreamNamePrefix", "")
    if by_time and prefix:
        raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    is_descending = bool(request.get("descending"))
    found = list(await house.streams.streams(scope_of(call), group, prefix=prefix))
    found.sort(key=lambda stream: _rank(stream, by_time=by_time), reverse=is_descending)
    resumed = read_token(request.get("nextToken"), int, str)
    if resumed:
        after = (resumed[0], resumed[1])
        found = [one for one in found if _follows(_rank(one, by_time=by_time), after, is_descending=is_descending)]
    limit = request.get("limit", _PAGE)
    page: Sequence[LogStream] = found[:limit]
    described: Document = {"logStreams": [_described(call, group, stream) for stream in page]}
    if len(found) > limit:
        described["nextToken"] = write_token(*_rank(page[-1], by_time=by_time))
    return described


def _rank(stream: LogStream, *, by_time: bool) -> tuple[int, str]:
    return ((stream.last_event_ms or 0) if by_time else 0, stream.name)


def _follows(rank: tuple[int, str], after: tuple[int, str], *, is_descending: bool) -> bool:
    return rank < after if is_descending else rank > after


def _described(call: Call, group: str, stream: LogStream) -> Document:
    described: Document = {
        "logStreamName": stream.name,
        "creationTime": int(stream.created_at * 1000),
        "arn": f"{group_arn(call, group)}:log-stream:{stream.name}",
        "uploadSequenceToken": SEQUENCE_TOKEN,
        "storedBytes": 0,  # as AWS answers since 2019; the group's storedBytes is the one that counts
    }
    if stream.last_event_ms is not None:
        described["firstEventTimestamp"] = stream.first_event_ms
        described["lastEventTimestamp"] = stream.last_event_ms
        described["lastIngestionTime"] = stream.last_event_ms
    return described
