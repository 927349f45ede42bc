"""Building and running real workloads in tests."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagehouse.ports.runtime import Handle, Host, Mount, Observed, Workload
from sagehouse.runtimes.process import launch
from sagehouse.runtimes.process.runtime import ProcessRuntime

if TYPE_CHECKING:
    import pytest  # absent where jobs run as another user

PYTHON = str(Path(os.path.realpath(sys.executable)))
BASE = Mount(source=Path(sys.base_prefix), target=sys.base_prefix, access="read")
"""What a job must see to run the interpreter that runs the tests."""
PATIENCE_S = 60


def a_job(folder: Path, *command: str, hosts: int = 1, mounts: tuple[Mount, ...] = (), **more: Any) -> Workload:
    """A job in `folder`: its /opt/ml is `folder/ml`, its logs are `folder/algo-N.log`."""
    for name in ("state", "ml"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    shared = (BASE, Mount(source=folder / "ml", target="/opt/ml", access="write"), *mounts)
    named = [Host(name=f"algo-{n}", log=folder / f"algo-{n}.log") for n in range(1, hosts + 1)]
    given: dict[str, Any] = {"id": "job", "environment": {}, "stop_grace_s": 5.0, **more}
    return Workload(directory=folder / "state", command=command, hosts=named, mounts=shared, **given)


def a_shell_job(folder: Path, script: str, **more: Any) -> Workload:
    return a_job(folder, "/bin/sh", "-c", script, **more)


def a_python_job(folder: Path, script: str, **more: Any) -> Workload:
    return a_job(folder, PYTHON, "-I", "-S", "-c", script, **more)


def run(workload: Workload) -> Observed:
    """Run a workload to its end and clean up after it."""

    async def to_the_end(runtime: ProcessRuntime) -> Observed:
        handle = await runtime.start(workload)
        seen = await runtime.wait(handle)
        await runtime.forget(handle)
        return seen

    return attend(to_the_end)


def attend(scene: Callable[[ProcessRuntime], Awaitable[Observed]]) -> Observed:
    async def within_time() -> Observed:
        return await asyncio.wait_for(scene(ProcessRuntime()), PATIENCE_S)

    return asyncio.run(within_time())


def output(folder: Path, host: int = 1) -> str:
    """What a host printed: its log without the times."""
    lines = (folder / f"algo-{host}.log").read_text(errors="replace").splitlines()
    return "".join(f"{line.partition(' ')[2]}\n" for line in lines)


def printed(folder: Path, text: str) -> bool:
    """Whether the first host has printed exactly this so far."""
    return (folder / "algo-1.log").exists() and output(folder) == text


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something a real process does; the only waiting in these tests, and it ends as soon as it is done."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - another process cannot set an event
            await asyncio.sleep(0.005)


def supervise_after(monkeypatch: "pytest.MonkeyPatch", statements: str) -> None:
    """Let supervisors begin with these statements: a machine that lacks something, seen from inside."""
    last = "from sagehouse.runtimes.process.{module}"
    first = f"from sagehouse.runtimes.process import kernel, limits\n{statements}\n"
    monkeypatch.setattr(launch, "SOURCE", launch.SOURCE.replace(last, first + last))


def supervisor_of(handle: Handle) -> int:
    return int(Path(handle.directory, ".workload", handle.workload_id, "began").read_text())


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
