"""Starting one host: its namespaces, its init, its command. Runs in the supervisor and in processes forked from it.

    supervisor ── fork ──> founder: unshares, forks init, is gone
                              └─ fork ──> init (process 1): builds the root, gives up its rights, waits for "go"
                                             └─ fork ──> the command

Init dies with the supervisor and with the command, and the kernel then kills whatever else is in its namespace.
"""

from __future__ import annotations

import fcntl
import os
import resource
from errno import EINVAL, ENOENT, ENOSPC, ENOSYS, ENOTDIR, EPERM, EUSERS

from sagehouse.runtimes.process import kernel, seccomp
from sagehouse.runtimes.process.limits import PROCESSES, Group, write
from sagehouse.runtimes.process.root import Root

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as signals
    from typing import NoReturn

    from sagehouse.runtimes.process.ledger import HostSpec, Spec
else:
    import _signal as signals  # the part in C: without enum, 3 ms sooner

PIPE_BYTES = 256 * 1024
OPEN_FILES = 65536
FORWARDED = (
    *(signals.SIGTERM, signals.SIGINT, signals.SIGHUP, signals.SIGQUIT, signals.SIGUSR1, signals.SIGUSR2),
    *(signals.SIGCONT, signals.SIGWINCH),
)
NOT_STARTED = 125
"""Exit code of a host that could not be set up; this and the next two as Docker's."""
NOT_EXECUTABLE = 126
NOT_FOUND = 127


class Namespaces:
    """What the hosts of one workload share: the user namespace, and the network namespace of an isolated workload."""

    def __init__(self) -> None:
        self.user = -1
        self.network = -1


class Started:
    """A host as the supervisor holds it: init and the ends of its pipes."""

    def __init__(self, *, init: int, output: int, news: int, go: int) -> None:
        self.init = init
        self.output = output
        self.news = news
        """Says "ready", or "error ERRNO TEXT"; closed when the command has begun."""
        self.go = go


def start(spec: Spec, host: HostSpec, folder: str, *, hosts_file: str, shared: Namespaces, group: Group) -> Started:
    """Return a host whose init builds its root; it runs nothing before `go`. OSError if the kernel refuses."""
    output, output_end = os.pipe()
    news, news_end = os.pipe()
    go_end, go = os.pipe()
    try:
        fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        pass  # this user's pipes are many already: the default size works too
    founder = os.fork()
    if founder == 0:
        _found(spec, host, folder, hosts_file=hosts_file, shared=shared, ends=(go_end, output_end, news_end))
    for end in (output_end, news_end):
        os.close(end)
    try:
        how = _hear(news)
        if how == "user":
            _map_users(founder)
        if shared.user < 0 and len(spec["hosts"]) > 1:
            _share(shared, founder, spec=spec, is_user=how == "user")
        os.write(go, b"u")
        init = int(_hear(news))
        group.join(init)  # the kernel takes some 10 ms over it, in which init builds the root
        os.write(go, b"j")
    except BaseException:
        os.kill(founder, signals.SIGKILL)
        for end in (output, news, go):
            os.close(end)
        raise
    finally:
        os.close(go_end)
        os.waitpid(founder, 0)
    os.set_blocking(output, False)
    return Started(init=init, output=output, news=news, go=go)


def _hear(news: int) -> str:
    """Return the next word from a founder; OSError if it is bad news."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(news, 1)
        if not byte:
            raise OSError(EPERM, "the process that was to make the namespaces died")
        line += byte
    text = line.decode(errors="replace").strip()
    if text.startswith("error "):
        _, number, detail = text.split(" ", 2)
        raise OSError(int(number), detail)
    return text


def _map_users(founder: int) -> None:
    """Make this user root inside; real root shares all the users it has, so that chown works as in any container."""
    if os.geteuid() == 0:
        extents = [line.split() for line in _lines("/proc/self/uid_map")]
        groups = [line.split() for line in _lines("/proc/self/gid_map")]
        if _write_map(founder, "uid_map", extents) and _write_map(founder, "gid_map", groups):
            return
    write(f"/proc/{founder}/setgroups", "deny")
    for name, own in (("uid_map", os.geteuid()), ("gid_map", os.getegid())):
        if not write(f"/proc/{founder}/{name}", f"0 {own} 1"):
            raise OSError(EPERM, f"the kernel refused to write {name}")


def _write_map(founder: int, name: str, extents: list[list[str]]) -> bool:
    return write(f"/proc/{founder}/{name}", "".join(f"{inside} {inside} {count}\n" for inside, _, count in extents))


def _lines(path: str) -> list[str]:
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def _share(shared: Namespaces, founder: int, *, spec: Spec, is_user: bool) -> None:
    if is_user:
        shared.user = os.open(f"/proc/{founder}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    if spec["is_network_isolated"]:
        shared.network = os.open(f"/proc/{founder}/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _found(
    spec: Spec, host: HostSpec, folder: str, *, hosts_file: str, shared: Namespaces, ends: tuple[int, int, int]
) -> NoReturn:
    """Be the founder: make the namespaces, fork init into them, leave. Never returns."""
    go, _, news = ends
    try:
        is_user = _unshare(spec, shared)
        os.write(news, b"user\n" if is_user and shared.user < 0 else b"joined\n")
        if not os.read(go, 1):
            os._exit(NOT_STARTED)
        init = os.fork()
        if init == 0:
            _be_init(spec, host, folder, hosts_file=hosts_file, ends=ends, is_user=is_user)
        os.write(news, b"%d\n" % init)
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - nobody above could hear of it: the process ends here
        _tell(news, error)
    finally:
        os._exit(NOT_STARTED)


def _unshare(spec: Spec, shared: Namespaces) -> bool:
    """Enter new namespaces, or those the first host made; return whether a user namespace is among them."""
    flags = kernel.NEWNS | kernel.NEWPID | kernel.NEWUTS | kernel.NEWIPC
    if shared.user >= 0:
        kernel.setns(shared.user, kernel.NEWUSER)
    if shared.network >= 0:
        kernel.setns(shared.network, kernel.NEWNET)
    elif spec["is_network_isolated"]:
        flags |= kernel.NEWNET
    if shared.user >= 0:
        kernel.unshare(flags)
        return True
    try:
        kernel.unshare(flags | kernel.NEWUSER)
    except OSError as error:
        is_root = kernel.effective_capabilities() >> kernel.CAP_SYS_ADMIN & 1
        if not is_root or error.errno not in {EPERM, ENOSPC, EUSERS, EINVAL}:
            raise
        kernel.unshare(flags)
        return False
    return True


def _tell(news: int, error: BaseException) -> None:
    """Say what went wrong to the supervisor, which alone can tell anybody."""
    number, text = 0, repr(error)
    if isinstance(error, OSError) and error.strerror:
        number, text = error.errno or 0, f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    line = f"error {number} {text}".replace("\n", " ")[:2000]
    os.write(news, f"{line}\n".encode(errors="replace"))


def _be_init(
    spec: Spec, host: HostSpec, folder: str, *, hosts_file: str, ends: tuple[int, int, int], is_user: bool
) -> NoReturn:
    """Be process 1 of the host. Never returns."""
    news = ends[2]
    try:
        signals.pthread_sigmask(signals.SIG_BLOCK, (*FORWARDED, signals.SIGCHLD))
        go, output, news = _only(ends)
        os.umask(0o022)
        _set_up(spec, host, folder, hosts_file=hosts_file, is_user=is_user, go=go)
        os.write(news, b"ready\n")
        if not os.read(go, 1):
            os._exit(NOT_STARTED)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signals.SIGKILL)
        os.set_blocking(go, False)
        try:
            if not os.read(go, 1):
                os._exit(NOT_STARTED)  # the supervisor died before the line above could notice
        except BlockingIOError:
            pass
        command = os.fork()
        if command == 0:
            _be_command(spec, host, output=output, news=news)
        for end in (go, output, news):
            os.close(end)
        os._exit(_reap(command))
    except BaseException as error:  # noqa: BLE001 - nobody above could hear of it: the process ends here
        _tell(news, error)
    finally:
        os._exit(NOT_STARTED)


def _only(ends: tuple[int, int, int]) -> tuple[int, int, int]:
    """Close every descriptor but these three, which become 3, 4 and 5; 0 to 2 are the null device."""
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 100) for end in ends]
    os.closerange(3, 100)
    low = tuple(os.dup2(end, number, inheritable=False) for number, end in enumerate(high, start=3))
    for descriptor in [int(name) for name in os.listdir("/proc/self/fd")]:
        if descriptor >= 6:
            try:
                os.close(descriptor)
            except OSError:
                pass  # that of the listing itself
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)
    return low[0], low[1], low[2]


def _set_up(spec: Spec, host: HostSpec, folder: str, *, hosts_file: str, is_user: bool, go: int) -> None:
    if spec["is_network_isolated"]:
        _raise_loopback()
    if is_user:
        write("/proc/sys/user/max_user_namespaces", "0")  # a job's own user namespace would give it all rights again
    Root(host, folder, hosts_file=hosts_file, is_network_isolated=spec["is_network_isolated"]).enter()
    if not os.read(go, 1):
        os._exit(NOT_STARTED)
    try:
        kernel.unshare(kernel.NEWCGROUP)  # now that this process is in its group, which becomes the root of all it sees
    except OSError:
        pass  # a kernel without control groups has none to hide
    kernel.keep_capabilities(frozenset(kernel.CAPABILITIES.values()))
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    _give_up_calls()


def _give_up_calls() -> None:
    """Refuse what the rights given up above refuse already, and a few holes they leave, where the kernel can."""
    try:
        kernel.keep_abstract_sockets()
    except OSError:
        pass  # older than 6.12, or built or started without Landlock
    calls = seccomp.program()
    if calls:
        try:
            kernel.filter_calls(calls)
        except OSError as error:
            if error.errno not in {EINVAL, ENOSYS}:  # built without it
                raise


def _raise_loopback() -> None:
    """Bring up "lo", all that a new network namespace has. Source: netdevice(7), SIOCGIFFLAGS and SIOCSIFFLAGS."""
    import _socket

    channel = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    request = b"lo".ljust(16, b"\0")
    flags = int.from_bytes(fcntl.ioctl(channel.fileno(), 0x8913, request + b"\0" * 24)[16:18], "little")
    fcntl.ioctl(channel.fileno(), 0x8914, request + (flags | 1).to_bytes(2, "little") + b"\0" * 22)
    channel.close()


def _be_command(spec: Spec, host: HostSpec, *, output: int, news: int) -> NoReturn:
    """Become the workload's command. Never returns."""
    try:
        for number in (*FORWARDED, signals.SIGCHLD, signals.SIGPIPE, signals.SIGXFSZ):
            signals.signal(number, signals.SIG_DFL)
        signals.pthread_sigmask(signals.SIG_SETMASK, ())
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = OPEN_FILES if most == resource.RLIM_INFINITY else min(most, OPEN_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _, most = resource.getrlimit(
            resource.RLIMIT_NPROC
        )  # an ordinary user's; root's processes are a group's to limit
        processes = PROCESSES if most == resource.RLIM_INFINITY else min(most, PROCESSES)
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
        write("/proc/self/oom_score_adj", "500")  # when this machine runs out of memory, jobs go before the house
        directory = spec["working_directory"]
        os.makedirs(directory, exist_ok=True)
        os.chdir(directory)
        environment = host["environment"]
        if _lines("/proc/self/uid_map")[0].split()[2] == "1":
            environment.setdefault("TAR_OPTIONS", "--no-same-owner")  # root here cannot give files to other users
        _execute(spec["command"], environment)
    except OSError as error:
        _tell(news, error)
        os._exit(NOT_FOUND if error.errno == ENOENT else NOT_EXECUTABLE)
    except BaseException as error:  # noqa: BLE001 - nobody above could hear of it: the process ends here
        _tell(news, error)
    finally:
        os._exit(NOT_STARTED)


def _execute(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Replace this process by the command, found on the PATH of its own environment; OSError if there is none."""
    name = command[0]
    folders = environment["PATH"].split(":")
    candidates = [name] if "/" in name else [f"{folder}/{name}" for folder in folders if folder]
    worst = OSError(ENOENT, f"not found on PATH={environment['PATH']}" if "/" not in name else "not found", name)
    for candidate in candidates:
        try:
            os.execve(candidate, command, environment)  # noqa: S606 - a job's command is what this is for
        except OSError as error:
            if error.errno not in {ENOENT, ENOTDIR}:
                worst = OSError(error.errno, error.strerror, candidate)
            elif os.path.exists(candidate):
                worst = OSError(ENOENT, "its interpreter (the #! line or the loader) is missing", candidate)
    raise worst


def _reap(command: int) -> int:
    """Return the command's exit code (128 + n for signal n), passing signals on and burying orphans until then."""
    waited = (*FORWARDED, signals.SIGCHLD)
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return NOT_STARTED
        if pid == command:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        if pid:
            continue
        number = signals.sigwait(waited)
        if number != signals.SIGCHLD:
            try:
                os.kill(command, number)
            except ProcessLookupError:
                pass
