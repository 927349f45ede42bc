"""What is left to see when a job's script has ended: its last words, its message, its metrics."""

from collections.abc import Mapping

from sagehouse.controllers.jobs_directory import JobDirectory
from sagehouse.controllers.jobs_workload import log_stream
from sagehouse.domain.jobs.failure import MAX_CHARACTERS, last_traceback, last_words
from sagehouse.domain.jobs.metrics import FinalMetric, latest
from sagehouse.domain.jobs.outcome import Outcome
from sagehouse.domain.jobs.spec import Spec
from sagehouse.kit.errors import NotFound
from sagehouse.ports.metrics import MetricSearch
from sagehouse.ports.runtime import Observed
from sagehouse.ports.streams import Scope, Streams

FAILURE = "/opt/ml/output/failure"
MESSAGE = "/opt/ml/output/message"
_TAIL_EVENTS = 200
"""Enough for the longest traceback worth quoting."""
_SCAN_BYTES = 16 * 1024 * 1024
"""A metric not told in the last so many bytes of a log is no final metric: jobs should not wait for the search."""
_READ_BYTES = 4 * MAX_CHARACTERS
"""A character of UTF-8 has at most four."""


async def outcome_of(
    observed: Observed,
    *,
    spec: Spec,
    directory: JobDirectory,
    streams: Streams,
    scope: Scope,
    created_at: float,
    notes: frozenset[str] = frozenset(),
) -> Outcome:
    """Return everything later decisions need to know of a workload that no longer runs.

    `notes` are lines of its log that are not its own: they are none of its last words.
    """
    hosts = spec.cluster.hosts
    failed = next((host for host, code in observed.exit_codes.items() if code), hosts[0])
    is_failure = observed.reason not in ("stopped", "timed_out") and (
        not observed.exit_codes or any(observed.exit_codes.values())
    )
    stream = log_stream(spec.name, failed, created_at)
    failure = _text(directory, failed, FAILURE).decode(errors="replace")[:MAX_CHARACTERS]
    log = await _end_of_log(streams, scope, spec.log_group, stream) if is_failure else []
    log = [line for line in log if line not in notes]
    said = last_traceback(log) if failure else last_words(log)
    messages = [_text(directory, host, MESSAGE) for host in hosts] if spec.kind == "ProcessingJob" else []
    return Outcome(
        reason=observed.reason,
        exit_codes=dict(observed.exit_codes),
        detail=observed.detail,
        started_at=observed.started_at,
        ended_at=observed.ended_at,
        failure=failure if is_failure else "",
        last_words=said,
        log=f"{spec.log_group} {stream}",
        exit_message="".join(message.decode(errors="ignore") for message in messages)[:MAX_CHARACTERS],
        is_message_broken=any(_is_broken(message) for message in messages),
    )


async def final_metrics(
    search: MetricSearch, streams: Streams, *, scope: Scope, spec: Spec, created_at: float
) -> tuple[FinalMetric, ...]:
    """Return the last value of every metric of a job, looked for from the end of each host's log."""
    sought = {str(one["Name"]): str(one["Regex"]) for one in spec.metric_definitions}
    found = []
    for host in spec.cluster.hosts if sought else ():
        stream = log_stream(spec.name, host, created_at)
        found.append(await _scan(search, sought, streams, scope, spec.log_group, stream))
    return latest(found, spec.metric_definitions)


async def _scan(
    search: MetricSearch, sought: Mapping[str, str], streams: Streams, scope: Scope, group: str, stream: str
) -> dict[str, FinalMetric]:
    found: dict[str, FinalMetric] = {}
    left = dict(sought)
    position: int | None = None
    end = -1
    while left and position != 0:
        try:
            page = await streams.read(scope, group, stream, position=position, backwards=True)
        except NotFound:
            break  # somebody deleted the log: no reason for the job to fail
        end = page.forward if end < 0 else end
        if not page.events or end - page.backward > _SCAN_BYTES:
            break
        lines = [(event.timestamp_ms, event.message) for event in reversed(page.events)]
        numbers = await search.last_numbers(left, lines)
        for name, (value, at_ms) in numbers.found.items():
            found[name] = FinalMetric(name=name, value=value, at=at_ms / 1000)
        left = {name: left[name] for name in left if name not in numbers.found and name not in numbers.given_up}
        position = page.backward
    return found


async def _end_of_log(streams: Streams, scope: Scope, group: str, stream: str) -> list[str]:
    try:
        page = await streams.read(scope, group, stream, position=None, backwards=True, limit=_TAIL_EVENTS)
    except NotFound:
        return []
    return [event.message for event in page.events]


def _text(directory: JobDirectory, host: str, inside: str) -> bytes:
    path = directory.found(host, inside)
    if path is None or not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(_READ_BYTES)


def _is_broken(message: bytes) -> bool:
    """Whether it is no UTF-8; a character cut off by the reading limit does not count."""
    try:
        message.decode()
    except UnicodeDecodeError as problem:
        return len(message) < _READ_BYTES or problem.reason != "unexpected end of data"
    return False
