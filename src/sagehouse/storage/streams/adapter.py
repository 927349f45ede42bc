"""Adapter of `ports.streams.Streams` over files: root/account/region/group/stream.log, and a group.json per group.

Reads never hold more than a page; what describes a stream is read from both ends of its file and kept until the file
changes. Group names, creation times and retention rest in group.json; a stream made by name keeps its creation time in
a .meta file, others count from their first event.
"""

import asyncio
import contextlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sagehouse.kit.errors import InUse, NotFound
from sagehouse.kit.page import Page
from sagehouse.ports.streams import LogEvent, LogGroup, LogPage, LogStream, Scope
from sagehouse.storage.streams import lines
from sagehouse.storage.streams.names import file_name, is_shortened, name_of
from sagehouse.storage.streams.reading import Excerpt, StreamFile, open_stream
from sagehouse.storage.streams.writing import append

T = TypeVar("T")
_THREADS = 4
_LOOKS = 5
"""Times in a row that somebody may delete just what is looked at."""
_TRASH = ".trash"
_NO_GROUP = "The specified log group does not exist."
_NO_STREAM = "The specified log stream does not exist."


@dataclass(frozen=True, slots=True)
class _Ends:
    """What a file's two ends said when it had this size and time."""

    size: int
    changed_ns: int
    first_ms: int | None
    last_ms: int | None


class FileStreams:
    """Groups and streams of every account and region below one directory. Close it when done."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pool = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="streams")
        self._writing = threading.Lock()
        self._ends: dict[Path, _Ends] = {}
        self._groups: dict[Path, dict[str, Any]] = {}
        root.mkdir(parents=True, exist_ok=True)
        (root / _TRASH).mkdir(exist_ok=True)
        for thrown in (root / _TRASH).iterdir():
            self._pool.submit(shutil.rmtree, thrown, ignore_errors=True)

    def close(self) -> None:
        self._pool.shutdown()

    def file(self, scope: Scope, group: str, stream: str) -> Path:
        return _undisturbed(lambda: self._file(scope, group, stream))

    def _file(self, scope: Scope, group: str, stream: str) -> Path:
        directory = self._group(scope, group)
        if not (directory / "group.json").exists():
            directory.mkdir(parents=True, exist_ok=True)
            self._describe(directory, {"Name": group, "CreatedAt": _now_of(directory), "RetentionDays": None})
        path = directory / f"{file_name(stream)}.log"
        if not path.exists():
            path.touch()
            if is_shortened(path.name):
                _write_json(path.with_suffix(".meta"), {"Name": stream})
        return path

    async def create_group(self, scope: Scope, group: str, *, now: float) -> None:
        def create() -> None:
            directory = self._group(scope, group)
            directory.parent.mkdir(parents=True, exist_ok=True)
            try:
                directory.mkdir()
            except FileExistsError as taken:
                raise InUse("The specified log group already exists", code="ResourceAlreadyExistsException") from taken
            self._describe(directory, {"Name": group, "CreatedAt": now, "RetentionDays": None})

        await self._do(create)

    async def delete_group(self, scope: Scope, group: str) -> None:
        def delete() -> None:
            directory = self._existing(scope, group)
            self._throw_away(directory)
            self._groups.pop(directory, None)

        await self._do(delete)

    async def set_retention(self, scope: Scope, group: str, days: int | None) -> None:
        def keep() -> None:
            directory = self._existing(scope, group)
            self._describe(directory, {**self._described(directory), "RetentionDays": days})

        await self._do(keep)

    async def retention(self, scope: Scope, group: str) -> int | None:
        days: int | None = _undisturbed(lambda: self._described(self._existing(scope, group))["RetentionDays"])
        return days

    async def groups(
        self, scope: Scope, *, prefix: str = "", limit: int = 50, token: str | None = None
    ) -> Page[LogGroup]:
        return await self._do(lambda: self._list_groups(scope, prefix, limit, token))

    async def create_stream(self, scope: Scope, group: str, stream: str, *, now: float) -> None:
        def create() -> None:
            path = self._existing(scope, group) / f"{file_name(stream)}.log"
            try:
                path.touch(exist_ok=False)
            except FileExistsError as taken:
                raise InUse("The specified log stream already exists", code="ResourceAlreadyExistsException") from taken
            _write_json(path.with_suffix(".meta"), {"Name": stream, "CreatedAt": now})

        await self._do(create)

    async def delete_stream(self, scope: Scope, group: str, stream: str) -> None:
        def delete() -> None:
            path = self._stream(scope, group, stream)
            path.unlink()
            path.with_suffix(".meta").unlink(missing_ok=True)
            self._ends.pop(path, None)

        await self._do(delete)

    async def streams(self, scope: Scope, group: str, *, prefix: str = "") -> list[LogStream]:
        return await self._do(lambda: self._list_streams(self._existing(scope, group), prefix))

    async def append(self, scope: Scope, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        def write() -> None:
            path = self._stream(scope, group, stream)
            with self._writing:
                append(path, sorted(events, key=lambda event: event[0]))

        await self._do(write)

    async def read(
        self,
        scope: Scope,
        group: str,
        stream: str,
        *,
        position: int | None,
        backwards: bool = False,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 10_000,
    ) -> LogPage:
        def excerpt() -> Excerpt:
            with open_stream(self._stream(scope, group, stream)) as file:
                opened = StreamFile(file)
                if backwards:
                    return opened.backwards(position, start_ms=start_ms, end_ms=end_ms, limit=limit)
                return opened.forwards(position or 0, start_ms=start_ms, end_ms=end_ms, limit=limit)

        found = await self._do(excerpt)
        events = [
            LogEvent(
                timestamp_ms=line.timestamp_ms, message=lines.text(line.data), position=line.position, stream=stream
            )
            for line in found.lines
        ]
        return LogPage(events=events, forward=found.forward, backward=found.backward)

    async def clear(self) -> None:
        def empty() -> None:
            for directory in self._root.iterdir():
                if directory.name != _TRASH:
                    self._throw_away(directory)
            self._groups.clear()
            self._ends.clear()

        await self._do(empty)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: _undisturbed(work))

    # -- groups

    def _group(self, scope: Scope, group: str) -> Path:
        return self._root / file_name(scope.account) / file_name(scope.region) / file_name(group)

    def _existing(self, scope: Scope, group: str) -> Path:
        directory = self._group(scope, group)
        if not directory.is_dir():
            raise NotFound(_NO_GROUP, code="ResourceNotFoundException")
        return directory

    def _describe(self, directory: Path, described: dict[str, Any]) -> None:
        _write_json(directory / "group.json", described)
        self._groups[directory] = described

    def _described(self, directory: Path) -> dict[str, Any]:
        if directory not in self._groups:
            known = _read_json(directory / "group.json")
            fallback = {"Name": name_of(directory.name), "CreatedAt": _now_of(directory), "RetentionDays": None}
            self._groups[directory] = {**fallback, **known}
        return self._groups[directory]

    def _list_groups(self, scope: Scope, prefix: str, limit: int, token: str | None) -> Page[LogGroup]:
        region = self._group(scope, "-").parent
        directories = [path for path in region.iterdir() if path.is_dir()] if region.is_dir() else []
        named = sorted((str(self._described(path)["Name"]), path) for path in directories)
        wanted = [one for one in named if one[0].startswith(prefix) and (token is None or one[0] > token)]
        page = [self._log_group(path) for _, path in wanted[:limit]]
        return Page(items=page, next_token=page[-1].name if len(wanted) > limit else None)

    def _log_group(self, directory: Path) -> LogGroup:
        described = self._described(directory)
        with os.scandir(directory) as entries:
            stored_bytes = sum(entry.stat().st_size for entry in entries if entry.name.endswith(".log"))
        return LogGroup(
            name=described["Name"],
            created_at=described["CreatedAt"],
            retention_days=described["RetentionDays"],
            stored_bytes=stored_bytes,
        )

    def _throw_away(self, directory: Path) -> None:
        """Make it disappear at once; its files are removed meanwhile, at the latest on the next start."""
        thrown = self._root / _TRASH / os.urandom(8).hex()
        with contextlib.suppress(FileNotFoundError):
            directory.rename(thrown)
            self._pool.submit(shutil.rmtree, thrown, ignore_errors=True)

    # -- streams

    def _stream(self, scope: Scope, group: str, stream: str) -> Path:
        path = self._existing(scope, group) / f"{file_name(stream)}.log"
        if not path.exists():
            raise NotFound(_NO_STREAM, code="ResourceNotFoundException")
        return path

    def _list_streams(self, directory: Path, prefix: str) -> list[LogStream]:
        found = []
        with os.scandir(directory) as listed:
            entries = list(listed)
        for entry in entries:
            path = Path(entry.path)
            if path.suffix == ".log":
                name = _stream_name(path)
                if name.startswith(prefix):
                    found.append(self._log_stream(name, path))
        return sorted(found, key=lambda stream: stream.name)

    def _log_stream(self, name: str, path: Path) -> LogStream:
        ends = self._look(path)
        created_at = _read_json(path.with_suffix(".meta")).get("CreatedAt")
        if created_at is None:
            created_at = (ends.changed_ns // 1_000_000 if ends.first_ms is None else ends.first_ms) / 1000
        return LogStream(
            name=name,
            created_at=created_at,
            first_event_ms=ends.first_ms,
            last_event_ms=ends.last_ms,
            stored_bytes=ends.size,
        )

    def _look(self, path: Path) -> _Ends:
        status = path.stat()
        ends = self._ends.get(path)
        if ends is None or (ends.size, ends.changed_ns) != (status.st_size, status.st_mtime_ns):
            with open_stream(path) as file:
                stream = StreamFile(file)
                first, last = stream.first(), stream.last()
            ends = _Ends(
                status.st_size,
                status.st_mtime_ns,
                first.timestamp_ms if first else None,
                last.timestamp_ms if last else None,
            )
            self._ends[path] = ends
        return ends


def _undisturbed(work: Callable[[], T]) -> T:
    """Do it again when somebody deletes a group or a stream in the middle: the next look says that it is gone.

    A directory deleted while `mkdir` finds it there is reported as existing.
    """
    for _ in range(_LOOKS):
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            return work()
    return work()


def _stream_name(path: Path) -> str:
    if is_shortened(path.stem):
        return str(_read_json(path.with_suffix(".meta")).get("Name", path.stem))
    return name_of(path.stem)


def _now_of(directory: Path) -> float:
    return directory.stat().st_mtime


def _read_json(path: Path) -> dict[str, Any]:
    """Return what a small description says; nothing for one that is absent or was torn by a crash."""
    try:
        described: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return described


def _write_json(path: Path, described: dict[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.{os.urandom(4).hex()}.new")
    temporary.write_text(json.dumps(described))
    temporary.replace(path)
