"""Shorter waits: a sleep of the SDK's ends when what it waits for has changed.

SageMaker's SDKs sleep 5 to 30 s between two looks at a job. While a house is near, `time.sleep` called from their
modules asks the house to answer when something has changed instead. Sleeps of anybody else stay as they are.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import weakref
from types import FrameType
from typing import Any

_SHORTEST_S = 0.05
"""Never ask more often than this, whatever changes."""
_LONGEST_LOG_WAIT_S = 2.0
"""Loops that also print log lines come back this often while a job runs."""
_COUNTED = ("retries", "retry_with_backoff")
"""Functions of the SDK that give up after so many sleeps, however short those were."""
_real_sleep = time.sleep
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class _Changes:
    """What this process has seen of the house's changes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen = 0
        self._idle: weakref.WeakSet[Any] = weakref.WeakSet()

    def wait(self, seconds: float, names: list[str]) -> bool:
        """Return when something unseen has changed, nothing is in motion, or `seconds` have passed.

        With names, whether any of them was in motion.
        """
        query = urllib.parse.urlencode({"since": self.seen, "timeout": seconds, "name": names}, doseq=True)
        started = time.monotonic()
        try:
            with _opener.open(f"{self.url}/_sagehouse/changes?{query}", timeout=seconds + 10) as answer:
                document = json.load(answer)
            self.seen, was_moving = document["seen"], document["moving"]
        except (OSError, ValueError, KeyError, urllib.error.URLError):
            _real_sleep(max(0.0, seconds - (time.monotonic() - started)))
            return True
        _real_sleep(max(0.0, _SHORTEST_S - (time.monotonic() - started)))
        return bool(was_moving)

    def wait_for_waiter(self, seconds: float, frame: FrameType) -> None:
        """Shorten a wait of a botocore waiter. It counts its attempts, so only what it waits for may end a wait.

        Once it may look at once at a resource that does not move: that may just have ended. Then it waits as it meant
        to, for whatever it waits for is not under way here (an object of S3, a resource nobody has begun to delete).
        """
        started = time.monotonic()
        waiter = frame.f_locals.get("self")
        if waiter is None or waiter in self._idle or not _is_sagemakers(waiter):
            _real_sleep(seconds)
        elif not self.wait(seconds, _waiter_names(frame)) and time.monotonic() - started < seconds:
            self._idle.add(waiter)


def _is_sagemakers(waiter: object) -> bool:
    """Whether a botocore waiter describes resources of SageMaker: nothing else changes by itself here."""
    method = getattr(getattr(waiter, "_operation_method", None), "_client_method", None)
    meta = getattr(getattr(method, "__self__", None), "meta", None)
    return getattr(getattr(meta, "service_model", None), "service_name", "") == "sagemaker"


def _waiter_names(frame: FrameType) -> list[str]:
    """Return the strings a botocore waiter describes by: the ARN or name of the one resource it waits for."""
    asked: Any = frame.f_locals.get("kwargs", {})
    return [value for value in asked.values() if isinstance(value, str)] if isinstance(asked, dict) else []


def _forget_last_look(frame: FrameType) -> None:
    """Let a loop that also prints logs look at its job now: it counts 30 s since `last_describe_job_call` otherwise."""
    name = "last_describe_job_call"
    if name not in frame.f_locals:
        return
    frame.f_locals[name] = 0.0
    if sys.version_info < (3, 13):  # from 3.13 on f_locals writes through (PEP 667)
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))


def install(url: str) -> None:
    """Replace `time.sleep` of this process; a second call only changes the house asked."""
    changes = _Changes(url)

    def sleep(seconds: float) -> None:
        frame = sys._getframe(1)
        module = str(frame.f_globals.get("__name__", ""))
        if seconds < 1:
            _real_sleep(seconds)
        elif module == "botocore.waiter":
            changes.wait_for_waiter(seconds, frame)
        elif frame.f_code.co_name in _COUNTED:
            _real_sleep(seconds)
        elif module == "sagemaker" or module.startswith("sagemaker."):
            changes.wait(min(seconds, _LONGEST_LOG_WAIT_S), [])
            _forget_last_look(frame)
        else:
            _real_sleep(seconds)

    time.sleep = sleep  # type: ignore[assignment]  # typeshed also allows objects with __index__
