"""A runtime in memory: workloads live on a clock that the test moves, and end as the test says.

It runs nothing. What a command would do is told by `behave`: a function from the workload to its `Fate`; `obey` reads
it from a tiny set of commands (`exit`, `sleep`, `sh -c "exit N"`), so that the contract tests run on it unchanged.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sagehouse.kit.errors import Conflict, Invalid
from sagehouse.ports.clock import Clock
from sagehouse.ports.runtime import Handle, Observed, Reason, Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a started workload. `after_s` None: it runs until the test or a stop ends it."""

    after_s: float | None = 0.0
    exit_code: int = 0
    exit_codes: Mapping[str, int] | None = None
    """Of each host, the first to end first; None: all of them `exit_code`."""
    reason: Reason = "exited"
    detail: str = ""
    obeys_sigterm: bool = True


@dataclass(slots=True, kw_only=True)
class Run:
    """A workload the fake was asked to start. `ends_at` None: no end is in sight."""

    workload: Workload
    started_at: float
    ends_at: float | None
    ending: Fate
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, ending: Fate, *, at: float) -> None:
        if self.ends_at is None or at < self.ends_at:
            self.ends_at, self.ending = at, ending
            self.changed.set()


def obey(workload: Workload) -> Fate:
    """Return the fate the command spells: `exit N`, `sh -c "exit N"`, `sleep N`; anything else succeeds at once."""
    words = " ".join(workload.command).removeprefix("/bin/").removeprefix("sh -c ").split()
    match words:
        case ["exit", code]:
            return Fate(exit_code=int(code))
        case ["sleep", seconds]:
            return Fate(after_s=float(seconds))
        case ["/no/such/command", *_]:
            return Fate(exit_code=127, reason="failed_to_start", detail="/no/such/command: No such file or directory")
    return Fate()


class FakeRuntime:
    """Passes tests/contract/runtime.py. `started` lists every workload that was really started, in order."""

    def __init__(self, clock: Clock, behave: Callable[[Workload], Fate] = obey) -> None:
        self.clock = clock
        self.behave = behave
        self.started: list[Workload] = []
        self.stopped: list[str] = []
        self.runs: dict[tuple[str, str], Run] = {}

    async def start(self, workload: Workload) -> Handle:
        refuse(workload)
        handle = Handle(runtime="process", workload_id=workload.id, directory=str(workload.directory))
        key = (handle.directory, handle.workload_id)
        if key not in self.runs:
            self.runs[key] = self._begin(workload)
            self.started.append(workload)
        return handle

    async def poll(self, handle: Handle) -> Observed:
        run = self.runs.get((handle.directory, handle.workload_id))
        if run is None:
            return Observed(is_running=False, reason="lost")
        if run.ends_at is None or run.ends_at > self.clock.now():
            return Observed(is_running=True, started_at=run.started_at)
        return Observed(
            is_running=False,
            started_at=None if run.ending.reason == "failed_to_start" else run.started_at,
            ended_at=run.ends_at,
            exit_codes=run.ending.exit_codes or {host.name: run.ending.exit_code for host in run.workload.hosts},
            reason=run.ending.reason,
            detail=run.ending.detail,
        )

    async def wait(self, handle: Handle) -> Observed:
        while (observed := await self.poll(handle)).is_running:
            run = self.runs[handle.directory, handle.workload_id]
            run.changed.clear()
            if run.ends_at is None:
                await run.changed.wait()
            else:
                await self._until(run, run.ends_at)
        return observed

    async def stop(self, handle: Handle, *, grace_s: float | None = None) -> None:
        run = self.runs.get((handle.directory, handle.workload_id))
        if run is None or not (await self.poll(handle)).is_running:
            return
        self.stopped.append(handle.workload_id)
        fate = self.behave(run.workload)
        grace_s = run.workload.stop_grace_s if grace_s is None else grace_s
        is_killed = grace_s == 0 or not fate.obeys_sigterm
        wait_s = 0.0 if fate.obeys_sigterm else grace_s
        ending = replace(fate, exit_code=137 if is_killed else 143, reason="stopped", detail="")
        run.end(ending, at=self.clock.now() + wait_s)

    async def forget(self, handle: Handle) -> None:
        if (await self.poll(handle)).is_running:
            raise Conflict(f"Workload {handle.workload_id!r} still runs; stop it first.")
        self.runs.pop((handle.directory, handle.workload_id), None)

    def finish(self, workload_id: str, ending: Fate | None = None) -> None:
        """End a running workload now, as `ending` says (success without one)."""
        for run in self.runs.values():
            if run.workload.id == workload_id:
                run.end(ending or Fate(), at=self.clock.now())

    def lose(self, workload_id: str) -> None:
        """Let its supervisor vanish without a word."""
        self.finish(workload_id, Fate(reason="lost"))

    def _begin(self, workload: Workload) -> Run:
        now, fate = self.clock.now(), self.behave(workload)
        limit_s = workload.max_runtime_s
        if limit_s is not None and (fate.after_s is None or fate.after_s > limit_s):
            wait_s = 0.0 if fate.obeys_sigterm else workload.stop_grace_s
            late = replace(fate, exit_code=143 if fate.obeys_sigterm else 137, reason="timed_out")
            return Run(workload=workload, started_at=now, ends_at=now + limit_s + wait_s, ending=late)
        ends_at = None if fate.after_s is None else now + fate.after_s
        return Run(workload=workload, started_at=now, ends_at=ends_at, ending=fate)

    async def _until(self, run: Run, ends_at: float) -> None:
        """Sleep on the clock to the end in sight, or shorter if a nearer one comes into sight."""
        asleep = asyncio.ensure_future(self.clock.sleep(max(0.0, ends_at - self.clock.now())))
        heard = asyncio.ensure_future(run.changed.wait())
        try:
            await asyncio.wait({asleep, heard}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asleep.cancel()
            heard.cancel()


def refuse(workload: Workload) -> None:
    """Raise what the process runtime raises for a workload that contradicts itself."""
    if not workload.command or not workload.hosts:
        raise Invalid(f"Workload {workload.id!r} needs a command and at least one host.")
    mounts = [*workload.mounts, *(mount for host in workload.hosts for mount in host.mounts)]
    for mount in mounts:
        parts = Path(mount.target).parts
        if len(parts) < 2 or parts[0] != "/" or ".." in parts or parts[1] == "proc":
            raise Invalid(f"Mount target {mount.target!r} of workload {workload.id!r} is no place for a mount.")
        if Path(workload.directory).is_relative_to(mount.source):
            raise Invalid(
                f"Mount {mount.source} of workload {workload.id!r} would show it the runtime's own files in "
                f"{workload.directory}; mount a directory beside or below them."
            )
