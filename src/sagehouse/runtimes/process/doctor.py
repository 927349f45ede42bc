"""What the process runtime needs of this machine, what is missing, and how to get it."""

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sagehouse.runtimes.process.launch import bare_command

PROBE_TIMEOUT_S = 10.0
NEEDED_LINUX = (5, 12)
"""The first with mount_setattr(2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at. `fix` is "" when nothing need be done."""

    text: str
    is_fine: bool
    fix: str = ""
    is_needed: bool = True
    """Whether jobs cannot run without it; otherwise `text` says what they do instead."""


def doctor(directory: Path, *, linked: Sequence[Path] = ()) -> list[Finding]:
    """Return what was found, most important first, by really trying it.

    `directory` is where jobs will live; `linked` are directories whose files jobs should see without copying. Leaves
    nothing behind. Takes some 50 ms.
    """
    directory.mkdir(parents=True, exist_ok=True)
    probed = _probe(directory)
    return [
        _linux(),
        _namespaces(probed.get("namespaces", "the probe said nothing")),
        *([_overlay(probed["overlay"])] if "overlay" in probed else []),  # without namespaces none was tried
        _groups(probed.get("memory", "")),
        *(_links(source, directory) for source in linked),
    ]


def namespace_advice(detail: str) -> str:
    """Return how to let jobs have namespaces, if `detail` (an error of the kernel) means that they were refused."""
    if not any(word in detail for word in ("unshare", "uid_map", "gid_map", "setns", "mount ", "make the namespaces")):
        return ""
    if not any(word in detail for word in ("not permitted", "ermission denied", "No space left", "refused", "died")):
        return ""
    if _sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return (
            "AppArmor keeps ordinary users from user namespaces (Ubuntu 23.10 and later): run "
            "'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0', and to keep it, put "
            "'kernel.apparmor_restrict_unprivileged_userns=0' into /etc/sysctl.d/60-sagehouse.conf"
        )
    if _sysctl("kernel/unprivileged_userns_clone") == "0":
        return (
            "This kernel keeps ordinary users from user namespaces (Debian's switch): run "
            "'sudo sysctl -w kernel.unprivileged_userns_clone=1', and to keep it, put "
            "'kernel.unprivileged_userns_clone=1' into /etc/sysctl.d/60-sagehouse.conf"
        )
    if _sysctl("user/max_user_namespaces") == "0":
        return "User namespaces are switched off: run 'sudo sysctl -w user.max_user_namespaces=15000'"
    return (
        "Jobs run in Linux namespaces, which were refused here. In a container, start it with "
        "'--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined' "
        "(or '--privileged'); otherwise let this user create user namespaces, or run sagehouse as root"
    )


def _sysctl(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return ""


def _probe(directory: Path) -> dict[str, str]:
    """Try everything in a process of its own, which alone changes its namespaces."""
    with tempfile.TemporaryDirectory(dir=directory, prefix=".doctor-") as folder:
        command = bare_command(sys.executable, "probe", folder)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False)
        except (OSError, subprocess.SubprocessError) as error:
            return {"namespaces": f"the probe failed: {error}"}
    pairs = (line.partition("=") for line in done.stdout.splitlines())
    found = {name: value for name, _, value in pairs}
    return found or {"namespaces": f"the probe failed: {done.stderr.strip()[-200:]}"}


def _linux() -> Finding:
    release = platform.release()
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    is_fine = sys.platform == "linux" and numbers >= NEEDED_LINUX
    needed = ".".join(map(str, NEEDED_LINUX))
    fix = "" if is_fine else f"Jobs need Linux {needed} or later (Debian 12, Ubuntu 22.04)."
    return Finding(text=f"{platform.system()} {release}", is_fine=is_fine, fix=fix)


def _namespaces(said: str) -> Finding:
    words = {
        "user": "Jobs are isolated by namespaces of this user",
        "root": "Jobs are isolated by namespaces of root; user namespaces, which isolate better, are refused",
    }
    if said in words:
        return Finding(text=words[said], is_fine=True)
    fix = namespace_advice(said) or namespace_advice("unshare refused")
    return Finding(text=f"Jobs cannot be isolated: {said}", is_fine=False, fix=fix)


def _overlay(said: str) -> Finding:
    if said == "yes":
        return Finding(text="Inputs and environments are shared by overlays", is_fine=True, is_needed=False)
    fix = "Keep sagehouse's directory on ext4, xfs or btrfs, not on NFS or inside another overlay."
    text = f"Inputs and environments are copied for each job, overlays are refused: {said}"
    return Finding(text=text, is_fine=False, fix=fix, is_needed=False)


def _groups(said: str) -> Finding:
    if said == "yes":
        return Finding(text="Memory, CPU and process limits are kept by control groups", is_fine=True, is_needed=False)
    text = "Memory and process limits are kept by a watch (no control groups here); CPU limits are not kept"
    return Finding(text=text, is_fine=True, is_needed=False)


def _links(source: Path, directory: Path) -> Finding:
    source.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.NamedTemporaryFile(dir=source) as file:
            link = directory / Path(file.name).name
            os.link(file.name, link)
            link.unlink()
    except OSError as error:
        text = f"Inputs are copied: no hard links from {source} to {directory}: {error.strerror}"
        return Finding(text=text, is_fine=False, fix="Keep both on one file system.", is_needed=False)
    return Finding(text=f"Inputs are linked from {source}, not copied", is_fine=True, is_needed=False)
