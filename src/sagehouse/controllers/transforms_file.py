"""One file through the model: payloads asked for several at a time, answers stored in the order of the records."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sagehouse.controllers.transforms_reader import Reader
from sagehouse.domain.jobs.source import S3Uri
from sagehouse.domain.transform.cutting import Payload
from sagehouse.domain.transform.mishap import Mishap, bad_data, bad_status, no_response
from sagehouse.domain.transform.naming import output_key
from sagehouse.domain.transform.plan import Plan
from sagehouse.kit.errors import Invalid, Unavailable
from sagehouse.ports.clock import Clock
from sagehouse.ports.objects import ObjectInfo, Objects
from sagehouse.ports.serving import Answer, Serving

_CHUNK_BYTES = 1024 * 1024
_OFF_LOOP_BYTES = 64 * 1024
"""Above it, filtering and joining a payload takes more than a millisecond and is left to a thread."""
_FIRST_RETRY_S = 0.1
"""Doubled with every retry; AWS names no pause."""
_MESSAGE_CHARACTERS = 16 * 1024


class Failed(Exception):
    """The file has no result."""

    def __init__(self, mishap: Mishap) -> None:
        super().__init__(mishap.text)
        self.mishap = mishap


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    uri: S3Uri
    name: str
    """By which its result is called."""

    @property
    def label(self) -> str:
        return f"{self.uri.bucket}/{self.uri.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is kept of one answer."""

    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """Turns files into results with one server. `gate` bounds the payloads under way there over all files."""

    plan: Plan
    objects: Objects
    serving: Serving
    clock: Clock
    socket: Path
    gate: asyncio.Semaphore
    scratch: Path

    async def transform(self, file: InputFile, *, number: int) -> None:
        """Store the file's result, whole or not at all; Failed if a record has none. NotFound if the file is gone."""
        _, path = await self.objects.open(file.uri.bucket, file.uri.key)
        self.scratch.mkdir(parents=True, exist_ok=True)
        result = self.scratch / f"{number}.out"
        try:
            with result.open("wb") as out:
                content_type = await self._answer_all(file, path, out)
            await self._store(file, result, content_type)
        finally:
            result.unlink(missing_ok=True)

    async def _answer_all(self, file: InputFile, path: Path, out: BinaryIO) -> str:
        """Write the answers in the order of the records, at most `plan.in_flight` asked ahead; return their type."""
        waiting: deque[asyncio.Task[Stored | Mishap]] = deque()
        content_type, mishap = "", None
        async with asyncio.TaskGroup() as group, aclosing(self._payloads(file, path)) as payloads:
            async for payload in payloads:
                if isinstance(payload, Mishap):
                    waiting.append(group.create_task(_already(payload), name=f"unread-{file.name}"))
                else:
                    waiting.append(group.create_task(self._ask(file, payload), name=f"payload-{file.name}"))
                if len(waiting) < self.plan.in_flight:
                    continue
                content_type, mishap = await self._write(out, await waiting.popleft())
                if mishap is not None:
                    break
            while waiting and mishap is None:
                content_type, mishap = await self._write(out, await waiting.popleft())
            for task in waiting:
                task.cancel()
        if mishap is not None:
            raise Failed(mishap)
        return content_type

    async def _write(self, out: BinaryIO, answer: Stored | Mishap) -> tuple[str, Mishap | None]:
        if isinstance(answer, Mishap):
            return "", answer
        if len(answer.data) > _OFF_LOOP_BYTES:
            await asyncio.to_thread(out.write, answer.data)
        else:
            out.write(answer.data)
        return answer.content_type, None

    async def _payloads(self, file: InputFile, path: Path) -> AsyncGenerator[Payload | Mishap, None]:
        with Reader(path, self.plan) as reader:
            while True:
                try:
                    payloads = await asyncio.to_thread(reader.next)
                except Invalid as unfit:
                    yield bad_data(unfit.message, file=file.label)
                    return
                if payloads is None:
                    return
                for payload in payloads:
                    yield payload

    async def _ask(self, file: InputFile, payload: Payload) -> Stored | Mishap:
        try:
            body = await self._process(payload.data)
            async with self.gate:
                answer = await self._post(file, payload, body)
            if isinstance(answer, Mishap):
                return answer
            data = await self._join(payload.data, answer.body)
        except Invalid as unfit:
            return bad_data(unfit.message, file=file.label, first_record=payload.first_record)
        return Stored(content_type=answer.headers.get("content-type", ""), data=self.plan.assemble(data))

    async def _process(self, data: bytes) -> bytes:
        processing = self.plan.processing
        return data if processing is None else await _off_loop(lambda: processing.request(data), len(data))

    async def _join(self, data: bytes, answer: bytes) -> bytes:
        processing = self.plan.processing
        return answer if processing is None else await _off_loop(lambda: processing.result(data, answer), len(data))

    async def _post(self, file: InputFile, payload: Payload, body: bytes) -> Answer | Mishap:
        """Ask, and ask again what may succeed later; a model's 4xx never does."""
        mishap: Mishap | None = None
        for retry in range(self.plan.retries + 1):
            if retry:
                await self.clock.sleep(_FIRST_RETRY_S * 2.0 ** (retry - 1))
            try:
                answer = await self.serving.post(
                    self.socket, headers=self.plan.headers, body=body, timeout_s=self.plan.timeout_s
                )
            except Unavailable as silence:
                mishap = no_response(silence.message, file=file.label, first_record=payload.first_record)
                continue
            if 200 <= answer.status < 300:
                return answer
            said = answer.body.decode("utf-8", "replace")[:_MESSAGE_CHARACTERS]
            mishap = bad_status(answer.status, said, file=file.label, first_record=payload.first_record)
            if mishap.fault == "ClientError":
                break
        assert mishap is not None
        return mishap

    async def _store(self, file: InputFile, result: Path, content_type: str) -> None:
        target = S3Uri.parse(self.plan.output_uri)
        key = output_key(target.key, file.name)
        now = self.clock.now()
        kind = self.plan.accept or content_type or "binary/octet-stream"
        info = ObjectInfo(
            bucket=target.bucket, key=key, size=0, etag="", modified_at=now, headers={"content-type": kind}
        )
        await self.objects.put(target.bucket, key, FileStream(result), info=info, now=now)


@dataclass(frozen=True, slots=True)
class FileStream:
    """A local file as a stream of bytes."""

    path: Path

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self.path.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                yield chunk


async def _already(mishap: Mishap) -> Mishap:
    return mishap


async def _off_loop(work: Callable[[], bytes], size: int) -> bytes:
    return await asyncio.to_thread(work) if size > _OFF_LOOP_BYTES else work()
