"""Log events of one stream: put and read."""

import re
from collections.abc import Sequence
from itertools import pairwise

from sagehouse.kit.document import Document
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.ports.streams import LogEvent
from sagehouse.services.logs.log_streams import SEQUENCE_TOKEN
from sagehouse.services.logs.members import DAY_MS, group_of, invalid, now_ms, scope_of

_TOKEN = re.compile(r"([fb])/(\d{56})")
_MAX_BATCH_BYTES = 1_048_576
_EVENT_OVERHEAD_BYTES = 26
_MAX_SPAN_MS = DAY_MS
_TOO_OLD_MS = 14 * DAY_MS
_TOO_NEW_MS = 2 * 3_600_000
"""Source of these: API reference, PutLogEvents."""


async def put_log_events(house: House, call: Call, request: Document) -> Document:
    """Store the events that are neither too old nor too new; the answer tells which were not."""
    group, events = request["logGroupName"], request["logEvents"]
    times = [event["timestamp"] for event in events]
    if any(later < earlier for earlier, later in pairwise(times)):
        raise invalid("Log events in a single PutLogEvents request must be in chronological order.")
    if sum(len(event["message"].encode()) + _EVENT_OVERHEAD_BYTES for event in events) > _MAX_BATCH_BYTES:
        raise invalid(f"Upload too large: at most {_MAX_BATCH_BYTES} bytes exceeded by the batch.")
    oldest = await oldest_ms(house, call, group)
    now = now_ms(call)
    expired = sum(at < oldest for at in times)
    too_old = sum(at < now - _TOO_OLD_MS for at in times)
    too_new = next((index for index, at in enumerate(times) if at > now + _TOO_NEW_MS), len(times))
    accepted = events[max(expired, too_old) : too_new]
    if accepted and accepted[-1]["timestamp"] - accepted[0]["timestamp"] > _MAX_SPAN_MS:
        raise invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
    await house.streams.append(
        scope_of(call),
        group,
        request["logStreamName"],
        [(event["timestamp"], event["message"]) for event in accepted],
    )
    rejected: Document = {}
    if expired:
        rejected["expiredLogEventEndIndex"] = expired
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if too_new < len(times):
        rejected["tooNewLogEventStartIndex"] = too_new
    return {"nextSequenceToken": SEQUENCE_TOKEN, **({"rejectedLogEventsInfo": rejected} if rejected else {})}


async def get_log_events(house: House, call: Call, request: Document) -> Document:
    """Return a page and the tokens around it; at the end, the token that was given."""
    group = group_of(request)
    is_backwards, position = _place(request)
    start_ms = max(request.get("startTime", 0), await oldest_ms(house, call, group))
    page = await house.streams.read(
        scope_of(call),
        group,
        request["logStreamName"],
        position=position,
        backwards=is_backwards,
        start_ms=start_ms or None,
        end_ms=request.get("endTime"),
        limit=request.get("limit", 10_000),
    )
    forward, backward = page.forward, page.backward
    if position is not None and not page.events:
        forward = backward = position
    return {
        "events": _presented(page.events),
        "nextForwardToken": f"f/{forward:056d}",
        "nextBackwardToken": f"b/{backward:056d}",
    }


async def oldest_ms(house: House, call: Call, group: str) -> int:
    """Return the time before which events of a group have expired; 0 if they never do."""
    days = await house.streams.retention(scope_of(call), group)
    return 0 if days is None else now_ms(call) - days * DAY_MS


def _place(request: Document) -> tuple[bool, int | None]:
    """Return whether to read backwards, and from where; the token knows its direction."""
    token = request.get("nextToken")
    if token is None:
        return not request.get("startFromHead"), None
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise invalid("The specified nextToken is invalid.")
    return match[1] == "b", int(match[2])


def _presented(events: Sequence[LogEvent]) -> list[Document]:
    return [
        {"timestamp": event.timestamp_ms, "message": event.message, "ingestionTime": event.timestamp_ms}
        for event in events
    ]
