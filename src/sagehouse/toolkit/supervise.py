"""Runs the user's code in a child and listens to its standard error, to know its last words.

Standard output is the child's own; standard error passes through here as it comes, byte for byte. The child is forked,
not started: it begins in the time of a fork.
"""

import os
import select
import signal
import sys

_TAIL = 64 * 1024
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)


class Ended:
    """How the child ended: `code` is 128 + n for signal n; `stderr` is the tail of what it said."""

    def __init__(self, code, stderr):
        self.code = code
        self.stderr = stderr


def run(action):
    """Run `action()` in a forked child and return how it ended.

    In the child this never returns: it exits with what `action` returned (an exit code), after the interpreter's usual
    end (atexit, threads), or as the action's own SystemExit says. Signals to this process are passed on.
    """
    reading, writing = os.pipe()
    awake, waking = os.pipe()
    os.set_blocking(waking, False)
    child = {"pid": 0, "early": None}

    def forward(number, _frame):
        if child["pid"]:
            _signal(child["pid"], number)
        else:
            child["early"] = number

    previous = {number: signal.signal(number, forward) for number in _FORWARDED}
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.dup2(writing, 2)
        for descriptor in (reading, writing, awake, waking):
            os.close(descriptor)
        sys.exit(action())
    child["pid"] = pid
    if child["early"]:
        _signal(pid, child["early"])
    os.close(writing)
    return _listen(pid, reading, awake)


def _listen(pid, reading, awake):
    tail = b""
    watched = [reading, awake]
    status = None
    while status is None:
        ready, _, _ = select.select(watched, [], [])
        if awake in ready:
            os.read(awake, 4096)
        if reading in ready:
            data = os.read(reading, 65536)
            if data:
                _pass_on(data)
                tail = (tail + data)[-_TAIL:]
            else:
                watched.remove(reading)
        ended, how = os.waitpid(pid, os.WNOHANG)
        status = how if ended else None
    os.set_blocking(reading, False)
    while True:
        try:
            data = os.read(reading, 65536)
        except BlockingIOError:  # a process the script left behind still holds it
            break
        if not data:
            break
        _pass_on(data)
        tail = (tail + data)[-_TAIL:]
    return Ended(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status), tail)


def _pass_on(data):
    while data:
        data = data[os.write(2, data) :]


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
