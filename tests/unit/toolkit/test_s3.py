"""Objects fetched from a house that is away for a moment, as it is while it starts anew."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sagehouse.toolkit import s3
from sagehouse.toolkit.errors import ToolkitError

CUT_OFF = b"HTTP/1.0 200 OK\r\ncontent-length: 10\r\n\r\nhal"
STARTING = b"HTTP/1.0 503 Service Unavailable\r\n\r\nstarting"
WHOLE = b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nwhole"
ABSENT = b"HTTP/1.0 404 Not Found\r\n\r\n<Error/>"


@contextmanager
def answering(*answers: bytes) -> Iterator[int]:
    """Answer one connection after the other; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for one in answers:
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(one)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "fetched"


def at(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)


def test_what_was_cut_off_is_fetched_again_whole(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs failed whose house was killed and started again just as they fetched their script."""
    with answering(b"", CUT_OFF, STARTING, WHOLE) as port:
        at(port, monkeypatch)
        s3.download("s3://bucket/key", str(target))
    assert target.read_bytes() == b"whole"


def test_what_is_not_there_is_not_asked_for_again(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(ABSENT) as port:
        at(port, monkeypatch)
        with pytest.raises(ToolkitError, match="There is no object s3://bucket/key"):
            s3.download("s3://bucket/key", str(target))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_house_that_stays_away_is_given_up(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(free_port(), monkeypatch)
    monkeypatch.setattr(s3, "_PATIENCE_S", 0.1)
    with pytest.raises(ToolkitError, match=r"Could not fetch s3://bucket/key from http://127\.0\.0\.1:.*refused"):
        s3.download("s3://bucket/key", str(target))


def test_a_job_without_a_network_does_not_wait_for_one(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(free_port(), monkeypatch)
    monkeypatch.setenv(s3.NO_NETWORK, "1")
    with pytest.raises(ToolkitError, match="EnableNetworkIsolation"):
        s3.download("s3://bucket/key", str(target))
