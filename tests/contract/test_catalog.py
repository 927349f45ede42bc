"""The SQLite catalog and the fake keep the contract of `ports.catalog`."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from tests.contract.catalog import CatalogContract, Heard, just
from tests.fakes.catalog import FakeCatalog

from sagehouse.ports.catalog import Catalog
from sagehouse.storage.catalog import SqliteCatalog


class TestFakeCatalog(CatalogContract):
    def opened(self, heard: Heard = lambda _keys: None) -> AbstractAsyncContextManager[Catalog]:
        return just(FakeCatalog(on_commit=[heard]))


class TestSqliteCatalog(CatalogContract):
    @pytest.fixture(autouse=True)
    def _path(self, tmp_path: Path) -> None:
        self.path = tmp_path / "catalog.sqlite"

    def opened(self, heard: Heard = lambda _keys: None) -> AbstractAsyncContextManager[Catalog]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Catalog]:
            catalog = SqliteCatalog(self.path, on_commit=[heard])
            try:
                yield catalog
            finally:
                catalog.close()

        return opened()
