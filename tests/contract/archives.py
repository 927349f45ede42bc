"""What archives promise. Each adapter inherits `ArchivesContract`."""

import asyncio
import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from sagehouse.kit.errors import Invalid
from sagehouse.ports.archives import Archives
from sagehouse.runtimes.process.removal import remove_tree


def a_tree(folder: Path) -> Path:
    """A model as a script leaves it: files, a directory, an executable, an empty directory, a link."""
    (folder / "code").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "model.json").write_text('{"trees": []}')
    (folder / "code" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "code" / "run.sh").chmod(0o750)
    (folder / "code" / "ünï.py").write_bytes(b"")
    (folder / "latest").symlink_to("model.json")
    return folder


def seen(folder: Path) -> dict[str, tuple[str, bytes | str]]:
    """Every path below a folder: what it is and what it holds."""
    found: dict[str, tuple[str, bytes | str]] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            found[name] = ("directory", "")
        else:
            found[name] = ("program" if os.access(path, os.X_OK) else "file", path.read_bytes())
    return found


def an_archive(path: Path, *members: tarfile.TarInfo, data: bytes = b"data") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            member.size = len(data) if member.isfile() else 0
            tar.addfile(member, io.BytesIO(data) if member.isfile() else None)
    return path


def a_member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


EVIL = {
    "absolute": [a_member("/etc/passwd")],
    "dots": [a_member("../escaped")],
    "dots inside": [a_member("a/../../escaped")],
    "device": [a_member("null", tarfile.CHRTYPE)],
    "pipe": [a_member("pipe", tarfile.FIFOTYPE)],
    "link to an absolute path": [a_member("link", tarfile.SYMTYPE, "/etc")],
    "link out": [a_member("link", tarfile.SYMTYPE, "../..")],
    "file through a link": [a_member("link", tarfile.SYMTYPE, ".."), a_member("link/escaped")],
    "link to nothing": [a_member("link", tarfile.SYMTYPE, "")],
    "hard link out": [a_member("link", tarfile.LNKTYPE, "../../etc/passwd")],
    "hard link to an absolute path": [a_member("link", tarfile.LNKTYPE, "/etc/passwd")],
    "hard link to a link": [a_member("a", tarfile.SYMTYPE, "b"), a_member("b"), a_member("c", tarfile.LNKTYPE, "a")],
    "link that leads out only once others are there": [
        a_member("way", tarfile.SYMTYPE, "p/q/../../.."),
        a_member("p", tarfile.SYMTYPE, "."),
        a_member("q", tarfile.SYMTYPE, "."),
    ],
    "file below a file": [a_member("a"), a_member("a/b")],
    "file over a directory": [a_member("a", tarfile.DIRTYPE), a_member("a")],
}


def a_header(name: str, kind: bytes, size: int) -> bytes:
    """Return a member's header with any size, negative ones included, as old GNU tar writes large numbers."""
    member = tarfile.TarInfo(name)
    member.type = kind
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (b"\xff" if size < 0 else b"\x80") + (size & ((1 << 88) - 1)).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


MIB = 1024 * 1024
BOMBS = {
    "a file of a petabyte": a_header("big", tarfile.REGTYPE, 1 << 50) + bytes(MIB),
    "a description that fills the memory": a_header("long", tarfile.XHDTYPE, 1 << 40) + bytes(16 * MIB),
    "a name that fills the memory": a_header("long", tarfile.GNUTYPE_LONGNAME, 1 << 40) + bytes(16 * MIB),
    "a description of a description": a_header("x", tarfile.XHDTYPE, 0) * 5000,
    "a member that ends before it begins": a_header("loop", tarfile.REGTYPE, -512) + bytes(MIB),
    "a description that ends before it begins": a_header("loop", tarfile.XHDTYPE, -1024) + bytes(MIB),
    "a hole of a petabyte": a_header("hole", tarfile.GNUTYPE_SPARSE, 1 << 50) + bytes(MIB),
}
"""Python's tarfile reads a description into memory at once, and goes backwards for negative sizes."""


class ArchivesContract:
    def archives(self) -> Archives:
        raise NotImplementedError

    def pack(self, directory: Path, archive: Path) -> int:
        return asyncio.run(self.archives().pack(directory, archive))

    def unpack(self, archive: Path, directory: Path) -> None:
        asyncio.run(self.archives().unpack(archive, directory))

    def read(self, archive: Path, name: str, limit_bytes: int = 100) -> bytes | None:
        return asyncio.run(self.archives().read(archive, name, limit_bytes=limit_bytes))

    def test_one_file_is_read_whatever_else_there_is(self, tmp_path: Path) -> None:
        self.pack(a_tree(tmp_path / "tree"), tmp_path / "model.tar.gz")
        found = [self.read(tmp_path / "model.tar.gz", name) for name in ("model.json", "code/run.sh", "code/ünï.py")]
        assert found == [b'{"trees": []}', b"#!/bin/sh\n", b""]

    def test_a_file_is_read_under_either_spelling_and_the_last_of_its_name_counts(self, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / "x.tar", "w") as tar:
            for text in (b"first", b"second"):
                member = a_member("./a/b.txt")
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text))
        assert self.read(tmp_path / "x.tar", "a/b.txt") == b"second"

    def test_nothing_is_read_that_is_absent_too_long_no_file_or_in_no_archive(self, tmp_path: Path) -> None:
        members = [a_member("file"), a_member("link", tarfile.SYMTYPE, "file"), a_member("directory", tarfile.DIRTYPE)]
        archive = an_archive(tmp_path / "x.tar.gz", *members)
        assert [self.read(archive, name) for name in ("absent", "link", "directory")] == [None] * 3
        assert self.read(archive, "file", limit_bytes=3) is None
        whole = archive.read_bytes()
        for number, data in enumerate((b"no archive", whole[:40], b"")):
            broken = tmp_path / f"{number}.tar.gz"
            broken.write_bytes(data)
            assert self.read(broken, "file") is None
        assert self.read(tmp_path / "gone.tar.gz", "file") is None

    def test_what_is_packed_is_unpacked(self, tmp_path: Path) -> None:
        tree = a_tree(tmp_path / "tree")
        size = self.pack(tree, tmp_path / "model.tar.gz")
        self.unpack(tmp_path / "model.tar.gz", tmp_path / "again")
        assert seen(tmp_path / "again") == seen(tree)
        assert size == (tmp_path / "model.tar.gz").stat().st_size

    def test_names_have_no_leading_dot_and_come_in_order(self, tmp_path: Path) -> None:
        self.pack(a_tree(tmp_path / "tree"), tmp_path / "model.tar.gz")
        with tarfile.open(tmp_path / "model.tar.gz") as tar:
            names = ["code", "code/run.sh", "code/ünï.py", "empty", "latest", "model.json"]
            assert tar.getnames() == names

    def test_equal_trees_give_equal_bytes(self, tmp_path: Path) -> None:
        """Whoever made them, whenever, with whatever permissions and hard links."""
        first, second = a_tree(tmp_path / "first"), a_tree(tmp_path / "second")
        os.utime(second / "model.json", (1, 1))
        (second / "model.json").chmod(0o600)
        (tmp_path / "elsewhere").hardlink_to(second / "model.json")
        self.pack(first, tmp_path / "1.tar.gz")
        self.pack(second, tmp_path / "2.tar.gz")
        assert (tmp_path / "1.tar.gz").read_bytes() == (tmp_path / "2.tar.gz").read_bytes()

    def test_an_empty_directory_is_a_readable_archive(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        self.pack(tmp_path / "empty", tmp_path / "deep" / "output.tar.gz")
        self.unpack(tmp_path / "deep" / "output.tar.gz", tmp_path / "again")
        assert seen(tmp_path / "again") == {}

    def test_pipes_and_sockets_that_a_job_left_are_not_packed(self, tmp_path: Path) -> None:
        tree = a_tree(tmp_path / "tree")
        before = seen(tree)
        os.mkfifo(tree / "pipe")
        self.pack(tree, tmp_path / "model.tar.gz")
        self.unpack(tmp_path / "model.tar.gz", tmp_path / "again")
        assert seen(tmp_path / "again") == before

    def test_a_tree_may_be_deep(self, tmp_path: Path) -> None:
        """Deeper than Python's recursion: 1,200 directories, as a script makes them in a loop."""
        deepest = tmp_path / "tree"
        deepest.mkdir()
        for _ in range(1200):
            deepest /= "d"
            deepest.mkdir()
        (deepest / "f").write_text("deep")
        try:
            self.pack(tmp_path / "tree", tmp_path / "model.tar.gz")
            self.unpack(tmp_path / "model.tar.gz", tmp_path / "again")
            assert (tmp_path / "again" / deepest.relative_to(tmp_path / "tree") / "f").read_text() == "deep"
        finally:  # pytest, which removes what runs before have left, cannot remove these
            for name in ("tree", "again"):
                remove_tree(tmp_path / name)

    def test_a_file_that_is_nearly_all_hole_is_refused(self, tmp_path: Path) -> None:
        """Eight terabytes of nothing were packed for a day, at the whole speed of a processor."""
        (tmp_path / "tree").mkdir()
        with (tmp_path / "tree" / "hole").open("wb") as file:
            file.truncate(1 << 43)
        with pytest.raises(Invalid, match="'hole' is a sparse file"):
            self.pack(tmp_path / "tree", tmp_path / "model.tar.gz")
        assert [path.name for path in tmp_path.iterdir()] == ["tree"]

    def test_packing_what_cannot_be_read_leaves_no_archive(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            self.pack(tmp_path / "absent", tmp_path / "model.tar.gz")
        assert list(tmp_path.iterdir()) == []

    def test_a_tar_need_not_be_gzipped_and_may_be_made_by_others(self, tmp_path: Path) -> None:
        tree = a_tree(tmp_path / "tree")
        with tarfile.open(tmp_path / "model.tar", "w", format=tarfile.GNU_FORMAT) as tar:
            tar.add(tree, arcname=".")
        self.unpack(tmp_path / "model.tar", tmp_path / "again")
        assert seen(tmp_path / "again") == seen(tree)

    def test_hard_links_within_an_archive_are_kept(self, tmp_path: Path) -> None:
        archive = an_archive(tmp_path / "a.tar.gz", a_member("a/b"), a_member("c", tarfile.LNKTYPE, "a/b"))
        self.unpack(archive, tmp_path / "again")
        assert (tmp_path / "again" / "c").read_bytes() == b"data"

    def test_a_later_member_of_the_same_name_wins(self, tmp_path: Path) -> None:
        archive = an_archive(tmp_path / "a.tar.gz", a_member("b"), a_member("a", tarfile.SYMTYPE, "b"), a_member("a"))
        self.unpack(archive, tmp_path / "again")
        assert seen(tmp_path / "again") == {"a": ("file", b"data"), "b": ("file", b"data")}

    @pytest.mark.parametrize("members", EVIL.values(), ids=EVIL)
    def test_what_leads_out_is_refused_by_name_and_nothing_is_unpacked(
        self, tmp_path: Path, members: list[tarfile.TarInfo]
    ) -> None:
        archive = an_archive(tmp_path / "evil.tar.gz", a_member("good"), *members)
        with pytest.raises(Invalid) as refused:
            self.unpack(archive, tmp_path / "folder" / "again")
        assert any(repr(member.name) in refused.value.message for member in members)
        assert list((tmp_path / "folder").iterdir()) == []
        assert not (tmp_path / "escaped").exists()

    @pytest.mark.parametrize("trick", BOMBS.values(), ids=BOMBS)
    def test_what_is_small_and_endless_is_refused_before_it_harms(self, tmp_path: Path, trick: bytes) -> None:
        (tmp_path / "bomb.tar.gz").write_bytes(gzip.compress(trick, 1))
        with pytest.raises(Invalid, match=r"bomb\.tar\.gz"):
            self.unpack(tmp_path / "bomb.tar.gz", tmp_path / "folder" / "again")
        assert list((tmp_path / "folder").iterdir()) == []

    def test_times_that_make_no_sense_do_not_matter(self, tmp_path: Path) -> None:
        members = [a_member(name) for name in ("negative", "huge", "endless")]
        for member, time in zip(members, ("-1e300", "1e300", "inf"), strict=True):
            member.pax_headers = {"mtime": time}
        self.unpack(an_archive(tmp_path / "a.tar.gz", *members), tmp_path / "again")
        assert set(seen(tmp_path / "again")) == {"negative", "huge", "endless"}

    @pytest.mark.parametrize("damage", ["no archive", "empty", "cut", "cut inside", "wrong sum"])
    def test_a_file_that_is_no_whole_archive_is_refused(self, tmp_path: Path, damage: str) -> None:
        self.pack(a_tree(tmp_path / "tree"), tmp_path / "whole.tar.gz")
        whole = (tmp_path / "whole.tar.gz").read_bytes()
        inside = gzip.compress(gzip.decompress(whole)[:1024])
        wrong = whole[:-8] + bytes(8)
        damaged = {"no archive": b"name,age\n" * 999, "empty": b"", "cut": whole[:-20], "cut inside": inside}
        (tmp_path / "model.tar.gz").write_bytes(damaged.get(damage, wrong))
        with pytest.raises(Invalid, match=r"model\.tar\.gz"):
            self.unpack(tmp_path / "model.tar.gz", tmp_path / "again")
        assert not (tmp_path / "again").exists()

    def test_an_absent_archive_is_not_the_archives_fault(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            self.unpack(tmp_path / "absent.tar.gz", tmp_path / "again")

    def test_a_directory_that_holds_something_is_left_alone(self, tmp_path: Path) -> None:
        archive = an_archive(tmp_path / "a.tar.gz", a_member("new"))
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "old").touch()
        with pytest.raises(Invalid, match="not empty"):
            self.unpack(archive, tmp_path / "full")
        assert [path.name for path in (tmp_path / "full").iterdir()] == ["old"]
