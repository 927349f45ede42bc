"""What the runtime keeps of a workload on disk, and who may say that it lives. Shared by both halves.

`<workload directory>/.workload/<id>/`, readable by its owner alone:

    spec      what to run (marshal: the same interpreter writes and reads it within milliseconds)
    lock      locked by the supervisor as long as it lives; the lock, not a process id, is liveness
    began     made once under the lock, before anything runs; holds the supervisor's process id
    control   FIFO on which the supervisor hears "stop SECONDS"
    status    JSON, replaced whole: when it started; later when, how and why it ended
    groups    control groups to remove, one path a line
    reserve   room for the last status, given up when the disk is full
    errors    what the supervisor said on its standard error
    hosts/N/  the writable layer of host N's root, and its overlays
"""

from __future__ import annotations

import fcntl
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    class HostSpec(TypedDict):
        name: str
        log: str
        address: str
        mounts: list[tuple[str, str, str]]
        files: dict[str, str]
        environment: dict[str, str]

    class Spec(TypedDict):
        id: str
        command: list[str]
        hosts: list[HostSpec]
        working_directory: str
        is_network_isolated: bool
        memory_limit_bytes: int | None
        cpu_limit: float | None
        max_runtime_s: float | None
        stop_grace_s: float


FOLDER = ".workload"
SPEC = "spec"
LOCK = "lock"
BEGAN = "began"
CONTROL = "control"
STATUS = "status"
GROUPS = "groups"
RESERVE = "reserve"
ERRORS = "errors"
HOSTS = "hosts"

_FLOCK = "hhqqi0q"  # struct flock on 64-bit Linux: type, whence, start, length, pid, padding


def open_lock(state: str) -> int:
    """Return a descriptor of the lock file; FileNotFoundError if the workload was never here."""
    return os.open(os.path.join(state, LOCK), os.O_RDWR | os.O_CLOEXEC)


def take(lock: int) -> bool:
    """Whether the lock is now this open file's: until the last process that inherited it has closed it."""
    wish = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, wish)
    except (BlockingIOError, PermissionError):
        return False
    return True


def is_held(lock: int) -> bool:
    """Whether somebody else holds the lock. Looks without touching, so that looking never gets in a starter's way."""
    wish = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    found: int = struct.unpack(_FLOCK, fcntl.fcntl(lock, fcntl.F_OFD_GETLK, wish))[0]
    return found != fcntl.F_UNLCK


def replace(path: str, data: bytes, *, is_durable: bool) -> None:
    """Make a file hold exactly `data`, never less, whoever reads it whenever."""
    temporary = f"{path}.{os.urandom(6).hex()}"  # two starters may write at once
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        if is_durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(temporary, path)
    if is_durable:
        directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def status_json(
    *,
    started_at: float | None,
    ended_at: float | None = None,
    reason: str = "",
    detail: str = "",
    exit_codes: dict[str, int] | None = None,
) -> bytes:
    """Return the status document. Written by hand: importing json would cost every start 7 ms."""
    codes = ", ".join(f"{_quoted(name)}: {code}" for name, code in (exit_codes or {}).items())
    return (
        f'{{"started_at": {_number(started_at)}, "ended_at": {_number(ended_at)}, "reason": {_quoted(reason)}, '
        f'"detail": {_quoted(detail)}, "exit_codes": {{{codes}}}}}\n'
    ).encode()


def _number(value: float | None) -> str:
    return "null" if value is None else f"{value:.6f}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if " " <= c < "\ud800" else f"\\u{ord(c) & 0xFFFF:04x}" for c in escaped) + '"'
