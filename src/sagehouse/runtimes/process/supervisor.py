"""The process that owns a running workload: starts its hosts, writes their logs, enforces limits, records the end.

Run by `runtime` as a bare interpreter in a session of its own; it outlives whoever started it. One thread, one epoll.
"""

from __future__ import annotations

import marshal
import os
import select
import sys
import time
from errno import EDQUOT, ENOSPC

from sagehouse.runtimes.process import host as hosts
from sagehouse.runtimes.process import kernel, ledger, limits
from sagehouse.runtimes.process.logfile import LogFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as signals
    from collections.abc import Callable

    from sagehouse.runtimes.process.ledger import HostSpec, Spec
else:
    import _signal as signals  # the part in C: without enum, 3 ms sooner

CHUNK_BYTES = 256 * 1024
WATCH_S, GLANCE_S = 0.05, 1.0
"""Between looks at what a host uses, where no control group keeps the limit, and at whether its group refused more."""
PEER_GRACE_S = 10.0
"""How long the other hosts of a workload get after one has failed."""
RESERVE_BYTES = 64 * 1024
"""Kept free, so that the end can be recorded on a disk that the workload has filled."""
LOOK_S = 5.0
"""Between looks whether the workload's directory is still there."""
FULL = (b"No space left on device", b"Disk quota exceeded")


class Running:
    """One host under way. `exit_code` is None until its init is gone and its output is on disk."""

    def __init__(self, spec: HostSpec, group: limits.Group, log: LogFile) -> None:
        self.spec = spec
        self.group = group
        self.log = log
        self.started: hosts.Started | None = None
        self.pidfd = -1
        self.is_ready = False
        self.news = b""
        self.exit_code: int | None = None


class Supervisor:
    """`reason` is the first thing that ended the workload, "" while nothing has; `codes` hold the first end first."""

    def __init__(self, state: str, spec: Spec, *, control: int, lock: int) -> None:
        self.state = state
        self.spec = spec
        self.control = control
        self.lock = lock
        self.epoll = select.epoll()
        self.handlers: dict[int, tuple[Callable[[Running], None], Running]] = {}
        self.running: list[Running] = []
        self.codes: dict[str, int] = {}
        self.started_at: float | None = None
        self.reason = ""
        self.detail = ""
        self.kill_at: float | None = None
        self.stop_at: float | None = None
        self.look_at = 0.0
        self.oom_kills = limits.host_oom_kills()

    def run(self) -> None:
        """Run the workload to its end and record it."""
        self.epoll.register(self.control, select.EPOLLIN)
        try:
            self._launch()
            while any(host.exit_code is None for host in self.running):
                self._turn()
        except Exception as error:  # noqa: BLE001 - whatever went wrong, no process may stay and the end be recorded
            is_full = isinstance(error, OSError) and error.errno in {ENOSPC, EDQUOT}
            self._fail_to_start(error) if self.started_at is None or is_full else self._end("lost", repr(error))
            self._kill()
            sys.excepthook(type(error), error, error.__traceback__)
            for host in self.running:
                self._bury(host)
        self._record()
        self._make_room()

    def _launch(self) -> None:
        shared = hosts.Namespaces()
        hosts_file = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" + "".join(
            f"{host['address']} {host['name']}\n" for host in self.spec["hosts"]
        )
        for number, spec in enumerate(self.spec["hosts"]):
            name = f"sagehouse-{os.getpid()}-{number}"
            group = limits.make_group(
                name, memory_limit_bytes=self.spec["memory_limit_bytes"], cpu_limit=self.spec["cpu_limit"]
            )
            host = Running(spec, group, LogFile(spec["log"]))
            self.running.append(host)
            if group.paths:
                paths = [path for other in self.running for path in other.group.paths]
                ledger.replace(f"{self.state}/{ledger.GROUPS}", "\n".join(paths).encode(), is_durable=False)
            folder = f"{self.state}/{ledger.HOSTS}/{number}"
            started = hosts.start(self.spec, spec, folder, hosts_file=hosts_file, shared=shared, group=group)
            host.started = started
            host.pidfd = os.pidfd_open(started.init)
            self._listen(started.output, self._on_output, host)
            self._listen(started.news, self._on_news, host)
            self._listen(host.pidfd, self._bury, host)

    def _listen(self, descriptor: int, handler: Callable[[Running], None], host: Running) -> None:
        self.handlers[descriptor] = handler, host
        self.epoll.register(descriptor, select.EPOLLIN)

    def _forget(self, descriptor: int) -> None:
        if self.handlers.pop(descriptor, None):
            self.epoll.unregister(descriptor)
            os.close(descriptor)

    def _turn(self) -> None:
        """Wait for what comes next, a descriptor or a deadline, and deal with it."""
        now = time.monotonic()
        deadlines = [now + LOOK_S, *(at for at in (self.stop_at, self.kill_at) if at is not None)]
        if self._living():
            deadlines.append(self.look_at)
        for descriptor, _ in self.epoll.poll(max(0.0, min(deadlines) - now)):
            if descriptor == self.control:
                self._on_control()
            elif descriptor in self.handlers:
                handler, host = self.handlers[descriptor]
                handler(host)
        now = time.monotonic()
        if os.fstat(self.lock).st_nlink == 0 and self.reason != "lost":
            self._end("lost", "its directory was removed")  # so nobody could find it to stop it
            self._kill()
        if self.stop_at is not None and now >= self.stop_at:
            self.stop_at = None
            self._stop("timed_out", self.spec["stop_grace_s"])
        if self.kill_at is not None and now >= self.kill_at:
            self.kill_at = None
            self._kill()
        if now >= self.look_at:
            self.look_at = now + (WATCH_S if any(map(self._is_unkept, self._living())) else GLANCE_S)
            for host in self._living():
                self._look_after(host)

    def _on_control(self) -> None:
        for line in os.read(self.control, 4096).splitlines():
            grace = line.removeprefix(b"stop").strip()
            self._stop("stopped", float(grace) if grace else self.spec["stop_grace_s"])

    def _on_output(self, host: Running) -> None:
        if host.started is None:
            return
        try:
            chunk = os.read(host.started.output, CHUNK_BYTES)
        except BlockingIOError:
            return
        if not chunk:
            self._forget(host.started.output)
        elif self.reason != "disk_full":
            self._append(host, chunk)

    def _append(self, host: Running, chunk: bytes) -> None:
        try:
            host.log.feed(chunk)
        except OSError as error:
            full = error.errno in {ENOSPC, EDQUOT}
            self._end("disk_full" if full else "lost", f"the log {host.spec['log']} cannot be written: {error}")
            self._kill()

    def _on_news(self, host: Running) -> None:
        if host.started is None:
            return
        word = os.read(host.started.news, 4096)
        host.news += word
        if not word:
            self._forget(host.started.news)
            self._on_started(host)
        elif host.news == b"ready\n":
            host.is_ready, host.news = True, b""
            if all(other.is_ready for other in self.running) and not self.reason:
                self._go()
        elif host.news.endswith(b"\n"):
            _, number, text = host.news.decode(errors="replace").split(" ", 2)
            self._fail_to_start(OSError(int(number), text.strip()))
            self._kill(but=host)  # which ends by itself, with the exit code that says why

    def _go(self) -> None:
        for host in self.running:
            if host.started:
                os.write(host.started.go, b"g")  # stays open: init takes its end for the supervisor's death

    def _on_started(self, host: Running) -> None:
        """Note that a command has begun: init's end of the pipe is closed and it told no error."""
        if self.started_at is None and host.is_ready and not self.reason:
            self.started_at = time.time()
            if self.spec["max_runtime_s"] is not None:
                self.stop_at = time.monotonic() + self.spec["max_runtime_s"]
            status = ledger.status_json(started_at=self.started_at)
            ledger.replace(f"{self.state}/{ledger.STATUS}", status, is_durable=False)

    def _stop(self, reason: str, grace_s: float) -> None:
        """Begin the stop protocol: SIGTERM now (once), SIGKILL after the grace; a shorter grace may follow."""
        is_first = self.kill_at is None
        self._end(reason, "")
        kill_at = time.monotonic() + grace_s
        self.kill_at = kill_at if self.kill_at is None else min(self.kill_at, kill_at)
        if grace_s <= 0 or self.started_at is None:
            self._kill()
        elif is_first:
            self._signal(signals.SIGTERM)

    def _kill(self, *, but: Running | None = None) -> None:
        self._signal(signals.SIGKILL, but=but)

    def _signal(self, number: int, *, but: Running | None = None) -> None:
        for host in self.running:
            if host.exit_code is None and host.pidfd >= 0 and host is not but:
                try:
                    signals.pidfd_send_signal(host.pidfd, number)
                except ProcessLookupError:
                    pass  # ended meanwhile

    def _end(self, reason: str, detail: str) -> None:
        if not self.reason:
            self.reason, self.detail = reason, detail

    def _end_crowded(self, host: Running) -> None:
        self._end("too_many_processes", f"{host.spec['name']} had as many as it may ({limits.PROCESSES})")

    def _fail_to_start(self, error: Exception) -> None:
        number = error.errno if isinstance(error, OSError) else None
        text = (error.strerror if isinstance(error, OSError) else None) or repr(error)
        self._end("disk_full" if number in {ENOSPC, EDQUOT} and "unshare" not in text else "failed_to_start", text)

    def _living(self) -> list[Running]:
        return [host for host in self.running if host.exit_code is None and host.started]

    def _is_unkept(self, host: Running) -> bool:
        """Whether it has a limit that no control group keeps."""
        return self._lacks_memory_limit(host) or not host.group.processes

    def _lacks_memory_limit(self, host: Running) -> bool:
        return self.spec["memory_limit_bytes"] is not None and not host.group.memory

    def _look_after(self, host: Running) -> None:
        """End what uses more than it may, or keeps asking its control group for it."""
        init = host.started.init if host.started else 0
        limit = self.spec["memory_limit_bytes"] or 0
        if self._lacks_memory_limit(host):
            used = limits.used_bytes(init, limit_bytes=limit)
            if used > limit:
                self._end("out_of_memory", f"{host.spec['name']} used {used} of {limit} bytes of memory")
                self._kill()
        if host.group.refused_forks() or (not host.group.processes and limits.is_crowded(init)):
            self._end_crowded(host)
            self._kill()

    def _bury(self, host: Running) -> None:
        """Take leave of a host whose init has died: the last of its output, its exit code, its control group."""
        if host.exit_code is not None:
            return
        code = hosts.NOT_STARTED
        if host.started:
            _, status = os.waitpid(host.started.init, 0)
            code = os.waitstatus_to_exitcode(status)
            code = 128 - code if code < 0 else code
            while host.started.news in self.handlers:
                self._on_news(host)
            while host.started.output in self.handlers and select.select([host.started.output], [], [], 0)[0]:
                self._on_output(host)
            for descriptor in (host.started.output, host.pidfd):
                self._forget(descriptor)
            os.close(host.started.go)
        self._close_log(host)
        host.exit_code = self.codes[host.spec["name"]] = code
        if self.started_at is None and not self.reason:
            self._end("failed_to_start", f"the first process of {host.spec['name']} died, exit code {code}")
        self._explain(host)
        for path in reversed(host.group.paths):
            _remove_group(path)
        if code and any(other.exit_code is None for other in self.running) and not self.reason:
            self._end("exited", "")
            self._stop("exited", min(PEER_GRACE_S, self.spec["stop_grace_s"]))

    def _close_log(self, host: Running) -> None:
        try:
            host.log.close()
        except OSError as error:
            self._end("disk_full", f"the log {host.spec['log']} cannot be written: {error}")

    def _explain(self, host: Running) -> None:
        """Find out why a host failed, if the machine knows better than its exit code."""
        if not host.exit_code or self.reason:
            return
        if host.group.oom_kills() or (host.exit_code == 137 and limits.host_oom_kills() > self.oom_kills):
            limit = self.spec["memory_limit_bytes"]
            self._end("out_of_memory", f"the kernel killed a process of {host.spec['name']} (limit: {limit} bytes)")
            return
        if host.group.refused_forks():
            self._end_crowded(host)
            return
        written = [source for source, _, access in host.spec["mounts"] if access == "write"]
        for path in (self.state, *written):
            if limits.is_full(path):
                self._end("disk_full", f"no space is left in {path}")
        if any(text in host.log.tail for text in FULL):
            self._end("disk_full", f"the last output of {host.spec['name']} says that no space is left on a device")

    def _record(self) -> None:
        status = ledger.status_json(
            started_at=self.started_at,
            ended_at=time.time(),
            reason=self.reason or "exited",
            detail=self.detail,
            exit_codes={
                **self.codes,
                **{one.spec["name"]: hosts.NOT_STARTED for one in self.running if one.exit_code is None},
            },
        )
        path = f"{self.state}/{ledger.STATUS}"
        try:
            ledger.replace(path, status, is_durable=True)
        except FileNotFoundError:
            return  # the directory was removed
        except OSError:
            os.unlink(f"{self.state}/{ledger.RESERVE}")
            ledger.replace(path, status, is_durable=True)

    def _make_room(self) -> None:
        """Remove what the job wrote outside its mounts if the disk is full: its end cannot be stored before."""
        if not limits.is_full(self.state):
            return
        from pathlib import Path

        from sagehouse.runtimes.process.removal import remove_tree

        try:
            os.unlink(f"{self.state}/{ledger.RESERVE}")
        except FileNotFoundError:
            pass
        try:
            remove_tree(Path(self.state, ledger.HOSTS))
        except OSError:
            sys.excepthook(*sys.exc_info())


def _remove_group(path: str) -> None:
    for _ in range(100):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.001)  # the kernel is still burying the last process
            continue
        return


def main() -> None:
    """Become the supervisor of the workload whose state directory is the only argument, unless it has had one."""
    state = sys.argv[1]
    for number in (signals.SIGINT, signals.SIGHUP):
        signals.signal(number, signals.SIG_IGN)
    lock = ledger.open_lock(state)
    if not ledger.take(lock):
        return
    reserve = os.open(f"{state}/{ledger.RESERVE}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.posix_fallocate(reserve, 0, RESERVE_BYTES)
    try:
        began = os.open(f"{state}/{ledger.BEGAN}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    control = os.open(f"{state}/{ledger.CONTROL}", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(f"{state}/{ledger.SPEC}", "rb") as file:
        spec: Spec = marshal.load(file)  # noqa: S302 - written by this user's own runtime a moment ago
    child = os.fork()
    if child:
        os.write(began, b"%d\n" % child)
        os._exit(0)
    os.close(began)
    os.close(reserve)
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)  # of init, whose own parent leaves
    Supervisor(state, spec, control=control, lock=lock).run()
