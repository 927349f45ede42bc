"""Three ways to point an unmodified program at a house; nothing of the user's own AWS is read, changed or called."""

import http.server
import json
import shlex
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.system.conftest import ROOT, SDK2, SDK3, RunningHouse, a_house
from tests.system.pointed import PROGRAMS, SAGEHOUSE, aws_all, pointed_environment, run

pytestmark = pytest.mark.system

POISON = """\
[default]
region = ap-south-1
endpoint_url = http://127.0.0.1:9
ca_bundle = /nonexistent/ca.pem
role_arn = arn:aws:iam::999999999999:role/Poison
source_profile = poison
[profile poison]
region = ap-south-1
endpoint_url = http://127.0.0.1:9
"""
POISONED_SHELL = {
    "AWS_PROFILE": "poison",
    "AWS_DEFAULT_PROFILE": "poison",
    "AWS_ACCESS_KEY_ID": "AKIAPOISONPOISON",
    "AWS_SECRET_ACCESS_KEY": "poison",
    "AWS_SESSION_TOKEN": "poison",
    "AWS_CREDENTIAL_EXPIRATION": "2001-01-01T00:00:00Z",
    "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/Poison",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_SAGEMAKER": "http://127.0.0.1:9",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_REGION": "ap-south-1",
    "NO_PROXY": "intranet.example,.amazonaws.com,*",
}
MUST_NOT_BE_CALLED = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Home:
    """A user's home directory with AWS files that lead elsewhere, and a book of what programs read and call."""

    path: Path
    book: Path

    @property
    def shell(self) -> dict[str, str]:
        return {
            **POISONED_SHELL,
            "HOME": str(self.path),
            "WITNESS_BOOK": str(self.book),
            "PYTHONPATH": str(PROGRAMS / "witness"),
        }

    def files(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted((self.path / ".aws").rglob("*")) if path.is_file()}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    aws = tmp_path / "user" / ".aws"
    aws.mkdir(parents=True)
    (aws / "config").write_text(POISON)
    (aws / "credentials").write_text("[poison]\naws_access_key_id = AKIAPOISON\naws_secret_access_key = poison\n")
    return Home(tmp_path / "user", tmp_path / "book")


WAYS = {
    "env": f'eval "$({SAGEHOUSE} env)" && exec {{python}} {{program}}',
    "run": f"exec {SAGEHOUSE} run -- {{python}} {{program}}",
    "activate": (
        f"export PYTHONPATH={shlex.quote(str(ROOT / 'src'))}:$PYTHONPATH && exec {{python}} -c "
        "'import runpy, sys, sagehouse; sagehouse.activate(); runpy.run_path(sys.argv[1])' {program}"
    ),
}


@pytest.mark.parametrize(("python", "program"), [(SDK2, "session_sdk2.py"), (SDK3, "session_sdk3.py")], ids=["2", "3"])
@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_program_reaches_the_house_and_nothing_else(shared_house, home, tmp_path, way, python, program):
    before = home.files()
    command = WAYS[way].format(python=shlex.quote(str(python)), program=shlex.quote(str(PROGRAMS / program)))
    ended = run(["bash", "-c", command], {**shared_house.environment, **home.shell}, directory=tmp_path)
    assert ended.status == 0, ended.err
    assert json.loads(ended.out.splitlines()[-1]) == {
        "bucket": "sagemaker-us-east-1-123456789012",
        "role": "arn:aws:iam::123456789012:role/SageMakerRole",
        "uri": "s3://sagemaker-us-east-1-123456789012/first",
        "read": "1,2\n",
        "listed": ["first/train.csv"],
        "region": "us-east-1",
        "account": "123456789012",
        "caller": "arn:aws:sts::123456789012:assumed-role/SageMakerRole/session",
        "image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
    }
    assert "Traceback" not in ended.err
    assert home.files() == before
    witnessed = set(home.book.read_text().splitlines())
    assert witnessed == {"call 127.0.0.1"}


def test_the_environment_holds_in_a_directory_of_any_name(tmp_path):
    """Quotes, spaces, dollars and line ends in the name of the data directory reach the program as they are."""
    odd = tmp_path / 'it\'s a "house" $HOME `x` \\ ü\nend'
    house = a_house(odd)
    house.up()
    try:
        shell = pointed_environment(house)
        assert shell["SAGEHOUSE_HOME"] == str(odd)
        assert shell["AWS_CA_BUNDLE"] == str(odd / "authority" / "bundle.pem")
        for posix in filter(shutil.which, ("sh", "dash", "zsh")):
            printed = run([posix, "-c", f'eval "$({SAGEHOUSE} env)"; printf %s "$SAGEHOUSE_HOME"'], house.environment)
            assert printed.out == str(odd)
        assert aws_all(["s3 mb s3://odd-home", "sts get-caller-identity --query Account"], shell)[1].strip() == (
            '"123456789012"'
        )
    finally:
        house.down()


def test_another_region_has_resources_of_its_own(shared_house):
    command = f'eval "$({SAGEHOUSE} env --region eu-west-1)"; env -0'
    ended = run(["bash", "-c", command], shared_house.environment)
    shell = dict(pair.split("=", 1) for pair in ended.out.split("\0") if "=" in pair)
    group = "sagemaker create-model-package-group --model-package-group-name regional"
    arn = aws_all([group, "sagemaker list-model-package-groups"], shell)[0]
    assert "arn:aws:sagemaker:eu-west-1:123456789012:model-package-group/regional" in arn
    elsewhere = aws_all(["sagemaker list-model-package-groups"], pointed_environment(shared_house))[0]
    assert "regional" not in elsewhere


def test_a_twelve_digit_access_key_is_an_account(shared_house):
    shell = {**pointed_environment(shared_house), "AWS_ACCESS_KEY_ID": "210987654321"}
    assert aws_all(["sts get-caller-identity --query Account"], shell)[0].strip() == '"210987654321"'


def test_activation_in_a_notebook_that_has_used_aws_before(shared_house, home, tmp_path):
    shell = {**shared_house.environment, **home.shell, "PYTHONPATH": str(ROOT / "src")}
    told = run([SDK2, PROGRAMS / "activated_late.py"], shell, directory=tmp_path)
    assert told.out.splitlines() == ["ap-south-1", shared_house.url, "123456789012 eu-west-1"], told.err


# Shorter waits.

UNSHORTENED_S = {
    "processing": 20,
    "processing without logs": 10,
    "training": 15,
    "pipeline": 30,
    "endpoint": 30,
    "transform": 20,
    "botocore's waiter": 60,
    "deletion": 10,
}
"""What these take at the least by the SDK's own sleeps, when the work itself takes a second or two."""


@pytest.mark.parametrize(("python", "program"), [(SDK2, "waits_sdk2.py"), (SDK3, "waits_sdk3.py")], ids=["2", "3"])
def test_the_waits_of_the_sdk_end_when_what_they_wait_for_has_ended(house, python, program):
    """The pipeline's wait may look twice in all, and changes sixteen times while it waits."""
    ended = house.run(python, PROGRAMS / program)
    seconds = json.loads(ended.stdout.rpartition("SECONDS ")[2])
    assert len(seconds) >= 4
    slow = {name: taken for name, taken in seconds.items() if taken >= UNSHORTENED_S[name]}
    assert slow == {}, seconds
    printed = ended.stdout + ended.stderr
    assert "processing says hello" in printed
    assert "training says hello" in printed, "SDK 3.x reads the log once more, after it has seen the end, and no more"


def test_fast_polling_can_be_left_out(shared_house):
    program = "import time, sys; print(time.sleep.__module__, 'sitecustomize' in sys.modules)"
    fast = shared_house.run(SDK2, "-c", program).stdout
    assert fast.startswith("_sagehouse_polling True")
    slow = shared_house.cli("run", "--no-fast-polling", "--", str(SDK2), "-c", program).stdout
    assert slow.startswith("time")


# Through the proxy.


@dataclass
class Outside:
    """A TLS server on this machine that is not AWS, and whom it met."""

    address: str
    authority: Path
    paths: list[str] = field(default_factory=list)


def a_certificate(directory: Path, address: str) -> Path:
    """Return a file with a key and a certificate that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "somebody else")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = directory / "certificate.pem"
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """https://127.0.0.2:PORT, with a certificate that only the test's shell trusts."""
    certificate = a_certificate(tmp_path_factory.mktemp("outside"), "127.0.0.2")
    here = Outside("", certificate)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here.paths.append(self.path)
            self.send_response(200)
            self.send_header("content-length", "7")
            self.end_headers()
            self.wfile.write(b"outside")

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.2", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    here.address = f"127.0.0.2:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield here
    server.shutdown()
    server.server_close()
    thread.join()


class Proxy:
    """A proxy of the user's, before the house: forwards CONNECT and remembers the targets."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,)).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            header = b""
            while not header.endswith(b"\r\n\r\n"):
                more = client.recv(1)
                if not more:
                    return
                header += more
            target = header.split(b" ")[1].decode()
            self.targets.append(target)
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pump, args=(server, client))
                back.start()
                _pump(client, server)
                back.join()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@contextmanager
def a_house_started_in(shell: dict[str, str], home: Path) -> Iterator[RunningHouse]:
    plain = a_house(home)
    house = replace(plain, environment={**plain.environment, **shell})
    house.up()
    try:
        yield house
    finally:
        house.down()


def fetch(url: str, shell: dict[str, str]) -> str:
    """Return what a program with `requests` gets; "refused: ..." with the error otherwise."""
    ended = run([SDK2, PROGRAMS / "fetch.py", url], shell)
    assert ended.status == 0, ended.err
    return ended.out.strip()


STS = "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_calls_sts_at_its_own_address(shared_house):
    shell = pointed_environment(shared_house)
    for url in (STS, STS.replace("us-east-1", "eu-central-1")):
        told = run(["curl", "-sS", "--fail-with-body", "--max-time", "20", url], shell)
        assert "<Account>123456789012</Account>" in told.out, told.err


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_node_calls_sts_at_its_own_address(shared_house):
    told = run(["node", PROGRAMS / "sts.js"], pointed_environment(shared_house))
    assert (told.status, told.out) == (0, "200 arn:aws:sts::123456789012:assumed-role/SageMakerRole/session\n"), told


def test_other_hosts_are_reached_through_the_house_with_their_own_certificates(outside, tmp_path):
    with a_house_started_in({"SSL_CERT_FILE": str(outside.authority)}, tmp_path / "house") as house:
        shell = pointed_environment(house)
        assert "<Account>123456789012</Account>" in fetch(STS, shell)
        assert fetch(f"https://{outside.address}/through", shell) == "outside"
        assert "502" in fetch("https://127.0.0.3:1/", shell)
    assert outside.paths[-1] == "/through"
    unproxied = {**shell, "HTTPS_PROXY": "", "https_proxy": ""}
    assert fetch(f"https://{outside.address}/", unproxied) == "outside", "the bundle holds what was trusted before"


def test_the_users_own_proxy_leads_outside_and_never_sees_aws(outside, home, tmp_path):
    """The SDK's telemetry and every call to AWS would arrive at this proxy if they left the house."""
    proxy = Proxy()
    try:
        trusting = {"SSL_CERT_FILE": str(outside.authority)}
        with a_house_started_in({"HTTPS_PROXY": proxy.url, **trusting}, tmp_path / "house") as house:
            assert fetch(f"https://{outside.address}/", pointed_environment(house)) == "outside"
            assert proxy.targets == [outside.address]
            told = house.run(SDK2, PROGRAMS / "telemetry_sdk2.py")
            assert "Traceback" not in told.stderr
            assert proxy.targets == [outside.address]
    finally:
        proxy.close()


def test_a_house_started_from_a_shell_that_is_pointed_at_it_goes_out_as_before(outside, tmp_path):
    """HTTPS_PROXY then names the house itself: asked for another host it would have asked itself, without end."""
    proxy = Proxy()
    try:
        first = {"HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": str(outside.authority)}
        with a_house_started_in(first, tmp_path / "house") as house:
            pointed = pointed_environment(house)
        with a_house_started_in(pointed, tmp_path / "house") as again:
            assert again.url == pointed["HTTPS_PROXY"]
            assert fetch(f"https://{outside.address}/twice", pointed_environment(again)) == "outside"
        assert proxy.targets == [outside.address]
        by_hand = {**pointed, "SAGEHOUSE_URL": "", "SAGEHOUSE_OUTER_PROXY": ""}
        with a_house_started_in(by_hand, tmp_path / "house") as again:
            assert fetch(f"https://{outside.address}/thrice", pointed_environment(again)) == "outside"
        assert proxy.targets == [outside.address]
    finally:
        proxy.close()
