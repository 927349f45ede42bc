"""The system calls that no training script needs and kernels are broken by: refused to every process of a job.

Defence in depth: capabilities and namespaces refuse nearly all of them already. Debuggers (ptrace), NUMA, MPI and
chroot work as they do in a container.

Sources: seccomp(2), Documentation/userspace-api/seccomp_filter.rst, asm/unistd.h of both architectures.
"""

from __future__ import annotations

import os
import struct
from errno import EAFNOSUPPORT, ENOSYS, EPERM

_MOUNTS = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
}
_NAMESPACES = {"unshare": (272, 97), "setns": (308, 268)}
_KERNEL = {
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "syslog": (103, 116),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
}
_KEYS = {"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219)}
"""Keyrings belong to a user and a session, not to a namespace: a job would inherit those of who started the house."""
_MACHINE = {
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "vhangup": (153, 58),
    "fanotify_init": (300, 262),
    "open_by_handle_at": (304, 265),
}
REFUSED = {**_MOUNTS, **_NAMESPACES, **_KERNEL, **_KEYS, **_MACHINE}
"""Name -> number on x86_64 and on aarch64. Each answers EPERM, as in a container of Docker's."""
_PORTS = {"iopl": 172, "ioperm": 173}  # only x86_64 has them
_SOCKET = (41, 198)
FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK; all others (AF_VSOCK leads to the hypervisor) answer EAFNOSUPPORT."""

_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_X32 = 0x40000000
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000


def program(machine: str = os.uname().machine) -> bytes:
    """Return the filter as the kernel takes it, 8 bytes an instruction; b"" for a machine it is not written for."""
    if machine not in _ARCHITECTURES:
        return b""
    architecture, column = _ARCHITECTURES[machine]
    refused = [numbers[column] for numbers in REFUSED.values()]
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _ERROR | ENOSYS),  # another architecture's calls have other numbers
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    if machine == "x86_64":
        steps += [(_JUMP_IF_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _ERROR | ENOSYS)]
        refused += _PORTS.values()
    for number in refused:
        steps += [(_JUMP_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERROR | EPERM)]
    steps += [(_JUMP_IF_EQUAL, 1, 0, _SOCKET[column]), (_RETURN, 0, 0, _ALLOW), (_LOAD, 0, 0, _FIRST_ARGUMENT_AT)]
    for family in FAMILIES:
        steps += [(_JUMP_IF_EQUAL, 0, 1, family), (_RETURN, 0, 0, _ALLOW)]
    steps.append((_RETURN, 0, 0, _ERROR | EAFNOSUPPORT))
    return b"".join(struct.pack("HBBI", *step) for step in steps)
