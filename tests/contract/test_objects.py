"""The embedded store and the fake keep the contract of `ports.objects`."""

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import cast

import pytest
from tests.contract.objects import Both, ObjectsContract, Store
from tests.fakes.objects import FakeObjects

from sagehouse.storage.objects import ObjectStore


class TestFakeObjects(ObjectsContract):
    @pytest.fixture(autouse=True)
    def _scratch(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.scratch = tmp_path_factory.mktemp("fake")

    @contextmanager
    def _opened(self) -> Iterator[Store]:
        yield cast(Store, FakeObjects(self.scratch))

    def opened(self) -> AbstractContextManager[Store]:
        return self._opened()


class TestObjectStore(ObjectsContract):
    @pytest.fixture(autouse=True)
    def _root(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.root: Path = tmp_path_factory.mktemp("store")
        self.serial = itertools.count()

    @contextmanager
    def _opened(self) -> Iterator[Store]:
        store = ObjectStore(self.root / str(next(self.serial)))
        try:
            yield cast(Store, Both(store, store.uploads))
        finally:
            store.close()

    def opened(self) -> AbstractContextManager[Store]:
        return self._opened()


class TestPowerSafeObjectStore(TestObjectStore):
    @contextmanager
    def _opened(self) -> Iterator[Store]:
        store = ObjectStore(self.root / str(next(self.serial)), durability="power")
        try:
            yield cast(Store, Both(store, store.uploads))
        finally:
            store.close()
