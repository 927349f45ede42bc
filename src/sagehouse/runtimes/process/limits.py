"""Memory, CPU and process limits of one host: a control group where this user may make one, else a watch."""

from __future__ import annotations

import os

ROOT = "/sys/fs/cgroup"
OWN = "/proc/self/cgroup"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CPU_PERIOD_US = 100_000
PROCESSES = 16_384
"""Processes and threads of one host: more than a large machine's data loaders start, fewer than the machine bears."""


def read(path: str) -> str:
    """Return a small file's text, "" if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def write(path: str, text: str) -> bool:
    """Whether the kernel took the value."""
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return False
    return True


class Group:
    """A host's control group: one directory (version 2) or one for each controller (version 1)."""

    def __init__(self, memory: str | None, cpu: str | None, processes: str | None = None) -> None:
        self.memory = memory
        self.cpu = cpu
        self.processes = processes

    @property
    def paths(self) -> list[str]:
        return sorted({path for path in (self.memory, self.cpu, self.processes) if path})

    def join(self, pid: int) -> None:
        """Put a process, and so all it will ever start, under the limits."""
        for path in self.paths:
            write(f"{path}/cgroup.procs", str(pid))

    def oom_kills(self) -> int:
        """Return how many of its processes the kernel killed for want of memory."""
        if not self.memory:
            return 0
        text = read(f"{self.memory}/memory.events") or read(f"{self.memory}/memory.oom_control")
        return _told(text, "oom_kill")

    def refused_forks(self) -> int:
        """Return how often it was refused another process or thread."""
        return _told(read(f"{self.processes}/pids.events"), "max") if self.processes else 0


def _told(text: str, word: str) -> int:
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{word} "))


def make_group(
    name: str, *, memory_limit_bytes: int | None, cpu_limit: float | None, root: str = ROOT, own: str = OWN
) -> Group:
    """Return a group that keeps the limits it could; without `memory`, `cpu` or `processes` nobody keeps that one."""
    groups: dict[str, str] = {}
    for line in read(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if "/.." not in path:
            groups.update(dict.fromkeys(controllers.split(","), path.rstrip("/")))
    quota_us = int(cpu_limit * CPU_PERIOD_US) if cpu_limit else None
    if {"memory", "cpu", "pids"} & groups.keys():
        return Group(
            _make_v1(f"{root}/memory{groups.get('memory', '')}/{name}", _memory_v1(memory_limit_bytes)),
            _make_v1(f"{root}/cpu{groups.get('cpu', '')}/{name}", _cpu_v1(quota_us)),
            _make_v1(f"{root}/pids{groups.get('pids', '')}/{name}", {"pids.max": str(PROCESSES)}),
        )
    if "" in groups:
        for base in dict.fromkeys((f"{root}{groups['']}".rpartition("/")[0], f"{root}{groups['']}")):
            if base.startswith(root) and (group := _make_v2(f"{base}/{name}", memory_limit_bytes, quota_us)):
                return group
    return Group(None, None)


def _memory_v1(limit_bytes: int | None) -> dict[str, str]:
    if limit_bytes is None:
        return {}
    return {"memory.limit_in_bytes": str(limit_bytes), "?memory.memsw.limit_in_bytes": str(limit_bytes)}


def _cpu_v1(quota_us: int | None) -> dict[str, str]:
    return {} if quota_us is None else {"cpu.cfs_period_us": str(CPU_PERIOD_US), "cpu.cfs_quota_us": str(quota_us)}


def _make_v1(path: str, values: dict[str, str]) -> str | None:
    return path if values and _make(path, values) else None


def _make_v2(path: str, memory_limit_bytes: int | None, quota_us: int | None) -> Group | None:
    values = {"?pids.max": str(PROCESSES)}
    if memory_limit_bytes is not None:
        values.update({"memory.max": str(memory_limit_bytes), "?memory.swap.max": "0", "?memory.oom.group": "1"})
    if quota_us is not None:
        values["cpu.max"] = f"{quota_us} {CPU_PERIOD_US}"
    base = path.rpartition("/")[0]
    for controller in ("memory", "cpu", "pids"):
        if controller not in read(f"{base}/cgroup.subtree_control").split():
            write(f"{base}/cgroup.subtree_control", f"+{controller}")
    if not _make(path, values):
        return None
    group = Group(
        path if memory_limit_bytes is not None else None,
        path if quota_us is not None else None,
        path if os.path.exists(f"{path}/pids.max") else None,
    )
    if not group.paths:
        os.rmdir(path)
        return None
    return group


def _make(path: str, values: dict[str, str]) -> bool:
    """Make a group directory and set its files; "?" marks those that not every kernel has."""
    try:
        os.mkdir(path, 0o755)
    except OSError:
        return False
    for name, value in values.items():
        if not write(f"{path}/{name.lstrip('?')}", value) and not name.startswith("?"):
            os.rmdir(path)
            return False
    return True


def used_bytes(init: int, *, limit_bytes: int) -> int:
    """Return the memory of every process of a host, given the process id of its init.

    The sum of resident sets, which counts shared pages more than once; when that exceeds the limit, the sum of
    proportional sets, which is exact and slow.
    """
    folder = f"/proc/{init}/root/proc"
    try:
        pids = [name for name in os.listdir(folder) if name.isdigit()]
    except OSError:
        return 0
    resident = sum(_resident_bytes(f"{folder}/{pid}") for pid in pids)
    if resident <= limit_bytes:
        return resident
    return sum(_proportional_bytes(f"{folder}/{pid}") for pid in pids)


def is_crowded(init: int) -> bool:
    """Whether a host, given the process id of its init, has nearly all the processes and threads it may have.

    Nearly, because one that is refused more goes up and down below the limit.
    """
    folder = f"/proc/{init}/root/proc"
    try:
        pids = [name for name in os.listdir(folder) if name.isdigit()]
    except OSError:
        return False
    return sum(_threads(f"{folder}/{pid}/task") for pid in pids) >= PROCESSES - PROCESSES // 16


def _threads(tasks: str) -> int:
    try:
        return os.stat(tasks).st_nlink - 2
    except OSError:
        return 0  # it has ended meanwhile


def _resident_bytes(process: str) -> int:
    fields = read(f"{process}/statm").split()
    return int(fields[1]) * PAGE_BYTES if len(fields) > 1 else 0


def _proportional_bytes(process: str) -> int:
    for line in read(f"{process}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return _resident_bytes(process)


def host_oom_kills() -> int:
    """Return how many processes of this machine the kernel has killed for want of memory since it started."""
    for line in read("/proc/vmstat").splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0


def is_full(path: str) -> bool:
    """Whether the file system under a path has no room (less than 1 MiB or no inode) for this user."""
    try:
        room = os.statvfs(path)
    except OSError:
        return False
    blocks = room.f_bfree if os.geteuid() == 0 else room.f_bavail
    return blocks * room.f_frsize < 1024 * 1024 or (room.f_files > 0 and room.f_favail == 0)
