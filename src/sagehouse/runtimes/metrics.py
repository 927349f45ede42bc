"""Searches logs for metrics in a process of its own, which is killed when it does not come to an end.

Python's regular expressions hold the interpreter until they are done, and `(a+)+b` on a line of sixty letters is never
done: in the house itself it would stop every answer and every job.
"""

import asyncio
import json
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path

from sagehouse.ports.metrics import LastNumbers

LIMIT_S = 10.0
"""For one expression on one page of a log, a megabyte: a thousand times what an honest one needs."""
_AT_ONCE = 4
_SOURCE = """\
import json, sys
for name in ("sagehouse", "sagehouse.domain", "sagehouse.domain.jobs"):
    package = type(sys)(name)
    package.__path__ = [sys.argv[1] + name[len("sagehouse"):].replace(".", "/")]
    sys.modules[name] = package
from sagehouse.domain.jobs.expressions import last_numbers
for found in last_numbers(*json.load(sys.stdin)):
    print(json.dumps(found), flush=True)
"""
_COMMAND = (sys.executable, "-I", "-S", "-E", "-c", _SOURCE, str(Path(__file__).parents[1]))
_log = logging.getLogger(__name__)


class ProcessMetricSearch:
    """A `MetricSearch`; few processes at a time, however many jobs end together."""

    def __init__(self, *, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def last_numbers(self, sought: Mapping[str, str], lines: Sequence[tuple[int, str]]) -> LastNumbers:
        left = dict(sought)
        found: dict[str, tuple[float, int]] = {}
        given_up: set[str] = set()
        while left:
            async with self._turns:
                await self._search(left, lines, found)
            if left:
                name = next(iter(left))
                _log.warning("metric_given_up name=%s limit_s=%g expression=%s", name, self._limit_s, left.pop(name))
                given_up.add(name)
        return LastNumbers(found=found, given_up=frozenset(given_up))

    async def _search(
        self, left: dict[str, str], lines: Sequence[tuple[int, str]], found: dict[str, tuple[float, int]]
    ) -> None:
        """Take off `left`, in its order, what has been looked for; stop at the first that needs too long."""
        process = await asyncio.create_subprocess_exec(*_COMMAND, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
        try:
            async with asyncio.timeout(self._limit_s):
                await _give(process, json.dumps([left, lines]).encode())
            for name in list(left):
                async with asyncio.timeout(self._limit_s):
                    line = await _line_of(process)
                if not line:
                    return
                _, number, at = json.loads(line)
                if number is not None:
                    found[name] = (number, at)
                del left[name]
        except TimeoutError:
            return
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _give(process: Process, data: bytes) -> None:
    assert process.stdin is not None, "asked for above"
    process.stdin.write(data)
    await process.stdin.drain()
    process.stdin.close()


async def _line_of(process: Process) -> bytes:
    assert process.stdout is not None, "asked for above"
    return await process.stdout.readline()
