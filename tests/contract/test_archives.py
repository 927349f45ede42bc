"""The archives, held to their contract, and what the adapter adds to it."""

import asyncio
import gzip
import time
from pathlib import Path

import pytest
from tests.contract.archives import ArchivesContract, a_member, an_archive

from sagehouse.kit.errors import Invalid
from sagehouse.ports.archives import Archives
from sagehouse.storage.archives import TarArchives


class TestTarArchives(ArchivesContract):
    def archives(self) -> Archives:
        return TarArchives()

    def test_an_archive_that_would_unpack_to_too_much_is_refused(self, tmp_path: Path) -> None:
        archive = an_archive(tmp_path / "bomb.tar.gz", a_member("small"), a_member("big"), data=bytes(1_000_000))
        with pytest.raises(Invalid, match="'big'"):
            asyncio.run(TarArchives(limit_bytes=1_500_000).unpack(archive, tmp_path / "again"))
        assert not (tmp_path / "again").exists()

    def test_what_goes_on_after_its_end_is_refused(self, tmp_path: Path) -> None:
        """gzip's check sum comes at the very end, so that what follows the tar must be read as well."""
        endless = gzip.compress(bytes(64 * 1024 * 1024), 1)
        (tmp_path / "bomb.tar.gz").write_bytes(an_archive(tmp_path / "a.tar.gz", a_member("a")).read_bytes() + endless)
        with pytest.raises(Invalid, match="goes on for more than"):
            asyncio.run(TarArchives(limit_bytes=1_000_000).unpack(tmp_path / "bomb.tar.gz", tmp_path / "again"))

    def test_packing_ends_when_nobody_waits_for_it(self, tmp_path: Path) -> None:
        """A house could not be taken down while it packed a large model."""
        (tmp_path / "tree").mkdir()
        with (tmp_path / "tree" / "large").open("wb") as file:
            file.truncate(1000 * 1024 * 1024)

        async def give_up() -> None:
            packing = asyncio.create_task(TarArchives().pack(tmp_path / "tree", tmp_path / "model.tar.gz"))
            while not list(tmp_path.glob(".model.tar.gz.*")):  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0)
            packing.cancel()
            await asyncio.wait([packing])
            await asyncio.get_running_loop().shutdown_default_executor()

        began = time.monotonic()
        asyncio.run(give_up())
        assert [path.name for path in tmp_path.iterdir()] == ["tree"]
        assert time.monotonic() - began < 2, "the whole takes several seconds"
