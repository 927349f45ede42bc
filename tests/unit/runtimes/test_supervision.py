"""Who owns a running job, and how it ends: on time, on request, out of memory, with a full disk, or alone."""

import asyncio
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tests.unit.runtimes.jobs import (
    BASE,
    a_python_job,
    a_shell_job,
    attend,
    is_alive,
    output,
    printed,
    run,
    supervise_after,
    supervisor_of,
    until,
)

from sagehouse.ports.runtime import Handle, Observed, Workload
from sagehouse.runtimes.process import ledger, limits
from sagehouse.runtimes.process.runtime import ProcessRuntime
from sagehouse.runtimes.process.supervisor import Supervisor

MIB = 1024 * 1024
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.05; done"


def descendants(pid: int) -> list[int]:
    """Process ids below a process, as this machine counts them."""
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()
    ]
    return children + [below for child in children for below in descendants(child)]


def test_a_job_whose_directory_is_removed_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who deleted a data directory left jobs and model servers behind that nobody could find or stop any more."""
    supervise_after(monkeypatch, "from sagehouse.runtimes.process import supervisor; supervisor.LOOK_S = 0.01")
    supervisors: list[int] = []

    async def scene(runtime: ProcessRuntime) -> Observed:
        handle = await runtime.start(a_shell_job(tmp_path, STUBBORN))
        await until(lambda: printed(tmp_path, "ready\n"))
        supervisors.append(supervisor_of(handle))
        shutil.rmtree(tmp_path, ignore_errors=True)
        await until(lambda: not is_alive(supervisors[0]))
        return await runtime.poll(handle)

    assert attend(scene).reason == "lost"


def test_what_a_job_leaves_running_dies_with_it(tmp_path: Path) -> None:
    """A script that forks and daemonises, with the output it holds open, must not keep the job or the machine busy."""
    script = "(setsid sh -c 'trap \"\" TERM HUP; sleep 300' &) & setsid sleep 300 & sleep 300 & echo started; exit 5"
    below: list[int] = []

    async def scene(runtime: ProcessRuntime) -> Observed:
        handle = await runtime.start(a_shell_job(tmp_path, f"read go < /opt/ml/go; {script}"))
        await until(lambda: len(descendants(supervisor_of(handle))) >= 2)
        (tmp_path / "ml" / "go").write_text("go\n")
        below.extend(descendants(supervisor_of(handle)))
        return await runtime.wait(handle)

    (tmp_path / "ml").mkdir()
    os.mkfifo(tmp_path / "ml" / "go")
    assert attend(scene).exit_codes == {"algo-1": 5}
    assert [pid for pid in below if is_alive(pid)] == []
    assert output(tmp_path) == "started\n"


def test_a_job_that_heeds_sigterm_ends_in_its_own_way(tmp_path: Path) -> None:
    async def scene(runtime: ProcessRuntime) -> Observed:
        script = "trap 'echo saved; exit 7' TERM; echo ready; while :; do sleep 0.01; done"
        handle = await runtime.start(a_shell_job(tmp_path, script, stop_grace_s=60))
        await until(lambda: printed(tmp_path, "ready\n"))
        await runtime.stop(handle)
        return await runtime.wait(handle)

    seen = attend(scene)
    assert (seen.reason, seen.exit_codes, output(tmp_path)) == ("stopped", {"algo-1": 7}, "ready\nsaved\n")


def test_a_job_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    async def scene(runtime: ProcessRuntime) -> Observed:
        handle = await runtime.start(a_shell_job(tmp_path, STUBBORN, stop_grace_s=0.2))
        await until(lambda: printed(tmp_path, "ready\n"))
        await runtime.stop(handle)
        return await runtime.wait(handle)

    seen = attend(scene)
    assert (seen.reason, seen.exit_codes) == ("stopped", {"algo-1": 137})


def test_a_later_stop_may_shorten_the_grace(tmp_path: Path) -> None:
    async def scene(runtime: ProcessRuntime) -> Observed:
        handle = await runtime.start(a_shell_job(tmp_path, STUBBORN, stop_grace_s=600))
        await until(lambda: printed(tmp_path, "ready\n"))
        await runtime.stop(handle)
        assert (await runtime.poll(handle)).is_running
        await runtime.stop(handle, grace_s=0)
        return await runtime.wait(handle)

    assert attend(scene).exit_codes == {"algo-1": 137}


def test_the_time_limit_ends_a_job_that_ignores_it(tmp_path: Path) -> None:
    seen = run(a_shell_job(tmp_path, STUBBORN, max_runtime_s=0.2, stop_grace_s=0.1))
    assert (seen.reason, seen.exit_codes) == ("timed_out", {"algo-1": 137})


@pytest.mark.parametrize("watched", [False, True], ids=["control group", "watch"])
def test_a_memory_hog_ends_out_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, watched: bool) -> None:
    """Without control groups (an ordinary user) the supervisor adds up what the job's processes use."""
    script = "import time; hog = []\nwhile True: hog.append(bytearray(b'x') * (8 << 20)); time.sleep(0.005)"
    job = a_python_job(tmp_path, script, memory_limit_bytes=100 * MIB)
    if watched:
        supervise_after(monkeypatch, "limits.make_group = lambda name, **given: limits.Group(None, None)")
    seen = run(job)
    assert (seen.reason, seen.exit_codes) == ("out_of_memory", {"algo-1": 137})
    assert str(100 * MIB) in seen.detail


def test_a_job_within_its_memory_is_left_alone(tmp_path: Path) -> None:
    seen = run(a_python_job(tmp_path, "bytearray(20 << 20)", memory_limit_bytes=200 * MIB, cpu_limit=1.0))
    assert (seen.reason, seen.exit_codes) == ("exited", {"algo-1": 0})


FORKS = """
import os, _signal
for generation in range(8):
    try: os.fork()
    except BlockingIOError: pass
_signal.pause()
"""
"""Makes 256 processes that stay: a bomb with a bottom, for a test that should fail to contain it."""
THREADS = """
import _thread
_thread.stack_size(65536)
held = _thread.allocate_lock()
held.acquire()
for number in range(200):
    try: _thread.start_new_thread(held.acquire, ())
    except RuntimeError: pass
held.acquire()
"""


@pytest.mark.parametrize("watched", [False, True], ids=["control group", "watch"])
@pytest.mark.parametrize("script", [FORKS, THREADS], ids=["processes", "threads"])
def test_a_fork_bomb_ends_with_its_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, script: str, watched: bool
) -> None:
    """It met a limit, and went on trying for as long as the job might run."""
    without = "limits.make_group = lambda name, **given: limits.Group(None, None)" if watched else ""
    supervise_after(monkeypatch, f"limits.PROCESSES = 64\n{without}")
    seen = run(a_python_job(tmp_path, script, max_runtime_s=30.0))
    assert (seen.reason, seen.exit_codes) == ("too_many_processes", {"algo-1": 137})
    assert "algo-1 had as many as it may (64)" in seen.detail


def test_a_script_that_gives_up_at_the_limit_is_told_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor has not looked yet when such a one has ended."""
    supervise_after(monkeypatch, "limits.PROCESSES = 16\nlimits.is_crowded = lambda init: False")
    script = "import os, _signal\nfor _ in range(32):\n    if not os.fork(): _signal.pause()"
    group = limits.make_group(f"sagehouse-test-{os.getpid()}", memory_limit_bytes=None, cpu_limit=None)
    for path in group.paths:
        Path(path).rmdir()
    if not group.processes:
        pytest.skip("no control group may be made here")
    seen = run(a_python_job(tmp_path, script))
    assert (seen.reason, seen.exit_codes) == ("too_many_processes", {"algo-1": 1})


def test_a_job_with_fewer_processes_than_it_may_have_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervise_after(monkeypatch, "limits.PROCESSES = 64")
    seen = run(a_shell_job(tmp_path, "for n in $(seq 40); do sleep 0.2 & done; wait"))
    assert (seen.reason, seen.exit_codes) == ("exited", {"algo-1": 0})


def test_much_output_is_logged_whole_in_little_memory(tmp_path: Path) -> None:
    lines, width = 2_000_000, 100
    script = f"import os\nfor _ in range({lines // 1000}): os.write(1, (b'x' * {width - 1} + b'\\n') * 1000)"
    most = 0

    async def scene(runtime: ProcessRuntime) -> Observed:
        nonlocal most
        handle = await runtime.start(a_python_job(tmp_path, script))
        waiting = asyncio.ensure_future(runtime.wait(handle))
        while not waiting.done():
            status = Path(f"/proc/{supervisor_of(handle)}/status")
            peak = (
                [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
                if status.exists()
                else []
            )
            most = max(most, *(int(line.split()[1]) for line in peak), 0)
            await asyncio.sleep(0.02)
        return await waiting

    assert attend(scene).exit_codes == {"algo-1": 0}
    with (tmp_path / "algo-1.log").open("rb") as log:
        assert sum(chunk.count(b"\n") for chunk in iter(lambda: log.read(MIB), b"")) == lines
    assert (tmp_path / "algo-1.log").stat().st_size == lines * (width + 14)
    assert 0 < most < 40 * 1024


def test_the_log_is_complete_when_the_end_is_told(tmp_path: Path) -> None:
    run(a_shell_job(tmp_path, "echo out; echo err >&2; printf 'a\\tb\\r\\033[0m\\\\ no newline'"))
    assert output(tmp_path) == "out\nerr\na#011b#015#033[0m\\\\ no newline\n"


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_second_runtime_adopts_what_the_first_has_started(tmp_path: Path, new_loop: object) -> None:
    job = a_shell_job(tmp_path, "read go < /opt/ml/go; exit 9")
    os.mkfifo(tmp_path / "ml" / "go")

    async def adopt(handle: Handle) -> Observed:
        runtime = ProcessRuntime()
        seen = await runtime.poll(handle)
        assert seen.is_running
        waiting = asyncio.ensure_future(runtime.wait(handle))
        await asyncio.to_thread((tmp_path / "ml" / "go").write_text, "go\n")
        return await waiting

    assert callable(new_loop)
    with asyncio.Runner(loop_factory=new_loop) as first:
        handle = first.run(ProcessRuntime().start(job))
    with asyncio.Runner(loop_factory=new_loop) as second:
        assert second.run(adopt(handle)).exit_codes == {"algo-1": 9}


def test_killing_who_started_a_job_does_not_end_it_nor_start_it_twice(tmp_path: Path) -> None:
    """kill -9 of the control plane after the start and before the handle was stored."""
    job = a_shell_job(tmp_path, "echo once >> /opt/ml/runs; read go < /opt/ml/go; exit 3")
    os.mkfifo(tmp_path / "ml" / "go")
    program = f"""
import asyncio, os, signal, sys
sys.path[:0] = {sys.path!r}
from pathlib import PosixPath
from sagehouse.ports.runtime import *
from sagehouse.runtimes.process.runtime import ProcessRuntime
asyncio.run(ProcessRuntime().start({described(job)}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL

    async def scene(runtime: ProcessRuntime) -> Observed:
        handle = await runtime.start(job)
        await until((tmp_path / "ml" / "runs").exists)
        await asyncio.to_thread((tmp_path / "ml" / "go").write_text, "go\n")
        return await runtime.wait(handle)

    assert attend(scene).exit_codes == {"algo-1": 3}
    assert (tmp_path / "ml" / "runs").read_text() == "once\n"


def described(job: Workload) -> str:
    """Source text of a workload, for another process."""
    return repr(replace(job, environment=dict(job.environment))).replace("mappingproxy({})", "{}")


def test_a_job_whose_supervisor_is_killed_is_lost_and_leaves_no_process(tmp_path: Path) -> None:
    below: list[int] = []

    async def scene(runtime: ProcessRuntime) -> Observed:
        handle = await runtime.start(a_shell_job(tmp_path, STUBBORN))
        await until(lambda: printed(tmp_path, "ready\n"))
        below.extend(descendants(supervisor_of(handle)))
        os.kill(supervisor_of(handle), signal.SIGKILL)
        seen = await runtime.wait(handle)
        await until(lambda: not any(is_alive(pid) for pid in below))
        await runtime.forget(handle)
        return seen

    seen = attend(scene)
    assert (seen.is_running, seen.reason, len(below) >= 2) == (False, "lost", True)


def test_a_lost_job_is_not_started_again_under_the_same_id(tmp_path: Path) -> None:
    runs = tmp_path / "ml" / "runs"

    async def scene(runtime: ProcessRuntime) -> Observed:
        job = a_shell_job(tmp_path, "echo x >> /opt/ml/runs; sleep 300")
        handle = await runtime.start(job)
        await until(lambda: runs.exists() and runs.read_text() == "x\n")
        os.kill(supervisor_of(handle), signal.SIGKILL)
        await runtime.wait(handle)
        return await runtime.poll(await runtime.start(job))

    assert attend(scene).reason == "lost"
    assert runs.read_text() == "x\n"


def test_a_job_cannot_signal_its_supervisor_or_its_init(tmp_path: Path) -> None:
    script = "kill -9 1; kill -15 1; kill -9 -1; echo never"
    seen = run(a_shell_job(tmp_path, f"sh -c 'kill -9 1'; echo alive; {script}"))
    assert seen.reason == "exited"
    assert output(tmp_path).startswith("alive\n")


def test_the_other_hosts_end_when_one_fails(tmp_path: Path) -> None:
    script = "[ $HOSTNAME = algo-2 ] && exit 4; sleep 300"
    seen = run(a_shell_job(tmp_path, script, hosts=2))
    assert (seen.reason, list(seen.exit_codes.items())) == ("exited", [("algo-2", 4), ("algo-1", 143)])


def test_a_mount_whose_source_is_missing_fails_to_start_and_is_named(tmp_path: Path) -> None:
    job = a_shell_job(tmp_path, "true", mounts=(replace(BASE, source=tmp_path / "gone", target="/gone"),))
    seen = run(job)
    assert (seen.reason, "gone" in seen.detail) == ("failed_to_start", True)


def test_forgetting_removes_what_has_no_permissions_and_no_end(tmp_path: Path) -> None:
    script = """
import os
os.mkdir("/tmp/closed"); os.mkdir("/tmp/closed/in"); os.chmod("/tmp/closed/in", 0); os.chmod("/tmp/closed", 0)
os.chdir("/tmp")
for _ in range(3000): os.mkdir("deep"); os.chdir("deep")
"""
    assert run(a_python_job(tmp_path, script)).exit_codes == {"algo-1": 0}
    assert list((tmp_path / "state").iterdir()) == []


def test_a_disk_that_is_full_before_the_start_is_noted_is_the_reason(tmp_path: Path) -> None:
    """On a busy machine the job had filled the disk before its supervisor wrote that it runs, and was told as lost."""

    class Filled(Supervisor):
        def _launch(self) -> None:
            self.started_at = 1.0
            raise OSError(errno.ENOSPC, "No space left on device")

    spec: Any = {"hosts": []}
    read, write = os.pipe()
    Filled(str(tmp_path), spec, control=read, lock=read).run()
    os.close(read)
    os.close(write)
    status = json.loads((tmp_path / ledger.STATUS).read_text())
    assert (status["reason"], status["detail"]) == ("disk_full", "No space left on device")


def test_a_job_that_has_filled_the_disk_outside_its_mounts_gives_the_room_back_with_its_end(tmp_path: Path) -> None:
    """The house could not store that the job had ended, and only stored ends are cleaned up after."""
    program = f"""
import sys
sys.path[:0] = {sys.path!r}
import os
from pathlib import Path
from sagehouse.runtimes.process import kernel
from tests.unit.runtimes.jobs import a_shell_job, attend
kernel.unshare(kernel.NEWUSER | kernel.NEWNS)
for name, text in (("setgroups", "deny"), ("uid_map", "0 {os.geteuid()} 1"), ("gid_map", "0 {os.getegid()} 1")):
    Path("/proc/self", name).write_text(text)
kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
small = Path({str(tmp_path)!r})
kernel.mount("tmpfs", str(small), "tmpfs", 0, "size=8m")
async def to_the_end(runtime):
    handle = await runtime.start(a_shell_job(small, "cat /dev/zero > /tmp/scratch 2> /dev/null; exit 0"))
    return await runtime.wait(handle)
seen = attend(to_the_end)
room = os.statvfs(small)
print(seen.reason, room.f_bavail * room.f_frsize > 7 * 1024 * 1024)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.stdout == "exited True\n", done.stderr


def test_a_full_disk_is_the_reason_and_the_end_is_still_recorded(tmp_path: Path) -> None:
    """The job fills the file system that its log, its output and the runtime's own files are on."""
    program = f"""
import sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from sagehouse.runtimes.process import kernel
from tests.unit.runtimes.jobs import a_shell_job, run
kernel.unshare(kernel.NEWUSER | kernel.NEWNS)
for name, text in (("setgroups", "deny"), ("uid_map", "0 {os.geteuid()} 1"), ("gid_map", "0 {os.getegid()} 1")):
    Path("/proc/self", name).write_text(text)
kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
small = Path({str(tmp_path)!r})
kernel.mount("tmpfs", str(small), "tmpfs", 0, "size=4m")
seen = run(a_shell_job(small, "cat /dev/zero > /opt/ml/model.bin || exit 1"))
print(seen.reason, dict(seen.exit_codes), seen.detail)
loud = run(a_shell_job(small / "loud", "yes " + "x" * 1000))
print(loud.reason)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    first, second = done.stdout.splitlines() or [done.stderr, ""]
    assert first.startswith("disk_full {'algo-1': ")
    assert second == "disk_full"
