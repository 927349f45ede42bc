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


class ArchivesContract:
    def archives(self) -> Archives:
        raise NotImplementedError

    def pack(self, directory: Path, archive: Path) -> int:
        return asyncio.run(self.archives().pack(directory, archive))

    def unpack(self, archive: Path, directory: Path) -> None:
        asyncio.run(self.archives().unpack(archive, directory))

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
