"""What a process uses, as Linux says."""

import re
import threading
from pathlib import Path
from types import TracebackType

_LOOK_S = 0.02


def resident_bytes(pid: int) -> int:
    """Return the memory a process occupies, file pages it maps included."""
    return _field(pid, "status", "VmRSS")


def own_bytes(pid: int) -> int:
    """Return its proportional share: pages shared with others count in parts."""
    return _field(pid, "smaps_rollup", "Pss")


def _field(pid: int, file: str, name: str) -> int:
    text = Path(f"/proc/{pid}/{file}").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


class PeakMemory:
    """The largest resident size of a process while the block runs."""

    def __init__(self, pid: int) -> None:
        self.before_bytes = 0
        self.peak_bytes = 0
        self._pid = pid
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def growth_bytes(self) -> int:
        return self.peak_bytes - self.before_bytes

    def _watch(self) -> None:
        while not self._is_over.wait(_LOOK_S):
            self.peak_bytes = max(self.peak_bytes, resident_bytes(self._pid))

    def __enter__(self) -> "PeakMemory":
        self.before_bytes = self.peak_bytes = resident_bytes(self._pid)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._is_over.set()
        self._thread.join()
