"""Tries what a job's start will do, and says how it went: lines "subject=words". Runs as `supervisor` does."""

from __future__ import annotations

import os
import sys

from sagehouse.runtimes.process import kernel
from sagehouse.runtimes.process.host import Namespaces, start
from sagehouse.runtimes.process.limits import Group, make_group, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sagehouse.runtimes.process.ledger import HostSpec, Spec


def main() -> None:
    """Probe in the directory that is the only argument."""
    words = {**_host(sys.argv[1]), "memory": _memory()}
    sys.stdout.write("".join(f"{subject}={word}\n" for subject, word in words.items()))


def _host(folder: str) -> dict[str, str]:
    """Make a host whose init builds a root with an overlay in it, look at it, let it go before it runs anything."""
    shared = f"{folder}/shared"
    os.mkdir(shared)
    host: HostSpec = {
        "name": "probe",
        "log": "",
        "address": "",
        "files": {},
        "environment": {},
        "mounts": [(shared, "/mnt/shared", "overlay")],
    }
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
        return {"namespaces": f"{error.filename or ''} {error.strerror}".strip()}
    word = os.read(started.news, 4096).decode(errors="replace").strip()
    is_user = os.stat(f"/proc/{started.init}/ns/user").st_ino != os.stat("/proc/self/ns/user").st_ino
    mounts = read(f"/proc/{started.init}/mountinfo")
    os.close(started.go)
    os.waitpid(started.init, 0)
    if word != "ready":
        return {"namespaces": word.removeprefix("error ") or "init died"}
    overlay = "yes" if " /mnt/shared " in mounts and " - overlay " in mounts else "the kernel refused to mount one"
    return {"namespaces": "user" if is_user else "root", "overlay": overlay}


def _memory() -> str:
    group = make_group(f"sagehouse-probe-{os.getpid()}", memory_limit_bytes=1 << 30, cpu_limit=1.0)
    for path in group.paths:
        os.rmdir(path)
    return "yes" if group.memory and group.cpu and group.processes else "no"
