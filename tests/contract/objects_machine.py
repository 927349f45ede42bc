"""A random walk over an object store and a plain dict, which must agree at every step."""

import asyncio
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.fakes.objects import Chunks

from sagehouse.kit.errors import NotFound
from sagehouse.ports.objects import ObjectInfo

KEYS = st.text(alphabet="ab/ü～𝄞\0", min_size=1, max_size=5)
PREFIXES = st.text(alphabet="ab/ü", max_size=3)


def rolled_up(keys: dict[str, bytes], prefix: str, delimiter: str) -> dict[str, bool]:
    """Return the names of a listing in order -> whether each is a key."""
    names: dict[str, bool] = {}
    for key in sorted(keys, key=str.encode):
        if key.startswith(prefix):
            end = key.find(delimiter, len(prefix)) if delimiter else -1
            names[key if end < 0 else key[: end + len(delimiter)]] = end < 0
    return names


def an_info(key: str) -> ObjectInfo:
    return ObjectInfo(bucket="b", key=key, size=0, etag="", modified_at=0.0)


class ObjectsMachine(RuleBasedStateMachine):
    """`contract.opened()` opens an empty store."""

    contract: Any

    @initialize()
    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.opening = self.contract.opened()
        self.store = self.opening.__enter__()
        self.model: dict[str, bytes] = {}
        self.do(self.store.create_bucket("b", account="1", region="us-east-1", now=0.0))

    def do(self, awaitable: Any) -> Any:
        return self.loop.run_until_complete(awaitable)

    @rule(key=KEYS, data=st.binary(max_size=20))
    def put(self, key: str, data: bytes) -> None:
        self.do(self.store.put("b", key, Chunks(data), info=an_info(key), now=1.0))
        self.model[key] = data

    @rule(keys=st.lists(KEYS, max_size=3))
    def delete(self, keys: list[str]) -> None:
        self.do(self.store.delete("b", keys))
        for key in keys:
            self.model.pop(key, None)

    @rule(old=KEYS, new=KEYS)
    def copy(self, old: str, new: str) -> None:
        if old in self.model:
            self.do(self.store.copy(self.do(self.store.head("b", old)), info=an_info(new), now=1.0))
            self.model[new] = self.model[old]

    @rule(key=KEYS, data=st.binary(max_size=20))
    def upload(self, key: str, data: bytes) -> None:
        upload = self.do(self.store.create_upload(an_info(key), now=1.0, algorithm=None, checksum_type=None))
        part = self.do(self.store.put_part("b", key, upload, 1, Chunks(data), now=1.0, size=len(data)))
        self.do(self.store.complete_upload("b", key, upload, [(1, {"ETAG": part.etag})], now=1.0))
        self.model[key] = data

    @rule(key=KEYS)
    def read(self, key: str) -> None:
        if key in self.model:
            assert self.do(self.store.read("b", key)) == self.model[key]
        else:
            with pytest.raises(NotFound):
                self.do(self.store.read("b", key))

    @rule(prefix=PREFIXES, delimiter=st.sampled_from(["", "/", "a", "ü"]), after=PREFIXES, limit=st.integers(0, 5))
    def listing(self, prefix: str, delimiter: str, after: str, limit: int) -> None:
        whole = rolled_up(self.model, prefix, delimiter)
        names = {name: is_key for name, is_key in whole.items() if name.encode() > after.encode()}
        found = self.do(self.store.list("b", prefix=prefix, delimiter=delimiter, after=after, limit=limit))
        page = list(names)[:limit]
        assert [one.key for one in found.objects] == [name for name in page if names[name]]
        assert list(found.prefixes) == [name for name in page if not names[name]]
        assert found.is_truncated == (len(names) > limit > 0)

    @invariant()
    def sizes_agree(self) -> None:
        if hasattr(self, "model"):
            found = self.do(self.store.list("b"))
            assert {one.key: one.size for one in found.objects} == {key: len(data) for key, data in self.model.items()}

    def teardown(self) -> None:
        if hasattr(self, "opening"):
            self.opening.__exit__(None, None, None)
            self.loop.close()
