"""Scripts that mean harm, or mean nothing by it: contained, and their jobs end with a reason that says what it was."""

import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.system.conftest import RunningHouse
from tests.system.lab import MB, Lab, a_lab, archive, awaited, processes_of

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with a_lab(tmp_path_factory.mktemp("hostile") / "house") as lab:
        yield lab


def reason(job: dict[str, Any]) -> str:
    """Return why a job failed; it has."""
    status = job.get("TrainingJobStatus") or job["ProcessingJobStatus"]
    assert status == "Failed", status
    text: str = job["FailureReason"]
    assert len(text) <= 1024
    return text


def completed(lab: Lab, job: dict[str, Any]) -> None:
    kind = "TrainingJob" if "TrainingJobStatus" in job else "ProcessingJob"
    assert job[f"{kind}Status"] == "Completed", (job.get("FailureReason"), lab.lines(kind, job[f"{kind}Name"])[-5:])


def peak_bytes(lab: Lab) -> int:
    """Return the most memory the house ever had."""
    status = Path(f"/proc/{lab.house.card['pid']}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


def members(lab: Lab, key: str) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(lab.get(key))) as tar:
        return {member.name: member for member in tar}


# Processes.


@pytest.mark.parametrize("kind", ["ProcessingJob", "TrainingJob"])
def test_a_job_that_starts_threads_without_end_is_ended_and_told_why(lab: Lab, kind: str) -> None:
    """Threads count as processes do, and cost a machine less. Python's own would fight for its lock, not for places."""
    script = """
        import ctypes
        libc = ctypes.CDLL(None)
        attributes, thread = ctypes.create_string_buffer(64), ctypes.c_ulong()
        libc.pthread_attr_init(attributes)
        libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(65536))
        while True:
            libc.pthread_create(ctypes.byref(thread), attributes, libc.pause, None)
    """
    name = f"threads-{kind.lower()}"
    ended = lab.processed(name, script) if kind == "ProcessingJob" else lab.trained(name, script)
    assert reason(ended) == (
        "AlgorithmError: The job was ended because it started more processes and threads than it may. "
        "algo-1 had as many as it may (16384)"
    )
    completed(lab, lab.processed(f"after-{name}", "print('and the house goes on')"))


LEAVES_DAEMONS = """
    import os, signal, subprocess, sys, time
    sleeper = (
        "import os, signal, sys, time\\n"
        "for number in range(1, 65):\\n"
        "    if number not in (9, 19, 32, 33): signal.signal(number, signal.SIG_IGN)\\n"
        "print('ready', flush=True)\\n"
        "if os.fork(): os._exit(0)\\n"
        "os.setsid()\\n"
        "if os.fork(): os._exit(0)\\n"
        "time.sleep(600)\\n"
    )
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", sleeper, os.environ["MARK"]], start_new_session=True)
    for _ in range(20):
        if os.fork() == 0:
            time.sleep(600)
    print("left", flush=True)
"""


def alive(mark: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"MARK={mark}".encode() in (entry / "environ").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("kind", ["ProcessingJob", "TrainingJob"])
def test_children_and_daemons_end_with_their_job(lab: Lab, kind: str) -> None:
    mark = f"daemons-{kind.lower()}"
    start = lab.processed if kind == "ProcessingJob" else lab.trained
    completed(lab, start(mark, LEAVES_DAEMONS, Environment={"MARK": mark}))
    assert lab.said(kind, mark, "left")
    assert alive(mark) == []


def test_a_stopped_job_is_asked_to_end_and_what_it_made_until_then_is_stored(lab: Lab) -> None:
    script = """
        import signal, sys, time
        def leave(*_):
            with open("/opt/ml/model/weights", "w") as file:
                file.write("so far")
            print("saved", flush=True)
            sys.exit(0)
        signal.signal(signal.SIGTERM, leave)
        print("begun", flush=True)
        while True:
            time.sleep(10)
    """
    lab.train("heeds", script)
    lab.hears("TrainingJob", "heeds", "begun")
    lab.sagemaker.stop_training_job(TrainingJobName="heeds")
    assert lab.ended("TrainingJob", "heeds")["TrainingJobStatus"] == "Stopped"
    assert lab.said("TrainingJob", "heeds", "saved")
    assert "weights" in members(lab, "heeds/output/model.tar.gz")


def test_emptying_the_house_ends_a_job_that_ignores_everything(shared_house: RunningHouse) -> None:
    lab = Lab(shared_house)
    script = """
        import os, signal, time
        for number in range(1, 65):
            if number not in (9, 19, 32, 33):
                signal.signal(number, signal.SIG_IGN)
        os.fork()
        print("begun", flush=True)
        while True:
            time.sleep(10)
    """
    lab.process("ignores", script)
    lab.hears("ProcessingJob", "ignores", "begun")
    lab.sagemaker.stop_processing_job(ProcessingJobName="ignores")
    shared_house.reset()
    assert [line for _, line in processes_of(shared_house.home) if "supervisor" in line] == []
    assert lab.sagemaker.list_processing_jobs()["ProcessingJobSummaries"] == []


@pytest.mark.parametrize(("number", "code"), [(9, 137), (11, 139), (6, 134), (15, 143)])
def test_a_script_that_a_signal_ends_failed_with_its_exit_code(lab: Lab, number: int, code: int) -> None:
    script = f"import os; os.kill(os.getpid(), {number})"
    names = [lab.process(f"signal-{number}", script), lab.train(f"signal-{number}", script)]
    assert f"exit code: {code}" in reason(lab.ended("ProcessingJob", names[0]))
    assert f"exit code: {code}" in reason(lab.ended("TrainingJob", names[1]))


# Output.


def test_much_output_is_kept_and_costs_the_house_no_memory(lab: Lab) -> None:
    """A line without end and a hundred million short lines' worth of bytes."""
    lab.processed("warm", "print('warm')")
    before = peak_bytes(lab)
    script = """
        import os
        line = b"x" * 1023 + b"\\n"
        for _ in range(200):
            os.write(1, line * 1024)
        for _ in range(100):
            os.write(1, b"y" * 1024 * 1024)
        print("\\nlast words", flush=True)
        raise SystemExit(4)
    """
    assert "last words, exit code: 4" in reason(lab.processed("chatty", script))
    assert peak_bytes(lab) - before < 64 * MB
    logs = lab.client("logs")
    group = "/aws/sagemaker/ProcessingJobs"
    stream = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="chatty/")["logStreams"][0]
    page = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], limit=3)
    assert [event["message"][-10:] for event in page["events"]][-1] == "last words"


def test_output_that_is_no_text_is_readable(lab: Lab) -> None:
    script = r"""
        import os
        os.write(1, b"\xff\xfe latin: \xe4\n")
        os.write(1, b"nul: \0 tab: \t bell: \7\n")
        os.write(1, "half a smile: ".encode() + "😀".encode()[:2] + b"\n")
        os.write(2, b"\xed\xa0\x80 a lone surrogate\n")
        os.write(2, b"Traceback (most recent call last):\n  File x\nValueError: \xff\xfe\n")
        os._exit(1)
    """
    assert "ValueError: " in reason(lab.processed("binary", script))
    lines = lab.lines("ProcessingJob", "binary")
    assert len(lines) == 7
    assert "latin: " in lines[0]
    assert lines[1] == "nul: #000 tab: #011 bell: #007"
    assert "ValueError: " in reason(lab.trained("binary", script))


def test_a_long_failure_file_is_cut_and_one_that_is_no_text_is_shown(lab: Lab) -> None:
    script = """
        import os
        os.makedirs("/opt/ml/output", exist_ok=True)
        with open("/opt/ml/output/failure", "wb") as file:
            file.write({content})
        raise SystemExit(1)
    """
    long = reason(lab.trained("failure-long", script.format(content='b"because " * 100000')))
    assert long.startswith("AlgorithmError: because because")
    assert "exit code: 1" in long
    strange = reason(lab.trained("failure-strange", script.format(content=r'b"\xff\xfe\0\x01 why\n" * 9')))
    assert " why" in strange
    late = """
        import os
        os.makedirs("/opt/ml/output", exist_ok=True)
        {act}
        raise SystemExit(7)
    """
    for name, act in {
        "link": 'os.symlink("/etc/shadow", "/opt/ml/output/failure")',
        "directory": 'os.mkdir("/opt/ml/output/failure")',
        "pipe": 'os.mkfifo("/opt/ml/output/failure")',
    }.items():
        job = reason(lab.trained(f"failure-{name}", late.format(act=act)))
        assert "exit code: 7" in job
        assert "root:" not in job


def test_the_message_of_a_processing_job_is_bounded_and_must_be_text(lab: Lab) -> None:
    script = """
        import os
        os.makedirs("/opt/ml/output", exist_ok=True)
        with open("/opt/ml/output/message", "wb") as file:
            file.write({content})
    """
    job = lab.processed("message-long", script.format(content='b"well " * 100000'))
    completed(lab, job)
    assert job["ExitMessage"] == ("well " * 1000)[:1024]
    assert "UTF-8" in reason(lab.processed("message-strange", script.format(content=r'b"\xff"')))


# What it is given, and what it is not.


def test_inputs_are_the_scripts_to_destroy_and_the_stores_to_keep(lab: Lab) -> None:
    for number in range(20):
        lab.put(f"treasure/deep/{number}", f"gold {number}")
    script = """
        import os, shutil
        top = "{top}"
        os.truncate(top + "/deep/0", 0)
        with open(top + "/deep/1", "r+") as file:
            file.write("lead")
        os.chmod(top + "/deep/2", 0)
        os.rename(top + "/deep/3", top + "/deep/four")
        os.utime(top + "/deep/4", (0, 0))
        shutil.rmtree(top + "/deep")
        print(os.path.exists(top + "/deep"))
    """
    uri = f"s3://{lab.bucket}/treasure"
    channel, given = "/opt/ml/input/data/treasure", "/opt/ml/processing/input/treasure"
    before = {key: lab.s3.head_object(Bucket=lab.bucket, Key=key) for key in lab.keys("treasure/")}
    lab.train("destroys", script.format(top=channel), inputs={"treasure": uri})
    lab.process("destroys", script.format(top=given), inputs={"treasure": uri})
    completed(lab, lab.ended("TrainingJob", "destroys"))
    completed(lab, lab.ended("ProcessingJob", "destroys"))
    assert lab.lines("ProcessingJob", "destroys") == ["False"]
    for key, head in before.items():
        assert lab.get(key) == b"gold " + key.rpartition("/")[2].encode()
        after = lab.s3.head_object(Bucket=lab.bucket, Key=key)
        assert [after[member] for member in ("ETag", "LastModified", "ContentLength")] == [
            head[member] for member in ("ETag", "LastModified", "ContentLength")
        ]
    look = "import os; print(sorted(os.listdir('/opt/ml/processing/input/treasure/deep'), key=int))"
    lab.processed("looks-again", look, inputs={"treasure": uri})
    assert lab.lines("ProcessingJob", "looks-again") == [str([str(number) for number in range(20)])]


def test_nothing_of_the_house_or_its_user_or_of_other_jobs_can_be_read(lab: Lab, tmp_path: Path) -> None:
    word = f"secret{os.getpid()}"
    note = Path.home() / f".sagehouse-{os.getpid()}"
    lab.s3.create_bucket(Bucket="other-bucket")
    lab.s3.put_object(Bucket="other-bucket", Key="secret", Body=word.encode())
    gate, go = lab.gate("victim")
    wait = """
        import os, time, urllib.request, urllib.error
        os.makedirs("/opt/ml/processing/out", exist_ok=True)
        with open("/opt/ml/processing/out/secret", "w") as file:
            file.write(os.environ["WORD"])
        print("begun", flush=True)
        while True:
            try:
                urllib.request.urlopen(os.environ["GATE"], timeout=5).read()
                break
            except (OSError, urllib.error.URLError):
                time.sleep(0.05)
    """
    lab.process("victim", wait, Environment={"WORD": word, "GATE": gate})
    lab.hears("ProcessingJob", "victim", "begun")
    home = lab.house.home
    note.write_text(word)
    (tmp_path / "secret").write_text(word)
    wanted = [
        *(path for path in home.rglob("*") if "sqlite" in path.name or path.suffix in {".pem", ".key", ".json"}),
        *(path for path in home.rglob("*") if path.is_file() and path.stat().st_size == len(word)),
        *(home, home / "objects", home / "jobs", home / "streams", home / "run", home / "authority"),
        *(note, tmp_path, tmp_path / "secret", Path("/etc/shadow"), Path.home() / ".ssh", Path.home() / ".aws"),
    ]
    assert len(wanted) > 15
    assert any("blobs" in str(path) for path in wanted)
    assert any("victim" in str(path) for path in wanted)
    lab.put("wanted.json", json.dumps([str(path) for path in dict.fromkeys(wanted)]))
    script = """
        import json, os, subprocess
        found = []
        for path in json.load(open("/opt/ml/processing/input/wanted/wanted.json")):
            for root in ("", "/proc/1/root", "/proc/self/root/../.."):
                if os.path.lexists(root + path):
                    found.append(root + path)
        print("found", sorted(set(found)))
        word = os.environ["WORD_"][::-1]
        read_only = ("proc", "sys", "usr", "lib", "lib64", "bin", "sbin")
        command = ["grep", "-rslF", word, "/", *(f"--exclude-dir={name}" for name in read_only)]
        print("grep", subprocess.run(command, capture_output=True, text=True).stdout.split())
        seen = []
        for process in os.listdir("/proc"):
            if process.isdigit():
                try:
                    with open(f"/proc/{process}/environ", "rb") as file:
                        seen += [process] if word.encode() in file.read() else []
                except OSError:
                    pass
        print("environments", seen)
    """
    try:
        inputs = {"wanted": f"s3://{lab.bucket}/wanted.json"}
        completed(lab, lab.processed("thief", script, inputs=inputs, Environment={"WORD_": word[::-1]}))
    finally:
        note.unlink()
        go()
    assert lab.lines("ProcessingJob", "thief") == ["found []", "grep []", "environments []"]
    completed(lab, lab.ended("ProcessingJob", "victim"))


def test_a_job_that_wants_more_memory_than_its_instance_has_is_told_so(lab: Lab) -> None:
    script = """
        import mmap
        kept = []
        while True:
            more = mmap.mmap(-1, 1 << 28)
            more.madvise(14)  # huge pages, which come sooner
            for page in range(0, len(more), 4096):
                more[page] = 1
            kept.append(more)
    """
    assert "memory" in reason(lab.processed("hungry", script))


def test_an_isolated_job_reaches_nobody(lab: Lab) -> None:
    script = """
        import os, socket, urllib.parse
        house = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
        for address in ((house.hostname, house.port), ("192.0.2.1", 80), ("169.254.169.254", 80)):
            try:
                socket.create_connection(address, timeout=5)
                print("reached", address)
            except OSError as error:
                print("refused")
        try:
            socket.getaddrinfo("example.com", 80)
        except OSError:
            print("unknown")
    """
    isolated = {"EnableNetworkIsolation": True}
    completed(lab, lab.processed("isolated", script, NetworkConfig=isolated))
    assert lab.lines("ProcessingJob", "isolated") == ["refused", "refused", "refused", "unknown"]
    lab.train("isolated", script, EnableNetworkIsolation=True)
    assert "EnableNetworkIsolation" in reason(lab.ended("TrainingJob", "isolated"))
    code = lab.put("isolated/code/sourcedir.tar.gz", archive({"train.py": "print('from a channel')"}))
    lab.train(
        "isolated-code",
        "",
        inputs={"code": code},
        EnableNetworkIsolation=True,
        HyperParameters={
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": '"/opt/ml/input/data/code/sourcedir.tar.gz"',
        },
    )
    completed(lab, lab.ended("TrainingJob", "isolated-code"))
    assert lab.said("TrainingJob", "isolated-code", "from a channel")


# What it leaves.


def in_out(lines: str) -> str:
    """Return a script that does this in its output directory."""
    head = "import os, socket\nout = '/opt/ml/processing/out'\nos.makedirs(out, exist_ok=True)\nos.chdir(out)\n"
    return head + "open('good', 'w').write('good')\n" + lines


@pytest.mark.parametrize(
    ("what", "lines", "says"),
    [
        ("file", "os.symlink('/etc/passwd', 'bad')", "'bad' leads out"),
        ("relative", "os.symlink('../../../../../etc/passwd', 'bad')", "'bad' leads out"),
        ("folder", "os.symlink('/etc', 'bad')", "'bad' leads out"),
        ("nowhere", "os.symlink('absent', 'bad')", "'bad' leads nowhere"),
        ("itself", "os.symlink('.', 'bad')", "'bad'"),
        ("pipe", "os.mkfifo('bad')", "'bad' is no regular file"),
        ("socket", "socket.socket(socket.AF_UNIX).bind('bad')", "'bad' is no regular file"),
        ("sparse", "os.truncate(os.open('bad', os.O_CREAT | os.O_WRONLY), 1 << 43)", "'bad' is a sparse file"),
        ("name", "open(b'bad\\xff', 'w').write('x')", "not UTF-8"),
        ("deep", "for n in range(1500): os.mkdir('d' * 100); os.chdir('d' * 100)\nopen('f', 'w').write('x')", "path"),
    ],
)
def test_a_processing_output_that_cannot_be_stored_says_why(lab: Lab, what: str, lines: str, says: str) -> None:
    text = reason(lab.processed(f"out-{what}", in_out(lines)))
    assert text.startswith("ClientError: ")
    assert says in text
    for key in lab.keys(f"out-{what}/"):
        assert lab.get(key) == b"good"


@pytest.mark.parametrize(
    ("what", "lines", "stored"),
    [
        ("link", "os.symlink('/etc/passwd', 'bad')", {"good", "bad"}),
        ("pipe", "os.mkfifo('bad')", {"good"}),
        ("socket", "socket.socket(socket.AF_UNIX).bind('bad')", {"good"}),
        ("loop", "os.symlink('.', 'bad')", {"good", "bad"}),
    ],
)
def test_a_model_directory_with_something_odd_in_it_is_packed_without_following_it(
    lab: Lab, what: str, lines: str, stored: set[str]
) -> None:
    head = "import os, socket; os.chdir('/opt/ml/model'); open('good', 'w').write('good')\n"
    completed(lab, lab.trained(f"model-{what}", head + lines))
    found = members(lab, f"model-{what}/output/model.tar.gz")
    assert set(found) == stored
    assert "bad" not in found or (found["bad"].issym() and found["bad"].size == 0)


@pytest.mark.parametrize(
    ("what", "lines", "says"),
    [
        ("deep", "for n in range(1500): os.mkdir('d' * 9); os.chdir('d' * 9)\nopen('f', 'w').write('x')", "path"),
        ("sparse", "os.truncate(os.open('bad', os.O_CREAT | os.O_WRONLY), 1 << 43)", "'bad' is a sparse file"),
    ],
)
def test_a_model_directory_that_cannot_be_packed_says_why(lab: Lab, what: str, lines: str, says: str) -> None:
    text = reason(lab.trained(f"model-{what}", "import os; os.chdir('/opt/ml/model')\n" + lines))
    assert text.startswith("ClientError: ")
    assert says in text


def test_what_a_script_puts_in_place_of_its_directories_is_not_followed(lab: Lab) -> None:
    script = """
        import os, shutil
        shutil.rmtree("/opt/ml/model")
        os.symlink("/etc", "/opt/ml/model")
    """
    job = lab.trained("replaces", script)
    assert "link" in reason(job)
    assert lab.keys("replaces/") == []


def test_a_model_server_that_digs_leaves_no_hole(lab: Lab) -> None:
    """Its directory could not be removed by recursion, which broke the removal of its endpoint."""
    script = """
        import os
        for top in ("/opt/ml", "/tmp"):
            os.chdir(top)
            for _ in range(1500):
                os.mkdir("deep")
                os.chdir("deep")
            os.mkdir("closed", 0)
        def model_fn(directory):
            return 1
        def predict_fn(data, model):
            return model
    """
    lab.deploy(lab.model("digs", script=script))
    assert lab.ended("Endpoint", "digs")["EndpointStatus"] == "InService"
    lab.sagemaker.delete_endpoint(EndpointName="digs")
    awaited(lambda: not lab.sagemaker.list_endpoints()["Endpoints"], "the endpoint is deleted")
    run = lab.house.home / "run"
    awaited(lambda: [path.name for path in run.iterdir()] == ["models"], "its directory is removed")


def test_very_many_files_are_stored(lab: Lab) -> None:
    lines = "for n in range(5000): open(f'{n:05}', 'w').write(str(n))"
    completed(lab, lab.processed("many", in_out(lines)))
    assert len(lab.keys("many/")) == 5001
    assert lab.get("many/04321") == b"4321"


def test_a_house_full_of_hostile_jobs_is_a_house_that_works(lab: Lab) -> None:
    """Nothing of the jobs above runs or lies about, and the next one is served as the first."""
    awaited(lambda: [line for _, line in processes_of(lab.house.home) if "supervisor" in line] == [], "all have ended")
    awaited(lambda: list((lab.house.home / "jobs").iterdir()) == [], "all directories are removed")
    completed(lab, lab.processed("after", "print('fine')"))
    said = (lab.house.home / "house.log").read_text()
    assert "Traceback" not in said, said[said.index("Traceback") - 500 :][:3000]
