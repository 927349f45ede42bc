"""Training with the SageMaker Python SDK 3.x: ModelTrainer in its modes, and the TrainingJob resource.

An ordinary program of the SDK. What it finds it prints as lines "name: JSON".
"""

import json
import logging
import os
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import boto3
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.resources import Tag, TrainingJob
from sagemaker.core.shapes import (
    AlgorithmSpecification,
    Channel,
    DataSource,
    MetricDefinition,
    OutputDataConfig,
    ResourceConfig,
    S3DataSource,
    StoppingCondition,
    TensorBoardOutputConfig,
)
from sagemaker.core.training.configs import CheckpointConfig, Compute, InputData, Networking, SourceCode
from sagemaker.core.training.configs import Tag as TrainerTag
from sagemaker.core.utils.exceptions import FailedStatusError, TimeoutExceededError
from sagemaker.train import ModelTrainer
from sagemaker.train.distributed import DistributedConfig

logging.basicConfig(level=logging.INFO)
SESSION = Session()
ROLE = get_execution_role(SESSION)
REGION = SESSION.boto_region_name
SKLEARN = image_uris.retrieve("sklearn", REGION, version="1.2-1", instance_type="ml.m5.large")
XGBOOST = image_uris.retrieve("xgboost", REGION, version="1.7-1", instance_type="ml.m5.large")
ONE = Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=10)
HYPERPARAMETERS = {
    "count": 7,
    "rate": 0.25,
    "flag": True,
    "nothing": None,
    "text": "plain words",
    "digits": "007",
    "list": [1, "two", 3.0],
    "dict": {"a": {"b": [1, 2]}},
}

SCRIPT = """
import argparse, json, os, sys
from pathlib import Path

import sklearn
import iniconfig

parser = argparse.ArgumentParser()
for name in ("count", "rate", "flag", "nothing", "text", "digits", "list", "dict"):
    parser.add_argument("--" + name)
told = vars(parser.parse_args())
seen = {
    "arguments": told,
    "hyperparameters": json.loads(os.environ["SM_HPS"]),
    "channels": {
        name: sorted(str(path.relative_to("/opt/ml/input/data")) for path in Path(os.environ[variable]).rglob("*.csv"))
        for name, variable in (("train", "SM_CHANNEL_TRAIN"), ("more", "SM_CHANNEL_MORE"))
    },
    "environment": {name: os.environ[name] for name in ("GREETING", "SM_MODEL_DIR", "SM_CURRENT_HOST", "SM_HOSTS")},
    "directory": os.getcwd(),
    "installed": iniconfig.__name__,
    "module": __import__("helpers").NAME,
}
Path(os.environ["SM_MODEL_DIR"], "seen.json").write_text(json.dumps(seen))
Path(os.environ["SM_OUTPUT_DATA_DIR"], "note.txt").write_text("extra output")
print("validation-accuracy=0.75;")
print("[brackets] and /a/path[0]")
"""


def tell(name: str, value: object) -> None:
    print(f"\n{name}: {json.dumps(value, default=str)}")


def refused(name: str, attempt: Callable[[], object]) -> None:
    try:
        attempt()
    except Exception as error:  # noqa: BLE001 - whatever comes is shown
        tell(name, [type(error).__name__, str(error)])
    else:
        tell(name, "went through")


def write(directory: Path, files: dict[str, str]) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    return str(directory)


def script_mode(work: Path) -> None:
    """A script with local and S3 input, requirements, hyperparameters of every JSON type, a destination of its own."""
    source = write(
        work / "script",
        {"train.py": SCRIPT, "helpers.py": 'NAME = "helper"\n', "requirements.txt": "iniconfig==2.0.0\n"},
    )
    local = write(work / "data", {"local.csv": "1,2\n"})
    remote = SESSION.upload_data(write(work / "far", {"remote.csv": "3,4\n"}), key_prefix="sdk3/far")
    output = f"s3://{SESSION.default_bucket()}/sdk3/output"
    trainer = ModelTrainer(
        training_image=SKLEARN,
        source_code=SourceCode(source_dir=source, entry_script="train.py", requirements="requirements.txt"),
        compute=ONE,
        hyperparameters=HYPERPARAMETERS,
        base_job_name="sdk3-script",
        environment={"GREETING": "hello world"},
        tags=[TrainerTag(key="team", value="red")],
        stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
        output_data_config=OutputDataConfig(s3_output_path=output),
        role=ROLE,
        sagemaker_session=SESSION,
    ).with_metric_definitions([MetricDefinition(name="accuracy", regex="validation-accuracy=([0-9.]+);")])
    trainer.train(
        input_data_config=[
            InputData(channel_name="train", data_source=local),
            InputData(channel_name="more", data_source=remote, content_type="text/csv"),
        ]
    )
    job = trainer._latest_training_job
    tell("script status", [job.training_job_status, job.secondary_status])
    tell(
        "script artifacts",
        job.model_artifacts.s3_model_artifacts == f"{output}/{job.training_job_name}/output/model.tar.gz",
    )
    tell("script output data", trainer.output_data == f"{output}/{job.training_job_name}/output/output.tar.gz")
    tell("script metrics", [[metric.metric_name, metric.value] for metric in job.final_metric_data_list])
    tell(
        "script pip",
        [line.split(" in ")[0] for line in lines_of(job) if line.startswith(("Requirement", "Collecting"))],
    )
    tell("script limit", job.stopping_condition.max_runtime_in_seconds)
    tell("script tags", [[tag.key, tag.value] for tag in Tag.get_all(resource_arn=job.training_job_arn)])
    downloaded = work / "model"
    bucket, _, key = job.model_artifacts.s3_model_artifacts.removeprefix("s3://").partition("/")
    SESSION.download_data(str(downloaded), bucket, key)
    tell("script seen", json.loads(_member(downloaded / "model.tar.gz", "seen.json")))
    SESSION.download_data(str(downloaded), bucket, key.replace("model.tar.gz", "output.tar.gz"))
    tell("script note", _member(downloaded / "output.tar.gz", "note.txt"))


def _member(archive: Path, name: str) -> str:
    with tarfile.open(archive) as opened:
        return opened.extractfile(name).read().decode()


def command_mode(work: Path) -> None:
    """A command line instead of a script, with arguments that need quoting, from a directory in S3."""
    code = "import json, os, sys\nprint('told ' + json.dumps(sys.argv[1:]))\nprint('hps ' + os.environ['SM_HPS'])\n"
    write(work / "command", {"say.py": code})
    uri = SESSION.upload_data(str(work / "command"), key_prefix="sdk3/command")
    trainer = ModelTrainer(
        training_image=SKLEARN,
        source_code=SourceCode(source_dir=uri + "/", command="python say.py", args=["--a", "two words", 3, "$HOME"]),
        compute=ONE,
        hyperparameters={"alpha": 0.5},
        base_job_name="sdk3-command",
        role=ROLE,
        sagemaker_session=SESSION,
    )
    trainer.train(wait=False)
    job = trainer._latest_training_job
    job.wait(poll=1)
    tell("command status", job.training_job_status)
    tell("command lines", [line for line in lines_of(job) if line.startswith(("told", "hps"))])


def lines_of(job: TrainingJob) -> list[str]:
    logs = boto3.client("logs", region_name=REGION)
    found = logs.filter_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{job.training_job_name}/"
    )
    return [event["message"] for event in found["events"]]


def failing(work: Path) -> None:
    source = write(
        work / "bad", {"bad.py": "print('so far so good')\nraise ValueError('the data has no column price')\n"}
    )
    trainer = ModelTrainer(
        training_image=SKLEARN,
        source_code=SourceCode(source_dir=source, entry_script="bad.py"),
        compute=ONE,
        base_job_name="sdk3-bad",
        role=ROLE,
        sagemaker_session=SESSION,
    )
    try:
        trainer.train()
    except FailedStatusError as error:
        tell("failing", [type(error).__name__, str(error)])
    tell("failing status", trainer._latest_training_job.training_job_status)


def lines_told(name: str, trainer: ModelTrainer, **more: object) -> None:
    """Train, and tell the status and the lines of the log that start with "told"."""
    trainer.train(logs=False, **more)
    job = trainer._latest_training_job
    tell(name, [job.training_job_status, sorted(line for line in lines_of(job) if line.startswith("told"))])


class OwnDriver(DistributedConfig):
    """A driver of one's own: starts the script several times."""

    processes: int

    @property
    def driver_dir(self) -> str:
        code = "import json, subprocess, sys\nat = '/opt/ml/input/data/sm_drivers/'\n"
        code += "script = json.load(open(at + 'sourcecode.json'))['entry_script']\n"
        code += "for _ in range(json.load(open(at + 'distributed.json'))['processes']):\n"
        code += "    subprocess.run([sys.executable, script], check=True)\n"
        return write(Path(mkdtemp()), {"driver.py": code})

    @property
    def driver_script(self) -> str:
        return "driver.py"


def modes(work: Path) -> None:
    """An archive, a shell script, several hosts, checkpoints, XGBoost in script mode, no network, a dry run."""

    def trainer(script: str, code: str, *, image: str = SKLEARN, hosts: int = 1, **more: object) -> ModelTrainer:
        directory = write(work / f"mode-{time.monotonic()}", {script: code})
        given = {
            "source_code": SourceCode(source_dir=directory, entry_script=script),
            "compute": Compute(instance_type="ml.m5.large", instance_count=hosts),
            **more,
        }
        return ModelTrainer(
            training_image=image, base_job_name="sdk3-mode", role=ROLE, sagemaker_session=SESSION, **given
        )

    with tarfile.open(work / "source.tar.gz", "w:gz") as archive:
        archive.add(write(work / "packed", {"packed.py": "print('told packed')"}) + "/packed.py", "packed.py")
    packed = SourceCode(source_dir=str(work / "source.tar.gz"), entry_script="packed.py")
    lines_told("mode archive", trainer("x.py", "", source_code=packed))
    lines_told("mode shell", trainer("run.sh", "echo told $0 $@", hyperparameters={"rate": 2}))
    hosts = "import os, socket\nprint('told', os.environ['SM_CURRENT_HOST'], os.environ['SM_HOSTS'])\n"
    lines_told("mode hosts", trainer("hosts.py", hosts + "socket.gethostbyname('algo-2')\n", hosts=2))
    keeping = (
        "import os\nat = '/opt/ml/checkpoints'\nprint('told', sorted(os.listdir(at)))\nopen(at + '/one', 'w').close()\n"
    )
    spot = Compute(instance_type="ml.m5.large", instance_count=1, enable_managed_spot_training=True)
    for name in ("mode first", "mode second"):
        kept = trainer(
            "keep.py",
            keeping,
            compute=spot,
            checkpoint_config=CheckpointConfig(s3_uri=f"s3://{SESSION.default_bucket()}/sdk3/checkpoints"),
            stopping_condition=StoppingCondition(max_runtime_in_seconds=60, max_wait_time_in_seconds=120),
        )
        lines_told(name, kept)
    lines_told("mode xgboost", trainer("x.py", "import xgboost\nprint('told', xgboost.__version__)\n", image=XGBOOST))
    reach = "import os, socket\nplace = os.environ['HOUSE'].split(':')\ntry:\n    socket.create_connection(place, 2)\n"
    reach += "    print('told reached')\nexcept OSError as error:\n    print('told', error.strerror)\n"
    house = {"HOUSE": os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")}
    lines_told("mode network", trainer("reach.py", reach, environment=house))
    alone = Networking(enable_network_isolation=True)
    lines_told("mode no network", trainer("reach.py", reach, environment=house, networking=alone))
    values = write(work / "values", {"values.yaml": "rate: 0.5\ndeep: {list: [1, two]}\n"}) + "/values.yaml"
    told = "import os, sys\nprint('told', os.environ['SM_HPS'], os.path.exists('kept.md'), sys.argv[0])\n"
    apart = write(work / "apart", {"main.py": told, "kept.md": "# not needed"})
    ignoring = SourceCode(source_dir=apart, entry_script="main.py", ignore_patterns=["*.md"])
    lines_told("mode file", trainer("x.py", "", hyperparameters=values, source_code=ignoring))
    lines_told("mode driver", trainer("x.py", "print('told script')\n", distributed=OwnDriver(processes=2)))
    dry = trainer("x.py", "")
    dry.train(dry_run=True)
    tell("mode dry", dry._latest_training_job is None)
    board = TensorBoardOutputConfig(s3_output_path=f"s3://{SESSION.default_bucket()}/sdk3/board")
    refused("mode board", lambda: trainer("x.py", "").with_tensorboard_output_config(board).train())


def built_in(work: Path) -> TrainingJob:
    """The built-in XGBoost image in algorithm mode."""
    rows = "".join(f"{2 * x + 1},{x},{x % 3}\n" for x in range(60))
    data = write(work / "numbers", {"train.csv": rows})
    trainer = ModelTrainer(
        training_image=XGBOOST,
        compute=ONE,
        hyperparameters={"num_round": 5, "objective": "reg:squarederror", "max_depth": 3, "eta": 0.3},
        base_job_name="sdk3-xgboost",
        role=ROLE,
        sagemaker_session=SESSION,
    )
    channels = [
        InputData(channel_name=name, data_source=data, content_type="text/csv") for name in ("train", "validation")
    ]
    trainer.train(input_data_config=channels)
    job = trainer._latest_training_job
    tell("xgboost status", job.training_job_status)
    tell("xgboost metrics", sorted(metric.metric_name for metric in job.final_metric_data_list))
    return job


def create(name: str, command: str, **more: object) -> TrainingJob:
    return TrainingJob.create(
        training_job_name=name,
        role_arn=ROLE,
        algorithm_specification=AlgorithmSpecification(
            training_image=SKLEARN,
            training_input_mode="File",
            container_entrypoint=["/bin/bash", "-c", command],
        ),
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{SESSION.default_bucket()}/sdk3/raw"),
        resource_config=ResourceConfig(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=5),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=300),
        **more,
    )


def resource() -> None:
    """TrainingJob.create, get, refresh, wait, wait_for..., stop, update, delete and get_all with its filters."""
    name = f"sdk3-resource-{int(time.time())}"
    channel = Channel(
        channel_name="train",
        data_source=DataSource(
            s3_data_source=S3DataSource(s3_data_type="S3Prefix", s3_uri=f"s3://{SESSION.default_bucket()}/sdk3/far")
        ),
    )
    job = create(f"{name}-a", "ls /opt/ml/input/data/train; echo done", input_data_config=[channel])
    tell("resource created", [job.training_job_name == f"{name}-a", job.training_job_status])
    job.wait(poll=1, timeout=60, logs=True)
    tell("resource ended", job.training_job_status)
    tell("resource transitions", [transition.status for transition in job.secondary_status_transitions])

    slow = create(f"{name}-b", "trap 'exit 0' TERM; echo waiting; sleep 200 & wait")
    try:
        slow.wait(poll=1, timeout=1)
    except TimeoutExceededError as error:
        tell("resource timeout", type(error).__name__)
    slow.stop()
    slow.wait(poll=1)
    tell("resource stopped", [slow.training_job_status, slow.secondary_status])

    again = TrainingJob.get(training_job_name=f"{name}-a")
    tell("resource same", again.training_job_arn == job.training_job_arn)
    completed = TrainingJob.get_all(
        name_contains=name, status_equals="Completed", sort_by="Name", sort_order="Ascending"
    )
    tell("resource completed", [found.training_job_name.removeprefix(name) for found in completed])
    everything = TrainingJob.get_all(name_contains="sdk3", sort_by="CreationTime", sort_order="Descending")
    names = [found.training_job_name for found in everything]
    tell("resource newest", [names[0].removeprefix(name), len(names) >= 6])
    refused("resource missing", lambda: TrainingJob.get(training_job_name="no-such-job"))
    refused("resource taken", lambda: create(f"{name}-a", "true"))
    slow.delete()
    slow.wait_for_delete(poll=1, timeout=30)
    left = TrainingJob.get_all(name_contains=name, status_equals="Stopped")
    tell("resource deleted", [found.training_job_name for found in left])


def main() -> None:
    chosen = sys.argv[1:] or ["script_mode", "command_mode", "failing", "modes", "built_in", "resource"]
    with TemporaryDirectory() as directory:
        for name in chosen:
            part = globals()[name]
            started = time.monotonic()
            part() if name == "resource" else part(Path(directory))
            print(f"-- {name} {time.monotonic() - started:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
