"""Runs the promises of one program in its own interpreter and says which were kept.

A promise is a function; its name is the sentence. The programs beside this file are ordinary SageMaker SDK code.
"""

import contextlib
import io
import json
import os
import re
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

_promises = []


def promise(function):
    """Register `function` to be run by `main`."""
    _promises.append(function)
    return function


class _PerThread(io.TextIOBase):
    """A stdout that keeps what each thread prints apart."""

    def __init__(self):
        self._local = threading.local()

    def buffer_of_thread(self):
        if not hasattr(self._local, "buffer"):
            self._local.buffer = io.StringIO()
        return self._local.buffer

    def write(self, text):
        return self.buffer_of_thread().write(text)

    def take(self):
        """Return what this thread has printed since it was last asked."""
        buffer = self.buffer_of_thread()
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text


_printed = _PerThread()


def printed():
    """Return what the SDK has printed in this promise since the last call."""
    return _printed.take()


@contextlib.contextmanager
def refused(kind=Exception):
    """Expect an error; the list gets the error."""
    caught = []
    try:
        yield caught
    except kind as error:
        caught.append(error)
    else:
        raise AssertionError(f"{kind} was expected, nothing was raised")


def script(directory, name, text):
    """Write a file of the program, without the indentation of its text; return its path."""
    path = Path(directory) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text).lstrip("\n"))
    return str(path)


def unique(base):
    """Return a name no other promise uses."""
    with _lock:
        _count[0] += 1
        return f"{base}-{os.getpid()}-{_count[0]}"


_lock, _count = threading.Lock(), [0]


def _kept(function):
    started = time.monotonic()
    _printed.take()
    try:
        function()
        error = ""
    except BaseException:  # noqa: BLE001 - whatever a promise ends with is reported
        error = traceback.format_exc() + "\n--- printed:\n" + _printed.take()[-4000:]
    return {"promise": function.__name__, "error": error, "seconds": round(time.monotonic() - started, 1)}


def main(workers=3):
    """Run the promises, or those whose names contain the first argument, and print a JSON line for each."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [function for function in _promises if re.search(wanted, function.__name__)]
    out, sys.stdout = sys.stdout, _printed
    with ThreadPoolExecutor(workers) as pool:
        for outcome in pool.map(_kept, chosen):
            print(json.dumps(outcome), file=out, flush=True)
