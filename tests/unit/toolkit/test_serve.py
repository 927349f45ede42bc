"""The model server: handlers, content types, errors, framing, shutdown."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.toolkit.job import Job

ECHO = """
def model_fn(model_dir): return 'model'
def input_fn(body, content_type): return (content_type, body)
def predict_fn(data, model): return [model, *map(str, data)]
def output_fn(prediction, accept): return '|'.join(prediction + [accept])
"""


class Client(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self._path)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str, bytes]:
        self.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = self.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read()


class House:
    """Starts model servers and ends them with the test."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.processes: list[subprocess.Popen[str]] = []
        self.clients: list[Client] = []

    def serve(self, script: str = ECHO, *, name: str = "inference.py") -> Client:
        code = self.job.base / "model/code"
        code.mkdir(exist_ok=True)
        (code / name).write_text(script)
        return self.listening()

    def listening(self) -> Client:
        path = str(self.job.base / "s")
        self.job.environment["SAGEHOUSE_SOCKET"] = path
        process = self.job.start("serve")
        self.processes.append(process)
        deadline = time.monotonic() + 30
        while not Path(path).exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            os.sched_yield()
        return self.client()

    def client(self) -> Client:
        self.clients.append(Client(self.job.environment["SAGEHOUSE_SOCKET"]))
        return self.clients[-1]


@pytest.fixture
def house(job: Job) -> Iterator[House]:
    made = House(job)
    yield made
    for client in made.clients:
        client.close()
    for process in made.processes:
        process.terminate()
        process.communicate(timeout=20)


def test_ping_answers_200_once_the_model_is_loaded(house: House):
    assert house.serve().ask("GET", "/ping")[0] == 200


def test_the_four_handlers_are_asked_in_turn_and_text_arrives_decoded(house: House):
    client = house.serve()

    assert client.ask("POST", "/invocations", b"1,2", Content_Type="text/csv", Accept="text/csv") == (
        200,
        "text/csv",
        b"model|text/csv|1,2|text/csv",
    )


def test_bytes_of_other_types_arrive_as_bytes_and_any_accept_is_the_default(house: House):
    client = house.serve()

    answer = client.ask("POST", "/invocations", b"\x00\xff", Content_Type="application/octet-stream", Accept="*/*")

    assert answer == (200, "application/json", b"model|application/octet-stream|b'\\x00\\xff'|application/json")


def test_the_default_accept_can_be_set(house: House):
    house.job.environment["SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"] = "text/csv"

    assert house.serve().ask("POST", "/invocations", b"", Content_Type="text/csv")[1] == "text/csv"


def test_transform_fn_may_do_it_all_and_choose_the_content_type(house: House):
    client = house.serve(
        "def model_fn(d): return 3\ndef transform_fn(model, body, kind, accept): return (body * model, 'text/x-own')"
    )

    assert client.ask("POST", "/invocations", b"ab", Content_Type="text/csv") == (200, "text/x-own", b"ababab")


def test_handlers_may_take_the_context(house: House):
    client = house.serve(
        "def model_fn(d, context): return context.system_properties['model_dir']\n"
        "def input_fn(b, t, context): return context.get_request_header(0, 'X-Amzn-SageMaker-Custom-Attributes')\n"
        "def predict_fn(d, m): return d + ' ' + m\n"
        "def output_fn(p, a): return p\n"
    )

    _, _, body = client.ask("POST", "/invocations", b"x", X_Amzn_SageMaker_Custom_Attributes="mine")

    assert body == f"mine {house.job.base}/model".encode()


def test_the_models_own_error_is_a_500_with_its_message_and_the_traceback_is_in_the_log(house: House):
    client = house.serve(ECHO + "def predict_fn(data, model): raise ValueError('bad row')")

    status, _, body = client.ask("POST", "/invocations", b"1", Content_Type="text/csv")
    process = house.processes[0]
    process.terminate()
    _, stderr = process.communicate(timeout=20)

    assert (status, body) == (500, b"ValueError: bad row")
    assert "in predict_fn" in stderr


def test_execution_parameters_are_the_scripts_or_not_there(house: House):
    client = house.serve(ECHO + "def execution_parameters_fn(): return {'MaxPayloadInMB': 2}")

    assert json.loads(client.ask("GET", "/execution-parameters")[2]) == {"MaxPayloadInMB": 2}


def test_without_them_and_on_other_paths_the_answer_is_404(house: House):
    client = house.serve()

    assert client.ask("GET", "/execution-parameters")[0] == 404
    assert client.ask("GET", "/models")[0] == 404
    assert client.ask("GET", "/invocations")[0] == 405


def test_one_connection_carries_many_requests(house: House):
    client = house.serve()
    client.connect()
    first = client.sock

    for _ in range(3):
        assert client.ask("POST", "/invocations", b"1", Content_Type="text/csv")[0] == 200
    assert client.sock is first


def test_chunked_and_expecting_bodies_are_read(house: House):
    client = house.serve()
    client.connect()
    client.sock.sendall(
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )

    assert client.sock.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sock.sendall(b"3;x=y\r\na,b\r\n2\r\n,c\r\n0\r\nTrailer: z\r\n\r\n")
    assert client.sock.recv(4096).endswith(b"model|text/csv|a,b,c|application/json")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST /invocations HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"GET /ping HTTP/1.1\r\nA: " + b"x" * 70000, b"431"),
    ],
)
def test_what_is_no_http_ends_the_connection_and_nothing_else(house: House, data: bytes, status: bytes):
    client = house.serve()
    client.connect()

    client.sock.sendall(data)
    assert client.sock.recv(4096).startswith(b"HTTP/1.1 " + status)
    client.close()
    assert client.ask("GET", "/ping")[0] == 200


def test_a_large_body_comes_back_whole(house: House):
    client = house.serve("def model_fn(d): pass\ndef transform_fn(m, b, t, a): return b")
    body = os.urandom(3_000_000)

    assert client.ask("POST", "/invocations", body, Content_Type="application/x-any")[2] == body


SLOW = """
import os, time
def predict_fn(data, model):
    open(os.environ['SAGEMAKER_BASE_DIR'] + '/ready', 'w').close()
    time.sleep(1)
    return ['slow']
"""


def ask_slowly(client: Client, job: Job) -> None:
    """Send a request and return once the model works on it."""
    client.request("POST", "/invocations", b"1", {"Content-Type": "text/csv"})
    while not (job.base / "ready").exists():
        os.sched_yield()


def test_sigterm_lets_the_request_under_way_finish(house: House):
    client = house.serve(ECHO + SLOW)
    ask_slowly(client, house.job)

    house.processes[0].send_signal(signal.SIGTERM)

    assert client.getresponse().read() == b"slow|application/json"
    assert house.processes[0].wait(timeout=10) == 0


def test_a_ping_is_answered_while_the_model_is_busy(house: House):
    client = house.serve(ECHO + SLOW)
    ask_slowly(client, house.job)

    started = time.monotonic()
    assert house.client().ask("GET", "/ping")[0] == 200
    assert time.monotonic() - started < 0.9
    client.getresponse().read()


def test_the_named_program_of_the_submitted_archive_is_served(house: House, tmp_path: Path):
    import io
    import tarfile

    archive = tmp_path / "sourcedir.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        entry = tarfile.TarInfo("own.py")
        entry.size = len(ECHO)
        tar.addfile(entry, io.BytesIO(ECHO.encode()))
    house.job.environment.update(SAGEMAKER_PROGRAM="own.py", SAGEMAKER_SUBMIT_DIRECTORY=str(archive))

    assert house.listening().ask("POST", "/invocations", b"1", Content_Type="text/csv")[0] == 200


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("def model_fn(d): raise OSError('no model file')", "OSError: no model file"),
        ("def input_fn(b, t): pass", "Please provide a model_fn implementation"),
        (ECHO + "def transform_fn(m, b, t, a): pass", "Cannot use transform_fn together with"),
        ("def model_fn(): pass", "model_fn takes 0 arguments but 1 were given"),
    ],
)
def test_a_model_that_cannot_be_loaded_ends_the_server_with_the_reason(house: House, script: str, words: str):
    code = house.job.base / "model/code"
    code.mkdir()
    (code / "inference.py").write_text(script)
    house.job.environment["SAGEHOUSE_SOCKET"] = str(house.job.base / "s")

    process = house.job.start("serve")
    stdout, stderr = process.communicate(timeout=30)

    assert process.returncode == 1
    assert words in stdout + stderr


def test_without_a_socket_it_listens_on_the_port_it_is_told(house: House, unused_port: Callable[[], int]):
    port = unused_port()
    code = house.job.base / "model/code"
    code.mkdir()
    (code / "inference.py").write_text(ECHO)
    house.job.environment["SAGEMAKER_BIND_TO_PORT"] = str(port)
    process = house.job.start("serve")
    house.processes.append(process)
    while "serving" not in process.stdout.readline():
        assert process.poll() is None

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/ping")
    assert connection.getresponse().status == 200
    connection.close()


@pytest.fixture
def unused_port() -> Callable[[], int]:
    def pick() -> int:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return free.getsockname()[1]

    return pick


def test_a_call_that_never_ends_is_told_at_the_ping(house: House):
    """Every later request waits for it: AWS's containers end their worker after a minute."""
    house.job.environment["SAGEMAKER_MODEL_SERVER_TIMEOUT"] = "0.05"
    client = house.serve(
        "import threading\n"
        "def model_fn(directory): return threading.Event()\n"
        "def input_fn(body, content_type): return body\n"
        "def predict_fn(data, model): return model.wait(None if data == b'hang' else 0)\n"
        "def output_fn(prediction, accept): return 'done'\n"
    )
    before = (client.ask("POST", "/invocations", b"go", Content_Type="x/y")[2], client.ask("GET", "/ping")[0])
    house.client().request("POST", "/invocations", b"hang", {"Content-Type": "x/y"})
    while (status := client.ask("GET", "/ping")[0]) == 200:
        os.sched_yield()
    house.processes[-1].kill()  # asked to end, it would wait a minute for the call
    assert (before, status) == ((b"done", 200), 503)
