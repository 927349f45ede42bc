"""The machine as one host's processes see it: a root directory of its own, and only what it was given mounted in it.

`Root.collect` and `Root.enter` run as process 1 of new mount and process namespaces. Every source is taken hold of as
a detached mount *before* the old root is left; targets are made and mounts attached *after*, so that nothing a job may
have left lying about (a symbolic link where a target goes) can lead out of its own root.
"""

from __future__ import annotations

import os
from errno import EEXIST, ENOTDIR

from sagehouse.runtimes.process import kernel
from sagehouse.runtimes.process.kernel import NODEV, NOEXEC, NOSUID, RDONLY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sagehouse.runtimes.process.ledger import HostSpec

SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
LIBRARIES = "lib"
"""Where libraries can be added, as in a container: model servers that the SDK's ModelBuilder writes copy some there."""
FOLDERS = (
    *("dev", "dev/pts", "dev/shm", "etc", "home", "media", "mnt", "opt", "proc", "root", "run", "srv", "sys"),
    *("sys/devices", "tmp", "var", "var/cache", "var/lib", "var/log", "var/tmp"),
)
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
ACCELERATORS = ("nvidia", "kfd", "dri")
"""Beginnings of names in /dev that jobs may use where they exist."""
DEVICE_LINKS = {
    "dev/fd": "/proc/self/fd",
    "dev/stdin": "/proc/self/fd/0",
    "dev/stdout": "/proc/self/fd/1",
    "dev/stderr": "/proc/self/fd/2",
    "dev/ptmx": "pts/ptmx",
    "var/run": "/run",
}
ETC = (
    *("ssl/certs", "pki/tls/certs", "pki/ca-trust/extracted", "ca-certificates", "crypto-policies", "alternatives"),
    *("ld.so.cache", "localtime", "mime.types", "services", "fonts", "perl", "terminfo", "OpenCL"),
)
"""What programs look up there that is not about this machine or its people. Keys (/etc/ssl/private) are not in it."""
ETC_BEGINNINGS = ("java", "python3", "ld.so.conf.d")
ETC_COPIED = ("ssl/openssl.cnf", "ld.so.conf", "timezone", "os-release", "debian_version", "host.conf", "protocols")
"""Small files, cheaper to copy than to mount."""
ETC_FOLDERS = ("etc/ssl", "etc/pki", "etc/pki/tls", "etc/pki/ca-trust")

PROC_READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger")
PROC_HIDDEN = ("acpi", "asound", "kcore", "keys", "kmsg", "latency_stats", "sched_debug", "scsi", "timer_list")
"""Source for both: the OCI runtime defaults. Without them user 0 of the host could set kernel.core_pattern."""

ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
}


class Root:
    """One host's root. `folder` is its place on the host: `layer` holds what the job writes outside its mounts."""

    def __init__(self, host: HostSpec, folder: str, *, hosts_file: str, is_network_isolated: bool) -> None:
        self.host = host
        self.folder = folder
        self.layer = f"{folder}/layer"
        self.hosts_file = hosts_file
        self.is_network_isolated = is_network_isolated
        self.trees: list[tuple[str, int, bool]] = []
        """Target, detached mount, whether it is a directory: what the host was given, shallow targets first."""

    def enter(self) -> None:
        """Make the root and move into it. Afterwards nothing of the old one can be reached."""
        kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
        os.makedirs(self.layer)
        kernel.attach_tree(_tree(self.layer, NOSUID | NODEV), self.layer)
        os.chdir(self.layer)  # from here to the pivot, targets are relative to the new root
        for folder in FOLDERS:
            os.mkdir(folder)
        for folder in ("tmp", "var/tmp"):
            os.chmod(folder, 0o1777)  # noqa: S103 - as /tmp is everywhere
        self._system()
        self._etc()
        self._devices()
        self._proc()
        for index, (source, target, access) in enumerate(sorted(self.host["mounts"], key=_depth)):
            self.trees.append((target, self._given(source, access, index), os.path.isdir(source)))
        kernel.pivot_root(".", ".")
        kernel.unmount(".")
        os.chdir("/")
        for target, tree, is_directory in self.trees:
            kernel.attach_tree(tree, _place(target, is_directory=is_directory))
        for path, text in self.host["files"].items():
            _write(path, text)

    def _system(self) -> None:
        for name in SYSTEM:
            source = f"/{name}"
            if os.path.islink(source) and name == LIBRARIES:
                os.mkdir(name)
                for entry in os.listdir(source):
                    os.symlink(f"{os.path.realpath(source)}/{entry}", f"{name}/{entry}")
            elif os.path.islink(source):
                os.symlink(os.readlink(source), name)
            elif os.path.isdir(source):
                os.mkdir(name)
                _bind(source, name, RDONLY | NOSUID | NODEV)
        _bind_if_there("/sys/devices/system", "sys/devices/system")

    def _etc(self) -> None:
        for folder in ETC_FOLDERS:
            os.mkdir(folder)
        found = [name for name in os.listdir("/etc") if name.startswith(ETC_BEGINNINGS)]
        for name in (*ETC, *found):
            _bind_if_there(f"/etc/{name}", f"etc/{name}")
        name = self.host["name"]
        resolver = "" if self.is_network_isolated else _read("/etc/resolv.conf")
        own = {"etc/hosts": self.hosts_file, "etc/hostname": f"{name}\n", "etc/resolv.conf": resolver}
        copied = {f"etc/{copy}": _read(f"/etc/{copy}") for copy in ETC_COPIED}
        for path, text in {**copied, **own, **ACCOUNTS}.items():
            if text or path not in copied:
                _write(path, text)
        kernel.sethostname(name)

    def _devices(self) -> None:
        found = [name for name in os.listdir("/dev") if name.startswith(ACCELERATORS)]
        for name in (*DEVICES, *found):
            source, target = f"/dev/{name}", f"dev/{name}"
            if os.path.isdir(source):
                os.mkdir(target)
            elif os.path.exists(source):
                _touch(target)
            else:
                continue
            _bind(source, target, NOSUID | NOEXEC)
        for link, target in DEVICE_LINKS.items():
            os.symlink(target, link)
        kernel.mount("tmpfs", "dev/shm", "tmpfs", NOSUID | NODEV, "mode=1777")
        kernel.mount("devpts", "dev/pts", "devpts", NOSUID | NOEXEC, "newinstance,ptmxmode=0666,mode=620")

    def _proc(self) -> None:
        kernel.mount("proc", "proc", "proc", NOSUID | NODEV | NOEXEC)
        for name in PROC_READ_ONLY:
            path = f"proc/{name}"
            if os.path.exists(path):
                _bind(path, path, RDONLY | NOSUID | NODEV | NOEXEC)
        for name in PROC_HIDDEN:
            path = f"proc/{name}"
            if os.path.isdir(path):
                kernel.mount("tmpfs", path, "tmpfs", RDONLY | NOSUID | NODEV | NOEXEC, "size=0,mode=555")
            elif os.path.exists(path):
                _bind("/dev/null", path, NOSUID | NOEXEC)

    def _given(self, source: str, access: str, index: int) -> int:
        """Return one of the workload's own mounts, detached."""
        if access == "read":
            return _tree(source, RDONLY | NOSUID | NODEV)
        if access == "overlay":
            source = self._overlay(source, f"{self.folder}/overlays/{index}")
        return _tree(source, NOSUID | NODEV)

    def _overlay(self, source: str, folder: str) -> str:
        """Return a path at which the source looks writable while it stays as it is; a copy where overlay is refused."""
        upper, work, merged = f"{folder}/upper", f"{folder}/work", f"{folder}/merged"
        for path in (upper, work, merged):
            os.makedirs(path)
        if os.path.isdir(source):
            os.chmod(upper, os.stat(source).st_mode & 0o7777 | 0o700)
            layers = f"lowerdir={_escaped(source)},upperdir={_escaped(upper)},workdir={_escaped(work)}"
            try:
                kernel.mount("overlay", merged, "overlay", NOSUID | NODEV, f"{layers},userxattr")
            except OSError:
                _copy(source, merged)
            return merged
        _copy(source, f"{merged}/file")
        return f"{merged}/file"


def _tree(source: str, attributes: int) -> int:
    tree = kernel.clone_tree(source)
    kernel.restrict_tree(tree, attributes)
    return tree


def _bind(source: str, target: str, attributes: int) -> None:
    kernel.attach_tree(_tree(source, attributes), target)


def _bind_if_there(source: str, target: str) -> None:
    """Show a file or directory read-only, links in its path followed, if this machine has it."""
    if os.path.isdir(source):
        os.mkdir(target)
    elif os.path.isfile(source):
        _touch(target)
    else:
        return
    _bind(os.path.realpath(source), target, RDONLY | NOSUID | NODEV)


def _depth(mount: tuple[str, str, str]) -> int:
    return mount[1].rstrip("/").count("/")


def _escaped(path: str) -> str:
    """Return a path as overlayfs's option parser wants it: backslash before backslash, colon and comma."""
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _place(target: str, *, is_directory: bool) -> str:
    """Return the real path of a mount target, made if it is absent."""
    target = os.path.realpath(target)
    try:
        os.makedirs(target if is_directory else os.path.dirname(target), exist_ok=True)
        if not is_directory:
            _touch(target)
    except OSError as error:
        if error.errno in {EEXIST, ENOTDIR}:
            raise OSError(error.errno, "something that is no directory is in the way", target) from error
        raise
    return target


def _touch(path: str) -> None:
    if not os.path.lexists(path):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path) or "/", exist_ok=True)
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def _copy(source: str, target: str) -> None:
    """Copy a file, or a directory's content into an existing directory. Only where overlay is refused: slow."""
    from shutil import copy2, copytree

    if os.path.isdir(source):
        copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        copy2(source, target)
