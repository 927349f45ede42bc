"""A house of fakes in one line, and calls to it."""

import itertools
from typing import Any

from tests.fakes.catalog import FakeCatalog
from tests.fakes.objects import FakeObjects

from sagehouse.kit.document import Document
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Key
from sagehouse.ports.house import House

ACCOUNT = "123456789012"
REGION = "us-east-1"


class FakeIds:
    """Counts, in the shapes the port promises: equal runs give equal names."""

    def __init__(self) -> None:
        self._serial = itertools.count(1)

    def uuid(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._serial):012x}"

    def suffix(self, length: int) -> str:
        return f"{next(self._serial):0{length}d}"[-length:]


class WakeRecorder:
    """Remembers whose controller was asked for a pass."""

    def __init__(self) -> None:
        self.keys: list[Key] = []

    def __call__(self, key: Key) -> None:
        self.keys.append(key)

    @property
    def names(self) -> list[str]:
        return [key.name for key in self.keys]


class Absent:
    """A port the test does not furnish: any use says which."""

    def __init__(self, port: str) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the test furnishes no {self._port} port, yet {name} was used")

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise AssertionError(f"the test furnishes no {self._port} port, yet it was called")


def a_house(**ports: Any) -> House:
    """A house whose catalog, objects, ids and wake are fakes; the others are absent unless given."""
    objects = FakeObjects()
    furnished = {"catalog": FakeCatalog(), "objects": objects, "uploads": objects, "ids": FakeIds()}
    absent = {name: Absent(name) for name in ("streams", "serving", "dispatch")}
    return House(**{**furnished, **absent, "wake": WakeRecorder(), **ports})


def a_call(operation: str = "CreateTrainingJob", *, now: float = 1000.0, **more: Any) -> Call:
    """A call of an ordinary SageMaker program."""
    members: Document = {
        "service": "sagemaker",
        "operation": operation,
        "region": REGION,
        "account": ACCOUNT,
        "principal": f"arn:aws:sts::{ACCOUNT}:assumed-role/SageMakerRole/session",
        "request_id": "request-1",
        "now": now,
    }
    return Call(**{**members, **more})
