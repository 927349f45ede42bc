"""Whose sleeps are shortened, and that nothing that counts its attempts uses them up."""

import json
import threading
import time
import types
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sagehouse.activation import polling


class House:
    """Answers /_sagehouse/changes as told, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_moving = True
        house = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                house.asked.append(self.path)
                body = json.dumps({"seen": 7, "moving": house.is_moving}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    here = House()
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", time.sleep)  # restored afterwards
    monkeypatch.setattr(polling, "_real_sleep", slept.append)
    here.slept = slept  # type: ignore[attr-defined]
    thread = threading.Thread(target=here.server.serve_forever)
    thread.start()
    polling.install(here.url)
    yield here
    here.server.shutdown()
    here.server.server_close()
    thread.join()


def a_module(name: str, source: str) -> types.ModuleType:
    module = types.ModuleType(name)
    exec("import time\n" + source, module.__dict__)
    return module


def a_waiter(service: str) -> object:
    """What botocore's waiter keeps: a method of a client of the service."""
    meta = types.SimpleNamespace(service_model=types.SimpleNamespace(service_name=service))

    class Client:
        def describe(self) -> None: ...

    client = Client()
    client.meta = meta  # type: ignore[attr-defined]

    class Waiter:
        _operation_method = types.SimpleNamespace(_client_method=client.describe)

    return Waiter()


WAIT = "def wait(self, **kwargs):\n    time.sleep(30)\n"


def long_sleeps(house: House) -> list[float]:
    return [seconds for seconds in house.slept if seconds > 1]  # type: ignore[attr-defined]


def test_a_sleep_of_the_sdk_asks_the_house_and_a_users_own_does_not(house):
    a_module("sagemaker.session", "def poll():\n    time.sleep(30)\n").poll()
    assert house.asked == ["/_sagehouse/changes?since=0&timeout=2.0"]
    assert long_sleeps(house) == []
    a_module("__main__", "def poll():\n    time.sleep(30)\n").poll()
    assert long_sleeps(house) == [30]


def test_a_loop_that_gives_up_after_so_many_sleeps_sleeps_as_it_meant_to(house):
    list(a_module("sagemaker.utils", "def retries():\n    yield\n    time.sleep(5)\n").retries())
    assert (house.asked, long_sleeps(house)) == ([], [5])


def test_a_waiter_asks_for_its_own_resource(house):
    wait = a_module("botocore.waiter", WAIT).wait
    wait(a_waiter("sagemaker"), PipelineExecutionArn="arn:aws:sagemaker:x")
    assert house.asked == ["/_sagehouse/changes?since=0&timeout=30&name=arn%3Aaws%3Asagemaker%3Ax"]


def test_a_waiter_of_another_service_keeps_its_pace(house):
    """S3's object_exists gave up after a second: its twenty attempts were answered at once."""
    a_module("botocore.waiter", WAIT).wait(a_waiter("s3"), Bucket="b", Key="k")
    assert (house.asked, long_sleeps(house)) == ([], [30])


def test_a_waiter_for_what_does_not_move_looks_once_more_and_then_keeps_its_pace(house):
    house.is_moving = False
    waiter = a_waiter("sagemaker")
    wait = a_module("botocore.waiter", WAIT).wait
    for _ in range(3):
        wait(waiter, EndpointName="e")
    assert (len(house.asked), long_sleeps(house)) == (1, [30, 30])


def test_without_a_house_the_loops_of_the_sdk_do_not_spin(house):
    house.server.shutdown()
    house.server.server_close()
    a_module("sagemaker.session", "def poll():\n    time.sleep(30)\n").poll()
    assert [round(seconds) for seconds in long_sleeps(house)] == [2]
