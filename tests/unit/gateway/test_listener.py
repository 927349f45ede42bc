"""One port for HTTP, TLS and CONNECT, asked by boto3 and by hand."""

import asyncio
import contextlib
import socket
import ssl
import threading

import boto3
import pytest
import uvloop
from botocore.config import Config
from tests.unit.gateway.house import SteadyClock, a_running_gateway, listening

from sagehouse.gateway.listener import Listener, bind, first_bytes
from sagehouse.gateway.tunnel import Upstream


@pytest.fixture(scope="module", params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def running(request, tmp_path_factory):
    with a_running_gateway(tmp_path_factory.mktemp("listener"), loop_factory=request.param) as found:
        yield found


def dialled(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.settimeout(10)
    return connection


def answer_to(connection, data=b""):
    connection.sendall(data)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    return received


@contextlib.contextmanager
def an_echo():
    """A host that is not AWS's: answers each chunk in capitals."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        while data := connection.recv(65536):
                            connection.sendall(data.upper())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_sts_is_answered_at_its_own_address_through_the_proxy(running, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", running.url)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(running.bundle))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    session = boto3.session.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name="ap-southeast-2"
    )
    client = session.client("sts", config=Config(retries={"max_attempts": 0}))
    assert client.meta.endpoint_url == "https://sts.ap-southeast-2.amazonaws.com"
    assert client.get_caller_identity()["Account"] == "123456789012"
    s3 = session.client("s3", config=Config(retries={"max_attempts": 0}))
    assert s3.get_bucket_location(Bucket="dotted.bucket")["LocationConstraint"] == "eu-west-1"
    s3.put_object(Bucket="virtual-host", Key="k", Body=b"abc")
    assert running.shelf.calls[-1].operation == "PutObject"


def test_tls_speaks_for_this_machine_and_for_the_host_that_is_asked_for(running):
    context = ssl.create_default_context(cafile=str(running.bundle))
    for name in ("localhost", "127.0.0.1", "runtime.sagemaker.us-west-2.amazonaws.com", "a.b.s3.eu-west-1.api.aws"):
        with dialled(running.port) as raw, context.wrap_socket(raw, server_hostname=name) as secured:
            request = f"GET /_sagehouse/health HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
            assert answer_to(secured, request).startswith(b"HTTP/1.1 200 OK\r\n")


def test_the_authority_vouches_for_no_other_host(running):
    context = ssl.create_default_context(cafile=str(running.bundle))
    with dialled(running.port) as raw, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(raw, server_hostname="example.com")


def test_a_connection_that_comes_byte_by_byte_is_understood(running):
    with dialled(running.port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nHost: x\r\n\r":
            connection.sendall(bytes([byte]))
        assert answer_to(connection, b"\n").startswith(b"HTTP/1.1 200 ")
        context = ssl.create_default_context(cafile=str(running.bundle))
        with context.wrap_socket(connection, server_hostname="sts.amazonaws.com") as secured:
            assert b" 200 OK" in answer_to(secured, b"GET /_sagehouse/health HTTP/1.1\r\nHost: x\r\n\r\n")


class LoopWithoutTimers(asyncio.SelectorEventLoop):
    def call_at(self, *_arguments, **_more):
        raise AssertionError("something looks again and again")


@pytest.mark.parametrize(("rest", "seen"), [(b"CT sts", b"CONNECT "), (b"", b"CONNE")])
def test_a_connection_that_stops_inside_its_first_word_is_not_looked_at_again(rest, seen):
    """Each was looked at 200 times a second: two thousand of them left no time for anybody else."""

    async def scene(client, server):
        client.sendall(b"CONNE")
        looking = asyncio.create_task(first_bytes(server))
        for _ in range(3):
            await asyncio.sleep(0)
        client.sendall(rest)
        client.shutdown(socket.SHUT_WR)
        assert await looking == seen

    with (
        socket.create_server(("127.0.0.1", 0)) as listening_socket,
        asyncio.Runner(loop_factory=LoopWithoutTimers) as runner,
        dialled(listening_socket.getsockname()[1]) as client,
        listening_socket.accept()[0] as server,
    ):
        server.setblocking(False)
        runner.run(scene(client, server))


def test_another_host_is_reached_through_a_tunnel(running):
    with an_echo() as port, dialled(running.port) as connection:
        head = answer_to(connection, f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n".encode())
        assert head.startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"hello")
        assert connection.recv(100) == b"HELLO"


def test_a_host_that_cannot_be_reached_is_a_bad_gateway(running):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with dialled(running.port) as connection:
        head = answer_to(connection, f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"could not open a tunnel" in head


def test_the_users_own_proxy_is_asked_for_other_hosts(running, tmp_path):
    """The first house stands for the user's proxy: it tunnels to the echo, which the second asks it for."""
    with an_echo() as port:
        upstream = Upstream(proxy=f"http://user:secret@127.0.0.1:{running.port}", no_proxy="internal.example")
        with a_running_gateway(tmp_path, upstream=upstream) as second, dialled(second.port) as connection:
            head = answer_to(connection, f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n".encode())
            assert head.startswith(b"HTTP/1.1 200 ")
            connection.sendall(b"through two")
            assert connection.recv(100) == b"THROUGH TWO"


def test_the_proxy_of_the_environment_is_not_asked_for_hosts_it_exempts():
    upstream = Upstream.from_environment({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "corp.example, .lan"})
    assert upstream.proxy == "http://proxy:3128"
    with an_echo() as port:
        exempt = Upstream(proxy="http://127.0.0.1:1", no_proxy="localhost")
        asyncio.run(exempt.connect("localhost", port)).close()


def test_garbage_and_silence_are_hung_up_on(running):
    with dialled(running.port) as connection:
        connection.sendall(b"\x16\x03\x01\x00\x05hello" + b"\x00" * 50)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(1000):
                pass
    with dialled(running.port) as connection:
        assert answer_to(connection, b"CONNECT nonsense HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    with dialled(running.port) as connection:
        assert answer_to(connection, b"\x00\x01\x02\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    with dialled(running.port):
        pass


def put_head(*, length, extra=""):
    credential = "Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    return (
        f"PUT /bucket-1/key HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{extra}"
        f"Authorization: AWS4-HMAC-SHA256 {credential}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    "beginning",
    [b"GET /", b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 90_000],
)
def test_a_request_without_end_is_refused(running, beginning):
    """Joined piece by piece, one URL of 150 MB kept the house from answering anybody for minutes."""
    with dialled(running.port) as connection:
        connection.sendall(beginning)
        with contextlib.suppress(OSError):
            for _ in range(64):
                connection.sendall(b"a" * 65536)
        with contextlib.suppress(OSError):  # reset, if more was on its way
            assert answer_to(connection).startswith(b"HTTP/1.1 400 ")
    with dialled(running.port) as connection:
        assert answer_to(connection, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 60_000 + b"\r\n\r\n")


def test_a_document_longer_than_any_that_aws_takes_is_refused(running):
    """A JSON body of 60 MB held the house up for 20 s; bytes for a model are told AWS's own limit."""
    head = "POST {} HTTP/1.1\r\nHost: a\r\n{}Content-Length: 9000000\r\n\r\n"
    with dialled(running.port) as connection:
        described = head.format("/", "X-Amz-Target: SageMaker.DescribeTrainingJob\r\n").encode()
        assert answer_to(connection, described + b" " * 9_000_000).startswith(b"HTTP/1.1 413 ")
    with dialled(running.port) as connection:
        invoked = head.format("/endpoints/e/invocations", "").encode()
        assert b"x-amzn-errortype: ValidationError" in answer_to(connection, invoked + b"a" * 9_000_000)


def test_large_bodies_are_no_endless_requests(running):
    with dialled(running.port) as connection:
        head = b"POST /bucket/k HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n"
        assert answer_to(connection, head + b"a" * 3_000_000).startswith(b"HTTP/1.1 405 ")


def test_a_client_that_leaves_in_the_middle_of_its_body_is_an_error_for_the_operation(running):
    running.shelf.seen.clear()
    with dialled(running.port) as connection:
        connection.sendall(put_head(length=1000) + b"only this")
    with dialled(running.port) as connection:
        answer_to(connection, put_head(length=1) + b"x")
    for _ in range(200):
        if len(running.shelf.seen) == 2:
            break
        threading.Event().wait(0.01)
    assert "broken" in running.shelf.seen


def test_the_body_is_asked_for_only_when_it_is_wanted(running):
    with dialled(running.port) as connection:
        asked = answer_to(connection, put_head(length=3, extra="Expect: 100-continue\r\n"))
        assert asked == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert answer_to(connection, b"abc").startswith(b"HTTP/1.1 200 OK")
    with dialled(running.port) as connection:
        head = put_head(length=3, extra="Expect: 100-continue\r\n").replace(b"bucket-1", b"absent")
        refused = answer_to(connection, head)
        assert refused.startswith(b"HTTP/1.1 404 ")
        assert b"connection: close\r\n" in refused


def test_requests_under_way_are_finished_before_the_end(tmp_path):
    entered, release = threading.Event(), threading.Event()

    async def slow(scope, receive, send):
        entered.set()
        await asyncio.to_thread(release.wait, 5)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})

    listener = Listener(slow, bind("127.0.0.1", 0), grace_s=5)
    port = listener.port
    answers = []
    with listening(listener.run, loop_factory=uvloop.new_event_loop):
        connection = dialled(port)
        idle = dialled(port)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        entered.wait(5)

        def finish():
            release.set()
            answers.append(connection.recv(1000))
            answers.append(connection.recv(1000) if b"done" not in answers[0] else b"")

        reader = threading.Timer(0.2, finish)
        reader.start()
    reader.join(5)
    assert b"".join(answers).endswith(b"done")
    assert idle.recv(10) == b""
    connection.close()
    idle.close()
    with pytest.raises(OSError):
        dialled(port)


def test_an_authority_is_kept_between_starts_and_its_keys_are_private(tmp_path):
    from sagehouse.gateway.authority import Authority

    first = Authority(tmp_path / "authority", SteadyClock())
    first.context("sts.amazonaws.com")
    pem = first.certificate.read_bytes()
    leaf = (tmp_path / "authority/hosts/sts.amazonaws.com.pem").read_bytes()
    second = Authority(tmp_path / "authority", SteadyClock())
    second.context("sts.amazonaws.com")
    assert second.certificate.read_bytes() == pem
    assert (tmp_path / "authority/hosts/sts.amazonaws.com.pem").read_bytes() == leaf
    for name in ("authority-key.pem", "hosts/sts.amazonaws.com.pem"):
        assert (tmp_path / "authority" / name).stat().st_mode & 0o777 == 0o600


class LaterClock(SteadyClock):
    def now(self):
        return super().now() + 3640 * 86400


def test_an_authority_about_to_end_is_made_anew_with_everything_it_signed(tmp_path):
    from sagehouse.gateway.authority import Authority

    first = Authority(tmp_path, SteadyClock())
    first.context("sts.amazonaws.com")
    pem = first.certificate.read_bytes()
    second = Authority(tmp_path, LaterClock())
    assert second.certificate.read_bytes() != pem
    assert list((tmp_path / "hosts").iterdir()) == []


def test_a_bundle_trusts_the_house_and_everything_trusted_before(tmp_path):
    from sagehouse.gateway.authority import Authority

    ours, theirs = Authority(tmp_path / "ours", SteadyClock()), Authority(tmp_path / "theirs", SteadyClock())
    bundle = tmp_path / "bundle.pem"
    for _ in range(2):
        ours.bundle(bundle, extra=[theirs.certificate, tmp_path / "absent.pem", bundle])
    text = bundle.read_bytes()
    assert text.startswith(ours.certificate.read_bytes().strip())
    assert text.count(theirs.certificate.read_bytes().strip()) == 1
    assert text.count(b"BEGIN CERTIFICATE") > 50
