"""One small file of a tar, without unpacking it."""

import tarfile
import threading
from pathlib import Path, PurePosixPath

from sagehouse.storage.archives.unpacking import NOT_WHOLE, Stream, plain

SEARCHED_BYTES = 256 * 1024 * 1024
"""How much of an archive, unpacked, is looked through: a source archive holds some kilobytes."""


def read(archive: Path, name: str, *, limit_bytes: int, given_up: threading.Event) -> bytes | None:
    wanted, found = PurePosixPath(name), None
    try:
        with archive.open("rb") as raw, plain(raw) as whole:
            stream = Stream(whole, limit_bytes=SEARCHED_BYTES // 2, given_up=given_up)
            with tarfile.open(fileobj=stream, mode="r:") as tar:  # type: ignore[call-overload]  # reads, seeks, tells
                while (member := tar.next()) is not None:
                    tar.members.clear()  # kept to look members up
                    if PurePosixPath(member.name) == wanted:  # a later one of the name replaces it
                        found = _content(tar, member, limit_bytes)
    except (*NOT_WHOLE, OSError):
        return None
    return found


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, limit_bytes: int) -> bytes | None:
    if not member.isreg() or member.size > limit_bytes:
        return None
    source = tar.extractfile(member)
    return source.read() if source else None
