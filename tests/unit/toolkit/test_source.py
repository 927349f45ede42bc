"""The user's code arrives from S3, an archive or a directory; hostile archives end the job."""

import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from tests.unit.toolkit.job import Job


class _Store(http.server.BaseHTTPRequestHandler):
    objects: dict[str, bytes]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if "list-type" in query:
            keys = sorted(
                key.removeprefix("/bucket/") for key in self.objects if key.startswith("/bucket/" + query["prefix"][0])
            )
            rows = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in keys)
            self._answer(
                200,
                f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{rows}</ListBucketResult>'.encode(),
            )
        elif unquote(url.path) in self.objects:
            self._answer(200, self.objects[unquote(url.path)])
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def store(job: Job) -> Iterator[dict[str, bytes]]:
    handler = type("Store", (_Store,), {"objects": {}})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        job.environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.server_port}"
        yield handler.objects
        server.shutdown()


def packed(*members: tarfile.TarInfo, **files: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name.replace("__", "/").replace("_py", ".py"))
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
        for member in members:
            tar.addfile(member)
    return stream.getvalue()


def submitted(job: Job, uri: str) -> None:
    job.configure(
        hyperparameters={"sagemaker_program": '"train.py"', "sagemaker_submit_directory": json.dumps(uri), "k": "1"}
    )


def test_the_archive_in_s3_is_fetched_and_unpacked_without_a_signature(job: Job, store: dict[str, bytes]):
    store["/bucket/a job/source/sourcedir.tar.gz"] = packed(
        train_py="import lib.words\n", lib__words_py="print('unpacked')"
    )
    submitted(job, "s3://bucket/a job/source/sourcedir.tar.gz")

    ran = job.train()

    assert "unpacked" in ran.stdout, ran
    assert not (job.base / "code.download").exists()


def test_a_prefix_in_s3_is_fetched_file_by_file(job: Job, store: dict[str, bytes]):
    store.update({"/bucket/code/train.py": b"import lib.words", "/bucket/code/lib/words.py": b"print('fetched')"})
    submitted(job, "s3://bucket/code")

    assert "fetched" in job.train().stdout


def test_a_code_directory_that_holds_something_is_left_alone(job: Job):
    (job.base / "code/train.py").write_text("print('mine')")
    submitted(job, "s3://bucket/never/asked.tar.gz")

    assert "mine" in job.train().stdout


def test_a_local_directory_and_a_local_archive_will_do(job: Job, tmp_path: Path):
    archive = tmp_path / "sourcedir.tar.gz"
    archive.write_bytes(packed(train_py="print('local')"))
    submitted(job, str(archive))

    assert "local" in job.train().stdout


def test_a_missing_archive_is_named(job: Job, store: dict[str, bytes]):
    submitted(job, "s3://bucket/gone/sourcedir.tar.gz")

    assert job.train().failure == "There is no object s3://bucket/gone/sourcedir.tar.gz."


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.linkname = link
    return entry


@pytest.mark.parametrize(
    "member",
    [
        _member("/etc/evil"),
        _member("../evil"),
        _member("a/../../evil"),
        _member("link", tarfile.SYMTYPE, "/etc/passwd"),
        _member("link", tarfile.SYMTYPE, "../../outside"),
        _member("link", tarfile.LNKTYPE, "../outside"),
        _member("pipe", tarfile.FIFOTYPE),
        _member("device", tarfile.CHRTYPE),
    ],
    ids=lambda member: f"{member.name}-{member.type.decode()}-{member.linkname}",
)
def test_a_hostile_member_ends_the_job_before_anything_is_unpacked(job: Job, tmp_path: Path, member: tarfile.TarInfo):
    archive = tmp_path / "sourcedir.tar.gz"
    archive.write_bytes(packed(member, train_py="print('never')"))
    submitted(job, str(archive))

    ran = job.train()

    assert ran.code == 1
    assert member.name in ran.failure
    assert list((job.base / "code").iterdir()) == []


@pytest.mark.parametrize(
    "members",
    [
        [_member("a", tarfile.SYMTYPE, "."), _member("a/b", tarfile.SYMTYPE, ".."), _member("a/b/evil")],
        [_member("b", tarfile.SYMTYPE, "c/.."), _member("c", tarfile.SYMTYPE, "."), _member("b/evil")],
        [_member("evil", tarfile.SYMTYPE, "c/../evil"), _member("c", tarfile.SYMTYPE, "."), _member("evil")],
        [
            _member("d/e", tarfile.SYMTYPE, "../c/.."),
            _member("c", tarfile.SYMTYPE, "."),
            _member("d/evil", tarfile.LNKTYPE, "d/e/evil"),
        ],
    ],
    ids=["through-a-link", "through-a-link-bent-later", "over-a-link-bent-later", "hard-link"],
)
def test_a_link_chain_that_leaves_the_tree_is_refused(job: Job, tmp_path: Path, members: list[tarfile.TarInfo]):
    archive = tmp_path / "sourcedir.tar.gz"
    (job.base / "evil").write_text("secret")
    archive.write_bytes(packed(*members, train_py="pass"))
    submitted(job, str(archive))

    ran = job.train()

    assert ran.code == 1
    assert (job.base / "evil").read_text() == "secret"
    assert not (tmp_path / "evil").exists()
