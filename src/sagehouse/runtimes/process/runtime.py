"""The process runtime: `ports.runtime.Runtime` over supervisors, which outlive it. Holds nothing in memory.

Everything it knows of a workload it reads from the workload's directory (see `ledger`), so a new one after a crash is
as good as the old one.
"""

import asyncio
import hashlib
import json
import marshal
import os
import re
import select
import subprocess
import sys
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from sagehouse.kit.errors import Conflict, Invalid, Unavailable
from sagehouse.ports.runtime import Handle, Host, Mount, Observed, Workload
from sagehouse.runtimes.process import ledger
from sagehouse.runtimes.process.doctor import namespace_advice
from sagehouse.runtimes.process.launch import bare_command
from sagehouse.runtimes.process.removal import remove_tree

if TYPE_CHECKING:
    from sagehouse.runtimes.process.ledger import HostSpec, Spec

NAME = "process"
LAUNCH_TIMEOUT_S = 30.0
LOOK_AGAIN_S = 0.02
"""Only while a supervisor is being born by somebody else; otherwise `wait` sleeps on the process itself."""

DEFAULT_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}


class ProcessRuntime:
    """Needs Linux 5.12 with user namespaces, or root; see `doctor`."""

    def __init__(self, *, interpreter: str = sys.executable) -> None:
        self.interpreter = interpreter

    async def start(self, workload: Workload) -> Handle:
        """Return once a supervisor owns the workload; what becomes of it, `poll` and `wait` tell.

        Invalid if the workload contradicts itself or would show a job the runtime's own files; Unavailable if no
        supervisor can be started.
        """
        _refuse(workload)
        handle = Handle(runtime=NAME, workload_id=workload.id, directory=str(workload.directory))
        await asyncio.to_thread(self._launch, workload, _state(handle))
        return handle

    async def poll(self, handle: Handle) -> Observed:
        state = _state(handle)
        status = _status(state)
        if status.get("ended_at") is not None:
            return _ended(status)
        if _is_alive(state):
            return Observed(is_running=True, started_at=status.get("started_at"))
        status = _status(state)  # it may have ended between the two looks
        return _ended(status) if status.get("ended_at") is not None else _lost(state, status)

    async def wait(self, handle: Handle) -> Observed:
        while (observed := await self.poll(handle)).is_running:
            supervisor = _pidfd(_state(handle))
            if supervisor is None:
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            try:
                if _is_alive(_state(handle)):  # so the process id was the supervisor's when it was looked up
                    await _readable(supervisor)
            finally:
                os.close(supervisor)
        return observed

    async def stop(self, handle: Handle, *, grace_s: float | None = None) -> None:
        word = b"stop\n" if grace_s is None else b"stop %f\n" % grace_s
        state = _state(handle)
        while _is_alive(state):
            with suppress(OSError):  # nobody reads yet, or no longer
                control = os.open(state / ledger.CONTROL, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                try:
                    os.write(control, word)
                finally:
                    os.close(control)
                return
            await asyncio.sleep(LOOK_AGAIN_S)

    async def forget(self, handle: Handle) -> None:
        """Remove what the runtime kept; Conflict if the workload still runs."""
        if (await self.poll(handle)).is_running:
            raise Conflict(f"Workload {handle.workload_id!r} still runs; stop it before it is forgotten.")
        await asyncio.to_thread(_remove, _state(handle))

    async def kill_all(self, roots: Iterable[Path]) -> None:
        """Kill every workload whose directory lies at most three levels below one of `roots`; return once all ended."""
        found = await asyncio.to_thread(lambda: [state for root in roots for state in _ledgers(root)])
        handles = [
            Handle(runtime=NAME, workload_id=state.name, directory=str(state.parent.parent))
            for state in found
            if _is_alive(state)
        ]
        for handle in handles:
            await self.stop(handle, grace_s=0)
        for handle in handles:
            await self.wait(handle)

    def _launch(self, workload: Workload, state: Path) -> None:
        """Start a supervisor unless the workload has had one. Whoever comes second, even meanwhile, changes nothing."""
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            if (state / ledger.BEGAN).exists():
                return
            spec = marshal.dumps(dict(_spec(workload)))
            ledger.replace(str(state / ledger.SPEC), spec, is_durable=False)
            (state / ledger.LOCK).touch(mode=0o600)
            with suppress(FileExistsError):
                os.mkfifo(state / ledger.CONTROL, 0o600)
            with (state / ledger.ERRORS).open("ab") as errors:
                process = subprocess.Popen(
                    bare_command(self.interpreter, "supervisor", str(state)),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    cwd="/",
                    env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
                    start_new_session=True,
                )
            _await_success(process, timeout_s=LAUNCH_TIMEOUT_S)
        except (OSError, subprocess.SubprocessError) as error:
            words = _last_words(state)
            raise Unavailable(f"Workload {workload.id!r} could not be started in {state}: {words or error}") from error


def _ledgers(root: Path) -> Iterable[Path]:
    """Yield the ledger of every workload below a directory, without looking into what workloads see."""
    for depth in range(4):
        yield from root.glob("/".join(["*"] * depth + [ledger.FOLDER, "*"]))


def _state(handle: Handle) -> Path:
    """Return where a workload's ledger is: known from directory and id alone, before anything is started."""
    name = handle.workload_id
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", name):
        name = hashlib.sha256(name.encode()).hexdigest()
    return Path(handle.directory).absolute() / ledger.FOLDER / name


def _refuse(workload: Workload) -> None:
    if not workload.command or not workload.hosts:
        raise Invalid(f"Workload {workload.id!r} needs a command and at least one host.")
    directory = Path(os.path.realpath(workload.directory))
    for mount in _mounts(workload):
        target = PurePosixPath(mount.target)
        if not target.is_absolute() or ".." in target.parts or len(target.parts) < 2 or target.parts[1] == "proc":
            raise Invalid(
                f"Mount target {mount.target!r} of workload {workload.id!r} is not an absolute path below /, "
                "without '..' and outside /proc."
            )
        if directory.is_relative_to(os.path.realpath(mount.source)):
            raise Invalid(
                f"Mount {mount.source} of workload {workload.id!r} would show it the runtime's own files in "
                f"{workload.directory}; mount a directory beside or below them."
            )


def _mounts(workload: Workload) -> Iterable[Mount]:
    yield from workload.mounts
    for host in workload.hosts:
        yield from host.mounts


def _spec(workload: Workload) -> "Spec":
    return {
        "id": workload.id,
        "command": [str(word) for word in workload.command],
        "hosts": [_host_spec(workload, host, number) for number, host in enumerate(workload.hosts)],
        "working_directory": workload.working_directory,
        "is_network_isolated": workload.is_network_isolated,
        "memory_limit_bytes": workload.memory_limit_bytes,
        "cpu_limit": workload.cpu_limit,
        "max_runtime_s": workload.max_runtime_s,
        "stop_grace_s": workload.stop_grace_s,
    }


def _host_spec(workload: Workload, host: Host, number: int) -> "HostSpec":
    environment = {**DEFAULT_ENVIRONMENT, "HOSTNAME": host.name, **workload.environment, **host.environment}
    return {
        "name": host.name,
        "log": str(host.log.absolute()),
        "address": _address(workload, number),
        "mounts": [
            (os.path.realpath(mount.source), mount.target, mount.access) for mount in (*workload.mounts, *host.mounts)
        ],
        "files": dict(host.files),
        "environment": {str(name): str(value) for name, value in environment.items()},
    }


def _address(workload: Workload, number: int) -> str:
    """Return a host's loopback address: the usual one, or for several hosts one each, different between workloads."""
    if len(workload.hosts) == 1:
        return "127.0.0.1"
    block = zlib.crc32(f"{workload.directory}/{workload.id}".encode())
    third, last = divmod(number, 254)
    return f"127.{1 + block % 254}.{(block // 254 + third) % 256}.{1 + last}"


def _status(state: Path) -> dict[str, Any]:
    try:
        status: dict[str, Any] = json.loads((state / ledger.STATUS).read_bytes())
    except FileNotFoundError:
        return {}
    return status


def _ended(status: dict[str, Any]) -> Observed:
    detail = status["detail"]
    if status["reason"] == "failed_to_start" and (advice := namespace_advice(detail)):
        detail = f"{detail}. {advice}"
    return Observed(
        is_running=False,
        started_at=status["started_at"],
        ended_at=status["ended_at"],
        exit_codes=status["exit_codes"],
        reason=status["reason"],
        detail=detail,
    )


def _lost(state: Path, status: dict[str, Any]) -> Observed:
    detail = _last_words(state) or "the supervisor ended without a word: it was killed, or the machine restarted"
    return Observed(is_running=False, started_at=status.get("started_at"), reason="lost", detail=detail)


def _last_words(state: Path) -> str:
    """Return the last line a supervisor wrote to its standard error, "" if it wrote none."""
    try:
        lines = (state / ledger.ERRORS).read_text(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _is_alive(state: Path) -> bool:
    try:
        lock = ledger.open_lock(str(state))
    except FileNotFoundError:
        return False
    try:
        return ledger.is_held(lock)
    finally:
        os.close(lock)


def _pidfd(state: Path) -> int | None:
    """Return a descriptor of what may be the supervisor, None if its process id is not written yet or is gone."""
    try:
        return os.pidfd_open(int((state / ledger.BEGAN).read_bytes()))
    except (OSError, ValueError):
        return None


def _await_success(process: subprocess.Popen[bytes], *, timeout_s: float) -> None:
    """Return as soon as a process has ended well; `subprocess` itself would look only every now and then."""
    pidfd = os.pidfd_open(process.pid)
    ended = select.poll()
    ended.register(pidfd, select.POLLIN)
    try:
        if not ended.poll(timeout_s * 1000):
            process.kill()
    finally:
        os.close(pidfd)
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, process.args)


async def _readable(descriptor: int) -> None:
    """Return when a descriptor can be read: a process's, when it has ended."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not done.done():
            done.set_result(None)

    loop.add_reader(descriptor, tell)
    try:
        await done
    finally:
        loop.remove_reader(descriptor)


def _remove(state: Path) -> None:
    with suppress(OSError):
        for path in (state / ledger.GROUPS).read_text().splitlines():
            with suppress(OSError):
                Path(path).rmdir()
    remove_tree(state)
    with suppress(OSError):
        state.parent.rmdir()
