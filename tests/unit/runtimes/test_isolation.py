"""What a job can see and touch: attacks from inside, each by a real process."""

import ctypes
import os
import socket
import struct
from dataclasses import replace
from errno import EAFNOSUPPORT, ENOSYS, EPERM
from pathlib import Path

import pytest
from tests.unit.runtimes.jobs import PYTHON, a_job, a_python_job, a_shell_job, output, run, supervise_after

from sagehouse.ports.runtime import Host, Mount
from sagehouse.runtimes.process import seccomp

LANDLOCK = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint(1))
"""The version of its interface that this kernel speaks, -1 if none. Source: landlock_create_ruleset(2)."""


def test_a_job_is_root_on_a_machine_of_its_own_name(tmp_path: Path) -> None:
    run(a_shell_job(tmp_path, "id -u; hostname; cat /etc/hostname; echo $HOME; pwd", working_directory="/opt/ml/code"))
    assert output(tmp_path) == "0\nalgo-1\nalgo-1\n/root\n/opt/ml/code\n"


def test_a_job_sees_only_its_own_processes(tmp_path: Path) -> None:
    run(a_shell_job(tmp_path, "echo /proc/[0-9]*"))
    assert output(tmp_path).split() == ["/proc/1", "/proc/2"]


def test_a_job_sees_neither_the_catalog_nor_another_job_nor_the_users_home(tmp_path: Path) -> None:
    secrets = [tmp_path / "catalog.db", tmp_path / "jobs" / "other" / "ml" / "data", Path.home() / ".sagehouse-secret"]
    for secret in secrets:
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text("SECRET")
    try:
        search = f"cat {' '.join(map(str, secrets))}; grep -rsl SECRET /home /root /mnt /srv /opt /var /tmp /run; true"
        run(a_shell_job(tmp_path / "jobs" / "mine", search))
    finally:
        secrets[-1].unlink()
    seen = output(tmp_path / "jobs" / "mine")
    assert "SECRET" not in seen
    assert seen.count("No such file") == 3


def test_the_hosts_root_cannot_be_reached_through_proc_or_chroot(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("SECRET")
    script = f"""
import os
for path in ("/proc/1/root", "/proc/1/cwd", "/proc/self/root/..", "/..", "/proc/2/cwd"):
    print(os.path.exists(path + {str(tmp_path / "secret")!r}))
os.mkdir("/tmp/jail"); away = os.open("/", os.O_RDONLY); os.chroot("/tmp/jail"); os.fchdir(away)
for _ in range(64): os.chdir("..")
os.chroot(".")
print(os.path.exists({str(tmp_path / "secret")!r}))
"""
    run(a_python_job(tmp_path / "job", script))
    assert output(tmp_path / "job").split() == ["False"] * 6


def test_nothing_of_the_control_plane_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        run(a_shell_job(tmp_path, "env; ls /proc/self/fd | wc -l"))
    seen = output(tmp_path)
    assert "SECRET" not in seen
    assert seen.split()[-1] == "4"  # 0, 1, 2 and the one that ls reads the directory with


def test_system_directories_cannot_be_written(tmp_path: Path) -> None:
    files = [f"{folder}/sagehouse-{os.getpid()}" for folder in ("/usr", "/bin", "/usr/lib", "/etc/ssl/certs")]
    script = f"for f in {' '.join(files)} /proc/sys/kernel/core_pattern; do (echo x > $f); done"
    run(a_shell_job(tmp_path, script))
    assert output(tmp_path).count("Read-only file system") == 5
    assert not any(Path(file).exists() for file in files)


@pytest.mark.skipif(not Path("/lib").is_symlink(), reason="/lib is a directory of this machine, shown read-only")
def test_a_job_may_add_libraries_and_finds_those_of_the_machine(tmp_path: Path) -> None:
    """The server that the SDK's ModelBuilder writes copies a model's shared libraries to /lib, be there any or not."""
    script = """
import os, shutil
os.mkdir("/tmp/shared"); open("/tmp/shared/libown.so", "w").close()
shutil.copytree("/tmp/shared", "/lib", dirs_exist_ok=True)
print(set(os.listdir("/lib")) - set(os.listdir("/usr/lib")))
print([name for name in os.listdir("/usr/lib") if os.readlink("/lib/" + name) != "/usr/lib/" + name])
"""
    run(a_python_job(tmp_path, script))
    assert output(tmp_path) == "{'libown.so'}\n[]\n"
    assert not os.path.lexists("/lib/libown.so")


def test_a_job_may_write_anywhere_else_and_none_of_it_is_on_the_host(tmp_path: Path) -> None:
    name = f"sagehouse-{os.getpid()}"
    places = " ".join(
        f"{folder}/{name}" for folder in ("", "/opt", "/home", "/root", "/tmp", "/var/tmp", "/etc", "/srv")
    )
    assert run(a_shell_job(tmp_path, f"for f in {places}; do echo x > $f || exit 1; done")).exit_codes == {"algo-1": 0}
    assert [place for place in places.split() if os.access(place, os.F_OK)] == []  # /root may be closed to us


def test_opt_ml_is_the_jobs_and_is_never_made_on_the_host(tmp_path: Path) -> None:
    had = Path("/opt/ml").exists()
    run(a_shell_job(tmp_path, "echo 42 > /opt/ml/answer"))
    assert (tmp_path / "ml" / "answer").read_text() == "42\n"
    assert Path("/opt/ml").exists() == had


def test_a_mount_cannot_be_remounted_unmounted_or_made(tmp_path: Path) -> None:
    script = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.mount(b"none", b"/usr", None, 32 | 4096, None), ctypes.get_errno())
print(libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None), ctypes.get_errno())
print(libc.umount2(b"/proc/sys", 2), ctypes.get_errno())
print(libc.unshare(0x10000000), ctypes.get_errno() in (1, 28))
print(libc.sethostname(b"evil", 4), ctypes.get_errno())
"""
    run(a_job(tmp_path, PYTHON, "-I", "-c", script))
    assert output(tmp_path).splitlines() == ["-1 1", "-1 1", "-1 1", "-1 True", "-1 1"]


def test_rights_are_few_and_none_can_be_gained(tmp_path: Path) -> None:
    run(a_shell_job(tmp_path, "grep -E 'Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs' /proc/self/status"))
    seen = dict(line.split(":#011") for line in output(tmp_path).splitlines())
    assert seen.pop("CapAmb") == "0" * 16
    assert seen.pop("NoNewPrivs") == "1"
    assert set(seen.values()) == {"00000000000405fb"}


def test_a_read_mount_cannot_be_written(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "file").write_text("original")
    mount = Mount(source=shared, target="/data", access="read")
    run(a_shell_job(tmp_path / "job", "cat /data/file; echo x > /data/file; rm -f /data/file", mounts=(mount,)))
    assert "original" in output(tmp_path / "job")
    assert (shared / "file").read_text() == "original"


def test_an_overlay_looks_writable_and_its_source_stays_as_it_is(tmp_path: Path) -> None:
    """The store's own file is a hard link away: changing it would change every job's input."""
    store, channel = tmp_path / "store", tmp_path / "channel: a, b\\c"
    channel.mkdir()
    store.write_text("original")
    os.link(store, channel / "data.csv")
    mount = Mount(source=channel, target="/opt/ml/input/data/train", access="overlay")
    script = """cd /opt/ml/input/data/train && echo more >> data.csv && cat data.csv && chmod 600 data.csv &&
    touch new && rm data.csv && ls && rm -r /opt/ml/input/data/train/* && ls"""
    seen = run(a_shell_job(tmp_path / "job", script, mounts=(mount,)))
    assert (seen.exit_codes, output(tmp_path / "job")) == ({"algo-1": 0}, "originalmore\nnew\n")
    assert (store.read_text(), [path.name for path in channel.iterdir()]) == ("original", ["data.csv"])
    assert store.stat().st_mode & 0o777 == (channel / "data.csv").stat().st_mode & 0o777 != 0o600


def test_where_overlays_are_refused_a_copy_looks_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervise_after(monkeypatch, NO_OVERLAYS)
    shared = tmp_path / "shared"
    (shared / "deep").mkdir(parents=True)
    (shared / "deep" / "file").write_text("original")
    mount = Mount(source=shared, target="/data", access="overlay")
    run(a_shell_job(tmp_path / "job", "cd /data/deep && cat file; echo x > file && cat file", mounts=(mount,)))
    assert output(tmp_path / "job") == "originalx\n"
    assert (shared / "deep" / "file").read_text() == "original"


NO_OVERLAYS = """
allowed = kernel.mount
def mount(source, target, kind, flags=0, data=""):
    if kind == "overlay":
        raise OSError(22, "Invalid argument", "mount overlay")
    allowed(source, target, kind, flags, data)
kernel.mount = mount
"""


def test_a_file_may_be_an_overlay_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("original")
    mount = Mount(source=tmp_path / "file", target="/data/file", access="overlay")
    run(a_shell_job(tmp_path / "job", "cat /data/file; echo x > /data/file && cat /data/file", mounts=(mount,)))
    assert output(tmp_path / "job") == "originalx\n"
    assert (tmp_path / "file").read_text() == "original"


def test_what_a_job_installs_into_a_shared_environment_is_its_own(tmp_path: Path) -> None:
    packages = tmp_path / "env" / "lib" / "python3" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "shared.py").write_text("version = 1")
    target = str(tmp_path / "env")
    mount = Mount(source=tmp_path / "env", target=target, access="overlay")
    script = f"echo 'version = 2' > {packages}/shared.py && touch {packages}/new.py && cat {packages}/shared.py"
    run(a_shell_job(tmp_path / "job", script, mounts=(mount,)))
    assert output(tmp_path / "job") == "version = 2\n"
    assert [path.name for path in packages.iterdir()] == ["shared.py"]
    assert (packages / "shared.py").read_text() == "version = 1"


def test_a_link_left_where_a_target_goes_leads_nowhere_on_the_host(tmp_path: Path) -> None:
    """A restarted job finds the directory its first attempt has written to."""
    outside, given = tmp_path / "outside", tmp_path / "given"
    for folder in (outside, given, tmp_path / "job" / "ml"):
        folder.mkdir(parents=True)
    (tmp_path / "job" / "ml" / "input").symlink_to(outside)
    mount = Mount(source=given, target="/opt/ml/input/data", access="read")
    files = {"/opt/ml/input/config.json": "{}"}
    job = a_shell_job(tmp_path / "job", "ls -d /opt/ml/input/*", mounts=(mount,))
    host = Host(name="algo-1", log=tmp_path / "job" / "algo-1.log", files=files)
    seen = run(replace(job, hosts=[host]))
    assert seen.reason in {"exited", "failed_to_start"}
    assert list(outside.iterdir()) == []


def test_files_are_there_before_the_command(tmp_path: Path) -> None:
    job = a_shell_job(tmp_path, "cat /opt/ml/input/config/hyperparameters.json /etc/sagehouse")
    files = {"/opt/ml/input/config/hyperparameters.json": '{"a": "ü"}\n', "/etc/sagehouse": "x\n"}
    host = Host(name="algo-1", log=tmp_path / "algo-1.log", files=files, environment={"LANG": "C"})
    run(replace(job, hosts=[host]))
    assert output(tmp_path) == '{"a": "ü"}\nx\n'


def test_an_isolated_job_has_no_network_but_itself(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"""
import _socket
def reaches(host, port):
    s = _socket.socket(); s.settimeout(2)
    try: s.connect((host, port)); return True
    except OSError: return False
own = _socket.socket(); own.bind(("127.0.0.1", 0)); own.listen()
print(reaches("127.0.0.1", {port}), reaches("127.0.0.1", own.getsockname()[1]))
"""
        run(a_python_job(tmp_path / "open", script))
        run(a_python_job(tmp_path / "isolated", script, is_network_isolated=True))
    assert output(tmp_path / "open") == "True True\n"
    assert output(tmp_path / "isolated") == "False True\n"


@pytest.mark.parametrize("is_network_isolated", [False, True])
def test_two_hosts_reach_each_other_by_name(tmp_path: Path, *, is_network_isolated: bool) -> None:
    script = """
import socket, time
own, other = socket.gethostname(), {"algo-1": "algo-2", "algo-2": "algo-1"}[socket.gethostname()]
server = socket.create_server((own, 7777))
for _ in range(200):
    try:
        socket.create_connection((other, 7777)).sendall(own.encode()); break
    except ConnectionRefusedError: time.sleep(0.02)
print(server.accept()[0].recv(100).decode(), socket.gethostbyname(own) != socket.gethostbyname(other))
"""
    job = a_job(tmp_path, PYTHON, "-I", "-c", script, hosts=2, is_network_isolated=is_network_isolated)
    assert run(job).exit_codes == {"algo-1": 0, "algo-2": 0}
    assert [output(tmp_path, host) for host in (1, 2)] == ["algo-2 True\n", "algo-1 True\n"]


def test_ownership_can_be_changed_by_root_and_by_tar(tmp_path: Path) -> None:
    """Archives made elsewhere name users that an ordinary user cannot be; unpacking them as root must not fail."""
    script = "cd /tmp && mkdir a && touch a/b && tar --owner=1234 --group=1234 -cf a.tar a && tar -xf a.tar"
    assert run(a_shell_job(tmp_path, script)).exit_codes == {"algo-1": 0}, output(tmp_path)


def test_system_calls_that_break_kernels_are_refused(tmp_path: Path) -> None:
    """keyctl read the keyring of whoever had started the house; io_uring, userfaultfd and AF_VSOCK were open."""
    column = {"x86_64": 0, "aarch64": 1}[os.uname().machine]
    numbers = {name: both[column] for name, both in seccomp.REFUSED.items()}
    script = f"""
import ctypes, socket
libc = ctypes.CDLL(None, use_errno=True)
for name, number in {numbers}.items():
    if libc.syscall(number, -1, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 1:
        print(name, ctypes.get_errno())
for family in range(46):
    try: socket.socket(family, socket.SOCK_DGRAM).close()
    except OSError as error: allowed = error.errno not in (97, 22)
    else: allowed = True
    if allowed: print(family)
"""
    run(a_job(tmp_path, PYTHON, "-I", "-c", script))
    assert output(tmp_path).split() == [str(family) for family in seccomp.FAMILIES]


def test_debuggers_and_processes_that_share_memory_work(tmp_path: Path) -> None:
    """gdb and py-spy attach, MPI and NCCL read the memory of their peers."""
    script = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
child = os.fork()
if child == 0:
    os.read(os.pipe()[0], 1)
print(libc.ptrace(16, child, None, None), os.waitpid(child, 0)[0] == child, libc.ptrace(17, child, None, None))
text = ctypes.create_string_buffer(b"shared"); seen = ctypes.create_string_buffer(6)
local = (ctypes.c_size_t * 2)(ctypes.addressof(seen), 6); far = (ctypes.c_size_t * 2)(ctypes.addressof(text), 6)
print(libc.process_vm_readv(os.getpid(), local, 1, far, 1, 0), seen.raw)
os.kill(child, 9)
"""
    run(a_job(tmp_path, PYTHON, "-I", "-c", script))
    assert output(tmp_path) == "0 True 0\n6 b'shared'\n"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_says_the_same_on_every_architecture(machine: str) -> None:
    column = {"x86_64": 0, "aarch64": 1}[machine]
    own, foreign = (0xC000003E, 0xC00000B7) if column == 0 else (0xC00000B7, 0xC000003E)
    for both in seccomp.REFUSED.values():
        assert judge(machine, own, both[column]) == EPERM
    write, connect, vm_read, ptrace = (1, 64), (42, 203), (310, 270), (101, 117)
    assert [judge(machine, own, both[column]) for both in (write, connect, vm_read, ptrace)] == [0, 0, 0, 0]
    sockets = [judge(machine, own, (41, 198)[column], family) for family in (1, 2, 10, 16, 17, 38, 40)]
    assert sockets == [0, 0, 0, 0, EAFNOSUPPORT, EAFNOSUPPORT, EAFNOSUPPORT]
    assert judge(machine, foreign, write[column]) == ENOSYS
    assert seccomp.program("riscv64") == b""


def judge(machine: str, architecture: int, number: int, argument: int = 0) -> int:
    """Run the filter as the kernel does; return the error it answers, 0 if it lets the call through."""
    data = {0: number, 4: architecture, 16: argument}
    steps = list(struct.iter_unpack("HBBI", seccomp.program(machine)))
    at, value = 0, 0
    while True:
        code, if_true, if_false, k = steps[at]
        at += 1
        if code == 0x20:
            value = data[k]
        elif code == 0x06:
            return 0 if k == 0x7FFF0000 else int(k) & 0xFFFF
        else:
            at += if_true if (value == k if code == 0x15 else value >= k) else if_false


def test_abstract_sockets_of_the_machine_are_out_of_reach_and_a_jobs_own_are_not(tmp_path: Path) -> None:
    """A job that shares the network could talk to the user's desktop, and pass open files to another job."""
    if LANDLOCK < 6:
        pytest.skip("this kernel cannot scope abstract sockets: Linux 6.12 can")
    name = f"sagehouse-{os.getpid()}"
    script = f"""
import socket
def reaches(name):
    with socket.socket(socket.AF_UNIX) as s:
        try: s.connect("\\0" + name); return True
        except OSError: return False
own = socket.socket(socket.AF_UNIX); own.bind("\\0{name}-own"); own.listen()
print(reaches("{name}"), reaches("{name}-own"))
"""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}")
        server.listen()
        run(a_job(tmp_path, PYTHON, "-I", "-c", script))
    assert output(tmp_path) == "False True\n"
