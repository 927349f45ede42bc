"""Tries what a job's start will do, and says how it went: lines "subject=words". Runs as `supervisor` does."""

from __future__ import annotations

import os
import sys

from sagehouse.runtimes.process import kernel
from sagehouse.runtimes.process.host import Namespaces, start
from sagehouse.runtimes.process.limits import Group, make_group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sagehouse.runtimes.process.ledger import HostSpec, Spec


def main() -> None:
    """Probe in the directory that is the only argument."""
    folder = sys.argv[1]
    words = {"namespaces": _namespaces(folder), "memory": _memory()}
    words["overlay"] = _overlay(folder) if words["namespaces"] in {"user", "root"} else "not tried"
    sys.stdout.write("".join(f"{subject}={word}\n" for subject, word in words.items()))


def _namespaces(folder: str) -> str:
    """Make a host whose init builds a root, and let it go before it runs anything."""
    host: HostSpec = {"name": "probe", "log": "", "address": "", "mounts": [], "files": {}, "environment": {}}
    spec: Spec = {
        "id": "probe",
        "command": ["true"],
        "hosts": [host],
        "working_directory": "/",
        "is_network_isolated": False,
        "memory_limit_bytes": None,
        "cpu_limit": None,
        "max_runtime_s": None,
        "stop_grace_s": 0.0,
    }
    try:
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        started = start(spec, host, f"{folder}/host", hosts_file="", shared=Namespaces(), group=Group(None, None))
    except OSError as error:
        return f"{error.filename or ''} {error.strerror}".strip()
    word = os.read(started.news, 4096).decode(errors="replace").strip()
    is_user = os.stat(f"/proc/{started.init}/ns/user").st_ino != os.stat("/proc/self/ns/user").st_ino
    os.close(started.go)
    os.waitpid(started.init, 0)
    if word != "ready":
        return word.removeprefix("error ") or "init died"
    return "user" if is_user else "root"


def _overlay(folder: str) -> str:
    lower, upper, work, merged = (f"{folder}/{name}" for name in ("lower", "upper", "work", "merged"))
    for path in (lower, upper, work, merged):
        os.mkdir(path)
    flags = kernel.NEWNS
    try:
        try:
            kernel.unshare(flags | kernel.NEWUSER)
        except OSError:
            kernel.unshare(flags)
        options = f"lowerdir={lower},upperdir={upper},workdir={work},userxattr"
        kernel.mount("overlay", merged, "overlay", 0, options)
        kernel.unmount(merged)
    except OSError as error:
        return error.strerror or repr(error)
    os.chmod(f"{work}/work", 0o700)
    return "yes"


def _memory() -> str:
    group = make_group(f"sagehouse-probe-{os.getpid()}", memory_limit_bytes=1 << 30, cpu_limit=1.0)
    for path in group.paths:
        os.rmdir(path)
    return "yes" if group.memory and group.cpu else "no"
