"""The Linux system calls that Python lacks, through ctypes. Each raises OSError naming what was refused.

Source: man pages clone(2), mount(2), mount_setattr(2), open_tree(2), pivot_root(2), capabilities(7), prctl(2),
seccomp(2), landlock(7).
Numbers of the newer calls are the same on every architecture; those of pivot_root and seccomp are not.
"""

import ctypes
import os
import struct

NEWNS = 0x00020000
NEWCGROUP = 0x02000000
NEWUTS = 0x04000000
NEWIPC = 0x08000000
NEWUSER = 0x10000000
NEWPID = 0x20000000
NEWNET = 0x40000000

RDONLY = 0x1
NOSUID = 0x2
NODEV = 0x4
NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 2

AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
OPEN_TREE_CLONE = 0x1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 0x4
AT_FDCWD = -100

SYS_OPEN_TREE = 428
SYS_MOVE_MOUNT = 429
SYS_MOUNT_SETATTR = 442
SYS_LANDLOCK_CREATE_RULESET = 444
SYS_LANDLOCK_RESTRICT_SELF = 446
SYS_PIVOT_ROOT = 155 if os.uname().machine == "x86_64" else 41
SYS_SECCOMP = 317 if os.uname().machine == "x86_64" else 277

SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4
"""Without it kernels before 5.16 slow the whole process down to guard against speculation."""
LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET = 1

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

CAPABILITIES = {
    "CHOWN": 0,
    "DAC_OVERRIDE": 1,
    "FOWNER": 3,
    "FSETID": 4,
    "KILL": 5,
    "SETGID": 6,
    "SETUID": 7,
    "SETPCAP": 8,
    "NET_BIND_SERVICE": 10,
    "SYS_CHROOT": 18,
}
"""What a job keeps, less than Docker's default: no MKNOD, NET_RAW, AUDIT_WRITE, SETFCAP."""

CAP_SYS_ADMIN = 21
LAST_CAPABILITY = 63

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
_libc.syscall.restype = ctypes.c_long


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def _syscall(what: str, number: int, *arguments: object) -> int:
    return _check(_libc.syscall(ctypes.c_long(number), *arguments), what)


def unshare(flags: int) -> None:
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(descriptor: int, kind: int) -> None:
    _check(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def sethostname(name: str) -> None:
    data = os.fsencode(name)
    _check(_libc.sethostname(data, ctypes.c_size_t(len(data))), "sethostname")


def prctl(option: int, value: int = 0) -> None:
    _check(_libc.prctl(option, value, 0, 0, 0), f"prctl({option})")


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    encoded = [os.fsencode(text) for text in (source, target, kind)]
    _check(_libc.mount(*encoded, flags, os.fsencode(data)), f"mount {kind or 'bind'} at {target}")


def unmount(target: str) -> None:
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    _syscall("pivot_root", SYS_PIVOT_ROOT, os.fsencode(new), os.fsencode(old))


def clone_tree(path: str) -> int:
    """Return a descriptor of a detached copy of the mounts at and below a path. Needs Linux 5.2."""
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE
    return _syscall(f"open_tree {path}", SYS_OPEN_TREE, ctypes.c_int(AT_FDCWD), os.fsencode(path), ctypes.c_uint(flags))


def restrict_tree(descriptor: int, attributes: int) -> None:
    """Set RDONLY, NOSUID, NODEV, NOEXEC on every mount of a detached tree. Needs Linux 5.12."""
    values = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    flags = AT_EMPTY_PATH | AT_RECURSIVE
    _syscall(
        "mount_setattr",
        SYS_MOUNT_SETATTR,
        ctypes.c_int(descriptor),
        b"",
        ctypes.c_uint(flags),
        ctypes.byref(values),
        ctypes.c_size_t(ctypes.sizeof(values)),
    )


def attach_tree(descriptor: int, target: str) -> None:
    """Mount a detached tree at a path, and close the descriptor."""
    _syscall(
        f"move_mount {target}",
        SYS_MOVE_MOUNT,
        ctypes.c_int(descriptor),
        b"",
        ctypes.c_int(AT_FDCWD),
        os.fsencode(target),
        ctypes.c_uint(MOVE_MOUNT_F_EMPTY_PATH),
    )
    os.close(descriptor)


def keep_capabilities(kept: frozenset[int]) -> None:
    """Give up every other capability for good: bounding, permitted, effective, inheritable and ambient sets."""
    for number in range(LAST_CAPABILITY + 1):
        if number not in kept:
            try:
                prctl(PR_CAPBSET_DROP, number)
            except OSError:
                break  # past the last capability this kernel knows
    prctl_ambient_clear()
    mask = sum(1 << number for number in kept)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(sets)), "capset")


def prctl_ambient_clear() -> None:
    _check(_libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "prctl(PR_CAP_AMBIENT)")


def filter_calls(program: bytes) -> None:
    """Put every system call of this process and all it will ever start before a BPF program."""
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    flags = ctypes.c_uint(SECCOMP_FILTER_FLAG_SPEC_ALLOW)
    _syscall("seccomp", SYS_SECCOMP, ctypes.c_uint(SECCOMP_SET_MODE_FILTER), flags, header)


def keep_abstract_sockets() -> None:
    """Let this process and all it will ever start reach no abstract Unix socket but their own. Needs Linux 6.12.

    Such sockets have names in the network namespace, which a job may share with the whole machine.
    """
    attributes = (ctypes.c_uint64 * 3)(0, 0, LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    create = SYS_LANDLOCK_CREATE_RULESET
    rules = _syscall("landlock_create_ruleset", create, ctypes.byref(attributes), size, ctypes.c_uint(0))
    try:
        _syscall("landlock_restrict_self", SYS_LANDLOCK_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint(0))
    finally:
        os.close(rules)


def effective_capabilities() -> int:
    """Return this process's effective set as a bit mask."""
    with open("/proc/self/status", "rb") as status:
        for line in status:
            if line.startswith(b"CapEff:"):
                return int(line.split()[1], 16)
    return 0
