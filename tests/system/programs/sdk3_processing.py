"""Processing with the SageMaker Python SDK 3.x: ScriptProcessor, FrameworkProcessor, and the ProcessingJob resource.

An ordinary program of the SDK. What it finds it prints as lines "name: JSON".
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.processing import FrameworkProcessor, ScriptProcessor, logs_for_processing_job
from sagemaker.core.resources import ProcessingJob, Tag
from sagemaker.core.shapes import (
    AppSpecification,
    ProcessingClusterConfig,
    ProcessingInput,
    ProcessingOutput,
    ProcessingOutputConfig,
    ProcessingResources,
    ProcessingS3Input,
    ProcessingS3Output,
    ProcessingStoppingCondition,
)

SESSION = Session()
ROLE = get_execution_role(SESSION)
BUCKET = SESSION.default_bucket()
SKLEARN = image_uris.retrieve("sklearn", SESSION.boto_region_name, version="1.2-1", instance_type="ml.m5.large")
BASE = "/opt/ml/processing"

SCRIPT = """
import json, os, sys
from pathlib import Path

base = Path("/opt/ml/processing")
for name in ("lower", "upper"):
    (base / name).mkdir(parents=True, exist_ok=True)
words = " ".join(path.read_text() for name in ("one", "two") for path in sorted((base / "input" / name).rglob("*.txt")))
(base / "lower" / "deep").mkdir()
(base / "lower" / "deep" / "words.txt").write_text(words.lower())
(base / "upper" / "words.txt").write_text(words.upper())
config = json.loads(Path("/opt/ml/config/processingjobconfig.json").read_text())
print("arguments " + json.dumps(sys.argv[1:]) + " " + os.environ["GREETING"])
print("job " + config["ProcessingJobName"])
Path("/opt/ml/output/message").write_text("all words written")
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
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return str(directory)


def an_input(name: str, uri: str) -> ProcessingInput:
    s3 = ProcessingS3Input(s3_uri=uri, local_path=f"{BASE}/input/{name}", s3_data_type="S3Prefix", s3_input_mode="File")
    return ProcessingInput(input_name=name, s3_input=s3)


def an_output(name: str, uri: str = "upper") -> ProcessingOutput:
    s3 = ProcessingS3Output(s3_uri=uri, local_path=f"{BASE}/{name}", s3_upload_mode="EndOfJob")
    return ProcessingOutput(output_name=name, s3_output=s3)


def script(work: Path) -> None:
    """A local file as the code, a local and an S3 input, arguments, several outputs, one with a default place."""
    code = write(work / "script", {"words.py": SCRIPT}) + "/words.py"
    one = write(work / "one", {"a.txt": "Hello"})
    two = SESSION.upload_data(write(work / "two", {"b.txt": "World"}), key_prefix="sdk3/two")
    processor = ScriptProcessor(
        image_uri=SKLEARN,
        command=["python3"],
        role=ROLE,
        instance_type="ml.m5.large",
        instance_count=1,
        base_job_name="sdk3-words",
        env={"GREETING": "hello"},
        max_runtime_in_seconds=600,
        tags=[{"Key": "team", "Value": "red"}],
        sagemaker_session=SESSION,
    )
    processor.run(
        code=code,
        inputs=[an_input("one", one), an_input("two", two)],
        outputs=[an_output("lower", f"s3://{BUCKET}/sdk3/lower"), an_output("upper")],
        arguments=["--rate", "0.5", "two words"],
        wait=True,
        logs=True,
    )
    job = processor.latest_job
    job.refresh()
    tell("script status", [job.processing_job_status, job.exit_message])
    tell("script lower", SESSION.read_s3_file(BUCKET, "sdk3/lower/deep/words.txt"))
    upper = next(o for o in job.processing_output_config.outputs if o.output_name == "upper").s3_output.s3_uri
    bucket, _, prefix = upper.removeprefix("s3://").partition("/")
    tell("script upper", SESSION.read_s3_file(bucket, f"{prefix}/words.txt"))
    tell("script default output", upper == f"s3://{BUCKET}/{job.processing_job_name}/output/upper")
    tell("script tags", [[tag.key, tag.value] for tag in Tag.get_all(resource_arn=job.processing_job_arn)])
    logs_for_processing_job(SESSION, job.processing_job_name)


def framework(work: Path) -> None:
    """A source directory with modules and requirements."""
    source = write(
        work / "source",
        {
            "main.py": "import sys, iniconfig\nfrom parts.helper import NAME\nfrom pathlib import Path\n"
            f"out = Path('{BASE}/out')\nout.mkdir(parents=True, exist_ok=True)\n"
            "(out / 'found.txt').write_text(' '.join([NAME, iniconfig.__name__, *sys.argv[1:]]))\n",
            "parts/__init__.py": "",
            "parts/helper.py": "NAME = 'helper'\n",
            "requirements.txt": "iniconfig==2.0.0\n",
        },
    )
    processor = FrameworkProcessor(
        image_uri=SKLEARN,
        role=ROLE,
        instance_type="ml.m5.large",
        instance_count=1,
        base_job_name="sdk3-framework",
        sagemaker_session=SESSION,
    )
    processor.run(
        code="main.py",
        source_dir=source,
        arguments=["--x", "1"],
        outputs=[an_output("out", f"s3://{BUCKET}/sdk3/framework")],
        logs=False,
    )
    processor.latest_job.refresh()
    tell("framework status", processor.latest_job.processing_job_status)
    tell("framework found", SESSION.read_s3_file(BUCKET, "sdk3/framework/found.txt"))
    found = SESSION.boto_session.client("logs").filter_log_events(
        logGroupName="/aws/sagemaker/ProcessingJobs",
        logStreamNamePrefix=f"{processor.latest_job.processing_job_name}/",
    )
    lines = [event["message"] for event in found["events"]]
    tell("framework pip", [line.split(" in ")[0] for line in lines if line.startswith(("Requirement", "Collecting"))])


def failing(work: Path) -> None:
    code = write(work / "bad", {"bad.py": "raise KeyError('price')\n"}) + "/bad.py"
    processor = ScriptProcessor(
        image_uri=SKLEARN,
        command=["python3"],
        role=ROLE,
        instance_type="ml.m5.large",
        instance_count=1,
        base_job_name="sdk3-bad",
        sagemaker_session=SESSION,
    )
    processor.run(code=code, wait=False)
    job = processor.latest_job
    refused("failing", lambda: job.wait(poll=1, logs=True))


def create(name: str, command: str) -> ProcessingJob:
    return ProcessingJob.create(
        processing_job_name=name,
        role_arn=ROLE,
        app_specification=AppSpecification(image_uri=SKLEARN, container_entrypoint=["/bin/bash", "-c", command]),
        processing_resources=ProcessingResources(
            cluster_config=ProcessingClusterConfig(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=5)
        ),
        processing_output_config=ProcessingOutputConfig(outputs=[an_output("out", f"s3://{BUCKET}/sdk3/raw/{name}")]),
        stopping_condition=ProcessingStoppingCondition(max_runtime_in_seconds=300),
        environment={"COLOUR": "blue"},
    )


def resource(_work: Path) -> None:
    """ProcessingJob.create, get, refresh, wait, stop, get_all, delete."""
    name = f"sdk3-resource-{int(time.time())}"
    job = create(f"{name}-a", f"mkdir -p {BASE}/out; echo $COLOUR > {BASE}/out/colour.txt")
    tell("resource created", job.processing_job_status)
    job.wait(poll=1, timeout=60)
    tell("resource ended", job.processing_job_status)
    tell("resource output", SESSION.read_s3_file(BUCKET, f"sdk3/raw/{name}-a/colour.txt"))
    slow = create(f"{name}-b", "trap 'exit 0' TERM; sleep 200 & wait")
    slow.stop()
    slow.wait(poll=1)
    tell("resource stopped", slow.processing_job_status)
    tell(
        "resource same", ProcessingJob.get(processing_job_name=f"{name}-a").processing_job_arn == job.processing_job_arn
    )
    found = ProcessingJob.get_all(name_contains=name, sort_by="Name", sort_order="Descending")
    tell("resource all", [each.processing_job_name.removeprefix(name) for each in found])
    found = ProcessingJob.get_all(name_contains=name, status_equals="Stopped")
    tell("resource some", [each.processing_job_name.removeprefix(name) for each in found])
    refused("resource missing", lambda: ProcessingJob.get(processing_job_name="no-such-job"))
    refused("resource taken", lambda: create(f"{name}-a", "true"))
    slow.delete()
    tell("resource deleted", [each.processing_job_name for each in ProcessingJob.get_all(name_contains=f"{name}-b")])


def main() -> None:
    with TemporaryDirectory() as directory:
        for name in sys.argv[1:] or ["script", "framework", "failing", "resource"]:
            started = time.monotonic()
            globals()[name](Path(directory))
            print(f"-- {name} {time.monotonic() - started:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
