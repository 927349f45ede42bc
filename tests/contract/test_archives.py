"""The archives, held to their contract, and what the adapter adds to it."""

import asyncio
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
