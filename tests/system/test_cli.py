"""The command line as a user types it: what it prints, what it refuses and how, and its page in the guide."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import click
import pytest
from botocore.config import Config
from tests.system.conftest import ROOT, RunningHouse, a_house, plain_environment
from tests.system.pointed import pointed_environment

from sagehouse.app.cli import main

pytestmark = pytest.mark.system

GUIDE = ROOT / "docs" / "guide" / "cli.md"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def client(house: RunningHouse, service: str) -> Any:
    return boto3.session.Session().client(
        service,
        endpoint_url=house.url,
        region_name="us-east-1",
        aws_access_key_id="123456789012",
        aws_secret_access_key="sagehouse",
        config=Config(retries={"max_attempts": 0}),
    )


def start_job(house: RunningHouse, name: str, *command: str, source: str = "", to: str = "") -> None:
    """Start a processing job; `source`, an S3 prefix, is its input at the path `to`."""
    files = {"S3Uri": source, "LocalPath": to, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    client(house, "sagemaker").create_processing_job(
        ProcessingJobName=name,
        ProcessingInputs=[{"InputName": "in", "S3Input": files}] if source else [],
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
        AppSpecification={"ImageUri": IMAGE, "ContainerEntrypoint": list(command)},
        RoleArn=ROLE,
    )


def admin(house: RunningHouse, path: str, *, method: str = "GET") -> tuple[int, dict[str, Any]]:
    try:
        request = urllib.request.Request(f"{house.url}/_sagehouse/{path}", method=method)
        with _opener.open(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture
def down_house(tmp_path: Path) -> Iterator[RunningHouse]:
    """A data directory without a house; a house that the test starts is taken down."""
    house = a_house(tmp_path / "house")
    yield house
    house.down()


def refused(house: RunningHouse, *arguments: str, status: int = 1, **options: Any) -> str:
    """Return the one line on standard error with which a command refuses."""
    ended = house.cli(*arguments, check=False, timeout=60, **options)
    assert ended.returncode == status, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr.strip()


# Up and down.


def test_a_house_comes_up_says_where_it_is_and_goes_down(down_house):
    started = down_house.cli("up", "--detach", "--port", "0").stdout
    found = re.fullmatch(r"(http://127\.0\.0\.1:\d+) \(pid (\d+), log (.+)\)\n", started)
    assert found
    assert (found[1], int(found[2])) == (down_house.url, int(down_house.card["pid"]))
    status = down_house.cli("status").stdout
    assert status.startswith(f"up    {down_house.url}  pid {found[2]}  since 2")
    assert f"data  {down_house.home}" in status
    again = down_house.cli("up", "--detach", "--port", "0")
    assert again.stdout == f"A house is up already: {down_house.url} (pid {found[2]})\n"
    assert down_house.cli("down").stdout == "down\n"
    told = down_house.cli("status", check=False)
    assert (told.returncode, told.stdout) == (3, f"down (data directory {down_house.home})\n")


@pytest.mark.parametrize("start", ["", "trap '' INT; "], ids=["at a terminal", "in the background"])
def test_a_house_in_the_foreground_ends_with_an_interrupt(down_house, start):
    """A shell lets what it starts with & ignore interrupts; the one that came right after "is up" was lost."""
    command = ["sh", "-c", f'{start}exec "$0" -m sagehouse.app.cli up --port 0', sys.executable]
    with subprocess.Popen(
        command, env=dict(down_house.environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        try:
            assert running.stdout is not None
            said = running.stdout.readline()
            running.send_signal(signal.SIGINT)
            assert running.wait(timeout=20) == 0
        finally:
            running.kill()
    assert said.startswith("The house is up at http://127.0.0.1:")
    assert down_house.cli("status", check=False).returncode == 3


def test_a_house_that_was_killed_starts_again_on_the_same_port(down_house):
    down_house.up()
    url = down_house.url
    client(down_house, "s3").create_bucket(Bucket="kept")
    os.kill(int(down_house.card["pid"]), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while down_house.cli("status", check=False).returncode != 3:
        assert time.monotonic() < deadline
    down_house.up()
    assert down_house.url == url
    client(down_house, "s3").head_bucket(Bucket="kept")


def test_two_houses_started_at_once_are_one_and_both_commands_say_which(down_house):
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda _: down_house.cli("up", "--detach", "--port", "0").stdout, range(2)))
    assert all(down_house.url in line for line in told)


def test_a_taken_port_is_told_and_nothing_is_left_behind(down_house):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        text = f"Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another with --port."
        assert refused(down_house, "up", "--port", port) == f"sagehouse up: {text}"
        assert refused(down_house, "up", "--detach", "--port", port).endswith(text)
    assert down_house.cli("status", check=False).returncode == 3


def test_what_cannot_be_is_refused_in_a_line(down_house, tmp_path):
    (tmp_path / "file").touch()
    for arguments, status, text in (
        (["up", "--host", "0.0.0.0"], 1, "only loopback addresses are safe"),
        (["up", "--port", "65536"], 2, "is not in the range"),
        (["up", "--region", "mars"], 2, "'mars' is no AWS region"),
        (["up", "--home", str(tmp_path / "file")], 2, "is a file"),
        (["up", "--home", "/proc/none"], 1, "Cannot use /proc/none as data directory"),
        (["up", "--detach", "--home", "/proc/none"], 1, "Cannot use /proc/none as data directory"),
        (["up", "--detach", "--home", "/proc/self"], 1, "Cannot use /proc/self as data directory"),
        (["doctor", "--home", "/proc/none"], 1, "Choose another with --home or SAGEHOUSE_HOME."),
        (["quickstart", "--home", "/proc/none"], 1, "Choose another with --home or SAGEHOUSE_HOME."),
        (["quickstart", "--port", "65536"], 2, "is not in the range"),
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["ops", "Nothing"], 1, "No operation with 'Nothing' in its name is bound."),
    ):
        assert text in refused(down_house, *arguments, status=status)


@pytest.mark.parametrize(
    "command", [["down"], ["env"], ["run", "--", "true"], ["ls"], ["describe", "x"], ["logs", "x"], ["logs", "-f", "x"]]
)
def test_without_a_house_every_command_says_how_to_start_one(down_house, command):
    text = f"Error: No house is up with data directory {down_house.home}. Start one: sagehouse up --detach"
    assert refused(down_house, *command) == text


def test_going_down_says_what_goes_on(own_house):
    start_job(own_house, "waits", "python3", "-c", "import time; time.sleep(600)")
    deadline = time.monotonic() + 60
    while "InProgress" not in own_house.cli("ls", "processing-jobs").stdout:
        assert time.monotonic() < deadline
    left = "1 processing job left running until the next sagehouse up, or sagehouse reset"
    assert own_house.cli("down").stdout == f"down; {left}\n"


def test_the_data_directory_is_an_option_or_a_variable(down_house, tmp_path):
    other = tmp_path / "other"
    down_house.cli("up", "--detach", "--port", "0", "--home", str(other))
    try:
        assert down_house.cli("status", check=False).returncode == 3
        assert str(other) in down_house.cli("status", "--home", str(other)).stdout
    finally:
        down_house.cli("down", "--home", str(other))


def test_nobody_else_can_read_the_data_directory(down_house):
    down_house.cli("doctor", check=False)
    assert down_house.home.stat().st_mode & 0o777 == 0o700


def test_a_house_keeps_every_name_whatever_the_locale_and_says_it_as_well_as_the_terminal_can(tmp_path):
    """A key with a snowman could not become a file's name, and a log line with one ended `logs`."""
    ascii_only = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    house = RunningHouse(tmp_path / "ünder ☃", {**plain_environment(tmp_path / "ünder ☃"), **ascii_only})
    house.up()
    try:
        s3 = client(house, "s3")
        s3.create_bucket(Bucket="lab")
        s3.put_object(Bucket="lab", Key="in/☃.csv", Body=b"1")
        script = "import os, sys; sys.stdout.buffer.write(' '.join(os.listdir('/opt/ml/processing/in')).encode())"
        start_job(house, "listing", "python3", "-c", script, source="s3://lab/in", to="/opt/ml/processing/in")
        assert house.cli("logs", "-f", "listing", timeout=60).stdout.split(" ", 1)[1] == "☃.csv\n"
        old = RunningHouse(house.home, {**house.environment, "PYTHONIOENCODING": "iso-8859-1"})
        assert old.cli("logs", "listing").stdout.split(" ", 1)[1] == "?.csv\n"
        assert "Completed" in house.cli("ls", "processing-jobs").stdout
    finally:
        house.reset()
        house.down()


# Looking.


def test_what_the_house_holds_is_listed_described_and_read(house):
    assert house.cli("ls").stdout == "nothing yet\n"
    name = f"a-name-that-is-longer-than-most-terminals-{'x' * 20}"
    start_job(house, name, "python3", "-c", "import time; print('first'); time.sleep(1); print('last')")
    followed = house.cli("logs", "-f", name, timeout=60).stdout
    assert [line.split(" ", 1)[1] for line in followed.splitlines()] == ["first", "last"]
    assert house.cli("logs", name).stdout == followed
    listed = house.cli("ls", "processing-jobs").stdout.splitlines()
    assert listed[0].split() == ["kind", "name", "status", "created"]
    assert listed[1].split()[:3] == ["processing-jobs", name, "Completed"]
    assert house.cli("ls", "ProcessingJob").stdout.splitlines() == listed
    document = json.loads(house.cli("describe", name).stdout)
    assert (document["Kind"], document["ProcessingJobStatus"]) == ("ProcessingJob", "Completed")
    assert json.loads(house.cli("describe", document["ProcessingJobArn"]).stdout) == document
    assert "ProcessingJob: 1 Completed" in house.cli("status").stdout
    assert refused(house, "describe", "absent").startswith("Error: Nothing is named 'absent'")
    assert refused(house, "logs", "absent").startswith("Error: No job or endpoint is named 'absent'")
    assert refused(house, "ls", "gnomes").startswith("Error: No kind 'gnomes'. Kinds: processing-jobs, training-jobs,")
    assert house.cli("ls", "--region", "eu-west-1").stdout == "nothing yet\n"


def test_children_of_groups_and_pipelines_are_listed_and_described(house):
    sagemaker = client(house, "sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    client(house, "s3").create_bucket(Bucket="somewhere")
    client(house, "s3").put_object(Bucket="somewhere", Key="model.tar.gz", Body=b"")
    container = {"Image": IMAGE, "ModelDataUrl": "s3://somewhere/model.tar.gz"}
    specification = {
        "Containers": [container],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    package = sagemaker.create_model_package(ModelPackageGroupName="group", InferenceSpecification=specification)
    fail = {"Version": "2020-12-01", "Steps": [{"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]}
    sagemaker.create_pipeline(
        PipelineName="pipeline", PipelineDefinition=json.dumps(fail), RoleArn=ROLE, ClientRequestToken="t" * 32
    )
    execution = sagemaker.start_pipeline_execution(PipelineName="pipeline")["PipelineExecutionArn"]
    listed = house.cli("ls").stdout
    for arn, kind in ((package["ModelPackageArn"], "ModelPackage"), (execution, "PipelineExecution")):
        assert arn in listed
        assert json.loads(house.cli("describe", arn).stdout)["Kind"] == kind


def test_every_bound_operation_is_listed_with_the_function_that_does_it(shared_house):
    lines = shared_house.cli("ops").stdout.splitlines()
    from sagehouse.app.bound import SERVICES

    assert len(lines) == sum(len(operations) for operations in SERVICES.values())
    assert any(line.split()[:2] == ["s3", "GetObject"] for line in lines)
    chosen = shared_house.cli("ops", "trainingjob").stdout
    assert "sagehouse.services.sagemaker.jobs.training_job.create_training_job" in chosen
    assert "GetObject" not in chosen


def test_the_doctor_finds_this_machine_fit_and_says_what_it_looked_at(shared_house):
    told = shared_house.cli("doctor").stdout
    assert "ok   Python 3." in told
    assert f"A house is up at {shared_house.url}" in told
    assert "Jobs are isolated by namespaces" in told


def test_a_quickstart_that_cannot_succeed_says_so_before_it_installs_anything(down_house):
    """It installed the SDK for a minute, started a house, and a step of the pipeline said what was missing."""
    refuse = "echo 0 > /proc/sys/user/max_user_namespaces; echo 0 > /proc/sys/user/max_mnt_namespaces"
    inside = ["unshare", "--user", "--map-root-user", "sh", "-c"]
    if subprocess.run([*inside, refuse], capture_output=True, check=False).returncode:
        pytest.skip("no user namespace, in which others could be refused, here")
    command = [*inside, f'{refuse}; exec "$0" -m sagehouse.app.cli quickstart --port 0', sys.executable]
    environment = dict(down_house.environment)
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("Error: Jobs cannot be isolated: ")
    assert "sudo sysctl -w user.max_user_namespaces=15000" in told.stderr
    assert not (down_house.home / "sdk").exists()


def test_a_quickstart_whose_interpreter_has_left_the_machine_installs_again(down_house):
    """After an upgrade of the distribution the program's interpreter was a link to nowhere."""
    from sagehouse.app.commands.quickstart import SDK

    sdk = down_house.home / "sdk"
    (sdk / "bin").mkdir(parents=True)
    (sdk / "bin" / "python").symlink_to("/usr/bin/python2.6")
    (sdk / ".ready").write_text("\n".join(SDK))
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    house = RunningHouse(down_house.home, {**down_house.environment, **offline})
    assert refused(house, "quickstart").endswith("Error: The SageMaker SDK could not be installed; see above.")
    assert os.access(sdk / "bin" / "python", os.X_OK)


# Running programs.


def test_a_program_keeps_its_arguments_its_streams_and_its_exit_status(shared_house):
    ended = shared_house.cli("run", "--", "sh", "-c", 'echo "$0 $*"; echo oops >&2; exit 7', "-a", "b c", check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "-a b c\n", "oops\n")
    assert refused(shared_house, "run", "no-such-program", status=127) == (
        "sagehouse run: no-such-program: No such file or directory"
    )
    assert refused(shared_house, "run", "/etc/passwd", status=126) == "sagehouse run: /etc/passwd: Permission denied"
    region = shared_house.cli("run", "--region", "eu-west-1", "printenv", "AWS_DEFAULT_REGION").stdout
    assert region == "eu-west-1\n"


def test_a_programs_own_sitecustomize_is_run_after_ours(shared_house, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.mine = 'loaded'\n")
    house = RunningHouse(shared_house.home, {**shared_house.environment, "PYTHONPATH": str(tmp_path)})
    told = house.run(sys.executable, "-c", "import time; print(mine, time.sleep.__module__)")
    assert told.stdout == "loaded _sagehouse_polling\n"


# The house's own routes.


def test_health_says_what_is_up_and_what_it_holds(house):
    client(house, "sagemaker").create_model_package_group(ModelPackageGroupName="group")
    status, told = admin(house, "health")
    assert status == 200
    assert told.pop("started_at").startswith("20")
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", told.pop("version"))
    assert told == {"status": "up", "resources": {"ModelPackageGroup": {"": 1}}}


def test_what_the_house_does_not_know_is_a_4xx_at_once(house):
    assert admin(house, "nonsense")[0] == 404
    assert admin(house, "reset")[0] == 405
    for query in ("timeout=x", "since=x", "timeout=nan", "timeout=-1"):
        assert admin(house, f"changes?{query}")[0] == 400


def test_a_web_page_does_not_empty_a_house(house):
    client(house, "sagemaker").create_model_package_group(ModelPackageGroupName="group")
    for header in (
        ("Sec-Fetch-Site", "cross-site"),
        ("Origin", "https://example.com"),
        ("Host", "rebound.example.com"),
    ):
        request = urllib.request.Request(f"{house.url}/_sagehouse/reset", method="POST", headers=dict([header]))
        with pytest.raises(urllib.error.HTTPError) as caught:
            _opener.open(request)
        with caught.value as error:
            assert error.code == 403
    assert admin(house, "health")[1]["resources"] == {"ModelPackageGroup": {"": 1}}


def test_a_full_house_is_emptied_time_and_again(house):
    s3, sagemaker = client(house, "s3"), client(house, "sagemaker")

    def fill(number: int) -> None:
        s3.put_object(Bucket="many", Key=f"k/{number}", Body=b"x")
        if number < 50:
            sagemaker.create_model_package_group(ModelPackageGroupName=f"group-{number}")

    for _ in range(2):
        s3.create_bucket(Bucket="many")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(fill, range(300)))
        assert admin(house, "reset", method="POST") == (200, {"status": "empty"})
        assert admin(house, "health")[1]["resources"] == {}
        assert s3.list_buckets()["Buckets"] == []


def test_emptying_stops_what_runs(house):
    marker = "31415926"
    start_job(house, "endless", "sleep", marker)
    deadline = time.monotonic() + 20
    while not _processes_with(marker):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert house.cli("reset", "--yes").stdout == "empty\n"
    assert _processes_with(marker) == []
    assert house.cli("ls").stdout == "nothing yet\n"


def _processes_with(word: str) -> list[str]:
    """Return the process ids whose command line is `sleep word`."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if command[:2] == [b"sleep", word.encode()]:
            found.append(directory.name)
    return found


def test_a_house_is_emptied_only_if_it_was_started_so_or_is_down(down_house):
    down_house.cli("up", "--detach", "--port", "0")
    client(down_house, "s3").create_bucket(Bucket="kept")
    assert admin(down_house, "reset", method="POST")[0] == 403
    text = refused(down_house, "reset", "--yes")
    assert "started without --allow-reset" in text
    assert "sagehouse down" in text
    assert "Aborted" in refused(down_house, "reset")
    client(down_house, "s3").head_bucket(Bucket="kept")
    down_house.down()
    assert down_house.cli("reset", "--yes").stdout == "empty\n"
    down_house.up()
    assert client(down_house, "s3").list_buckets()["Buckets"] == []


# The page of the guide.


def test_every_command_and_option_is_explained_in_the_guide():
    found = re.findall(r"^## `sagehouse (\w+)[^`]*`$(.*?)(?=^##? |\Z)", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    sections = dict(found)
    assert sorted(sections) == sorted(main.commands)
    for name, command in main.commands.items():
        for parameter in command.params:
            is_option = isinstance(parameter, click.Option)
            for word in parameter.opts if is_option else [parameter.human_readable_name.upper()]:
                assert f"`{word}" in sections[name], f"docs/guide/cli.md, sagehouse {name}: {word} is missing"


def test_the_variables_in_the_guide_are_those_a_shell_gets(shared_house):
    pointed = pointed_environment(shared_house)
    told = (ROOT / "docs" / "guide" / "pointing.md").read_text()
    for name in re.findall(r"`((?:AWS|SAGEMAKER|HTTPS|NO|REQUESTS|SSL|CURL|NODE)_[A-Z_]+)`", told):
        assert name in pointed, name
