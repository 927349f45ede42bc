"""A tar unpacked into an empty directory, all or nothing.

Trusts nothing in an archive: what would leave the directory, be a device, or be endless is refused before anything is
visible, by name.
"""

import errno
import gzip
import os
import shutil
import stat
import tarfile
import tempfile
import threading
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from sagehouse.kit.errors import Invalid
from sagehouse.storage.archives.giving_up import look

COPY_BYTES = 1024 * 1024
HEADER_BYTES = 2 * COPY_BYTES
"""No member's own description is longer: tarfile reads it into memory at once, whatever length it claims."""
MEMBERS_LIMIT = 1_000_000
PLAUSIBLE_BYTES, PLAUSIBLE_RATIO = 1024**3, 200
"""An archive that unpacks to more than both is a bomb. gzip reaches 1,030 on zeros; models are 1 to 10."""
KEPT_FREE = 20
"""One in so many blocks of a disk stays free."""
REAL_LIMIT = 10_000
LATEST = 2**33
"""Of a file's time in seconds; some file systems know no later one, and an archive may say anything."""
GZIP_MAGIC = b"\x1f\x8b"
NOT_WHOLE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError, RecursionError)
"""What the standard library raises for bytes that are no archive; the last three in fields that make no sense."""


def unpack(archive: Path, directory: Path, *, limit_bytes: int | None, given_up: threading.Event) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    if directory.exists() and any(directory.iterdir()):
        raise Invalid(f"Cannot unpack {archive.name} into {directory}: it is not empty.")
    temporary = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    try:
        limit = _limit_bytes(archive, temporary) if limit_bytes is None else limit_bytes
        with archive.open("rb") as raw, plain(raw) as whole:
            stream = Stream(whole, limit_bytes=limit, given_up=given_up)
            with tarfile.open(fileobj=stream, mode="r:") as tar:  # type: ignore[call-overload]  # reads, seeks, tells
                Unpacking(tar, archive.name, temporary, limit_bytes=limit).run()
        temporary.chmod(0o755)
        temporary.rename(directory)
    except NOT_WHOLE as error:
        raise Invalid(f"{archive.name} is not a whole tar archive, gzipped or not: {error}") from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise Invalid(
                f"{archive.name} holds a path that is longer than a path may be. Nothing was unpacked."
            ) from error
        raise
    finally:
        _remove(temporary)


def _limit_bytes(archive: Path, directory: Path) -> int:
    """Return what an archive may unpack to: what it plausibly holds, and what leaves room on the disk for others."""
    room = os.statvfs(directory)
    free = (room.f_bavail - room.f_blocks // KEPT_FREE) * room.f_frsize
    return max(0, min(free, max(PLAUSIBLE_BYTES, PLAUSIBLE_RATIO * archive.stat().st_size)))


def plain(raw: BinaryIO) -> BinaryIO:
    """Return the file as tar sees it, unpacked on the way if it is gzipped."""
    is_gzipped = raw.read(2) == GZIP_MAGIC
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw, mode="rb") if is_gzipped else raw  # type: ignore[return-value]  # it reads


def _remove(directory: Path) -> None:
    """Remove what was unpacked in vain, without recursion: every directory is moved to the top before it is emptied."""
    if not directory.exists():
        return
    waiting = [directory]
    while waiting:
        here = waiting.pop()
        with os.scandir(here) as found:
            entries = list(found)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path).rename(directory / f"{os.urandom(8).hex()}"))
            else:
                Path(entry.path).unlink()
        if here != directory:
            here.rmdir()
    directory.rmdir()


class Stream:
    """The bytes of a tar, read once from front to back, within limits: an archive may be small and endless."""

    def __init__(self, file: BinaryIO, *, limit_bytes: int, given_up: threading.Event) -> None:
        self._file = file
        self._position = 0
        self._limit_bytes = 2 * limit_bytes + HEADER_BYTES  # what holds the members takes some more than they do
        self._given_up = given_up

    def read(self, size: int = -1) -> bytes:
        look(self._given_up)
        if not 0 <= size <= HEADER_BYTES:
            raise tarfile.ReadError(f"a header says that {size} bytes follow it")
        data = self._file.read(size)
        self._position += len(data)
        if self._position > self._limit_bytes:
            raise tarfile.ReadError(f"it goes on for more than {self._limit_bytes} bytes")
        return data

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Only forwards: archives that need more are none."""
        if whence != os.SEEK_SET or position < self._position:
            raise tarfile.ReadError("its members overlap")
        while self._position < position and self.read(min(COPY_BYTES, position - self._position)):
            pass
        return self._position

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return True


class Unpacking:
    """One archive on its way into an empty directory that nobody else writes to.

    Does not lean on `tarfile.data_filter`: Python 3.11.2, Debian 12's, has none.
    """

    def __init__(self, tar: tarfile.TarFile, name: str, directory: Path, *, limit_bytes: int) -> None:
        self.tar = tar
        self.name = name
        self.root = os.path.realpath(directory)
        self.directory = Path(self.root)
        self.real = {self.directory}
        """Directories without a link on the way to them: nothing here ever removes or replaces a directory."""
        self.limit_bytes = limit_bytes
        self.unpacked_bytes = 0
        self.members = 0

    def run(self) -> None:
        links = []
        while (member := self.tar.next()) is not None:
            self.tar.members.clear()  # type: ignore[attr-defined]  # kept to look members up; a million cost a gigabyte
            self._check(member)
            if not PurePosixPath(member.name).parts:
                continue  # ".", the directory itself
            target = self._target(member)
            if member.isdir():
                target.mkdir(exist_ok=True)
                self._note_real(target)
            elif member.isfile():
                self._file(member, target)
            elif member.issym():
                target.symlink_to(member.linkname)
                links.append((member, target))
            else:
                self._hard_link(member, target)
        self._read_to_the_end()
        for member, target in links:  # only now does each lead where it will always lead
            if not self._is_inside(target):
                raise self._refusal(member, f"a link to {member.linkname!r}, which leads out of the archive")

    def _read_to_the_end(self) -> None:
        """Let gzip compare its check sum, which comes after all that tar has read."""
        while self.tar.fileobj and self.tar.fileobj.read(COPY_BYTES):
            pass

    def _check(self, member: tarfile.TarInfo) -> None:
        path = PurePosixPath(member.name)
        if path.is_absolute():
            raise self._refusal(member, "an absolute path; members must be relative")
        if ".." in path.parts:
            raise self._refusal(member, "which leads out of the archive by '..'")
        if "\0" in member.name or "\0" in member.linkname:
            raise self._refusal(member, "a name with a null character")
        if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
            raise self._refusal(member, "a device or pipe; only files, directories and links may be")
        if member.issym() and PurePosixPath(member.linkname).is_absolute():
            raise self._refusal(member, f"a link to the absolute path {member.linkname!r}")
        if member.issym() and not member.linkname:
            raise self._refusal(member, "a link to nothing")
        if member.size < 0:
            raise self._refusal(member, f"a file of {member.size} bytes")
        self.members += 1
        self.unpacked_bytes += member.size
        if self.members > MEMBERS_LIMIT:
            raise self._refusal(member, f"with which it has more than {MEMBERS_LIMIT} members")
        if self.unpacked_bytes > self.limit_bytes:
            raise self._refusal(member, f"with which it would unpack to more than {self.limit_bytes} bytes")

    def _target(self, member: tarfile.TarInfo) -> Path:
        """Return where a member goes, its parents made and whatever had its name removed."""
        target = self.directory.joinpath(*PurePosixPath(member.name).parts)
        if target.parent not in self.real and not self._is_inside(target.parent):
            raise self._refusal(member, "which leads out of the archive through a link")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target != self.directory and (target.is_symlink() or (target.exists() and not target.is_dir())):
                target.unlink()
        except (FileExistsError, NotADirectoryError) as error:
            raise self._refusal(member, "below something that is no directory") from error
        if target.is_dir() and not member.isdir():
            raise self._refusal(member, "which is a directory already")
        return target

    def _file(self, member: tarfile.TarInfo, target: Path) -> None:
        source = self.tar.extractfile(member)
        mode = 0o755 if member.mode & stat.S_IXUSR else 0o644
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            if source:
                shutil.copyfileobj(source, file, COPY_BYTES)
            if file.tell() != member.size:
                raise tarfile.ReadError(f"{member.name!r} ends too early")
        changed_at = min(max(0, member.mtime), LATEST)
        os.utime(target, (changed_at, changed_at))

    def _hard_link(self, member: tarfile.TarInfo, target: Path) -> None:
        source = self.directory.joinpath(*PurePosixPath(member.linkname).parts)
        if not self._is_inside(source) or source.is_symlink() or not source.is_file():
            raise self._refusal(
                member, f"a hard link to {member.linkname!r}, which is no file of the archive before it"
            )
        os.link(source, target)

    def _note_real(self, directory: Path) -> None:
        """Spare the members of a real directory the look at every step of the way, which is long in deep trees."""
        if len(self.real) >= REAL_LIMIT:
            self.real = {self.directory}
        if directory.parent in self.real and not directory.is_symlink():
            self.real.add(directory)

    def _is_inside(self, path: Path) -> bool:
        return Path(os.path.realpath(path)).is_relative_to(self.root)

    def _refusal(self, member: tarfile.TarInfo, why: str) -> Invalid:
        return Invalid(f"{self.name} holds {member.name!r}, {why}. Nothing was unpacked.")
