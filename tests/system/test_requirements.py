"""A script's requirements.txt: installed once for all jobs that bring it, and by the job's own pip where it must be."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.conftest import ENVIRONMENTS
from tests.system.lab import Lab, a_lab, archive

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with a_lab(tmp_path_factory.mktemp("requirements") / "house") as lab:
        yield lab


@pytest.fixture
def requirements() -> Iterator[str]:
    """A file that nobody has ever brought."""
    text = f"iniconfig==2.0.0  # {uuid.uuid4()}\n"
    yield text
    for layer in layers(text):
        shutil.rmtree(layer)


def layers(text: str) -> list[Path]:
    """Return the environments that were made for a requirements file."""
    return [file.parent for file in ENVIRONMENTS.glob("*-*/requirements.txt") if file.read_text() == text]


USES = "import iniconfig, sys\nprint('in', iniconfig.__file__.startswith(sys.prefix))\n"
HAS_IT = "The packages of requirements.txt are installed already: iniconfig==2.0.0"


def test_jobs_that_bring_the_same_requirements_install_them_once(lab: Lab, requirements: str) -> None:
    """Two that begin at once, and one that comes later."""
    files = {"requirements.txt": requirements}
    for name in ("first", "second"):
        lab.train(name, USES, files=files)
    ended = [lab.ended("TrainingJob", name)["TrainingJobStatus"] for name in ("first", "second")]
    (layer,) = layers(requirements)
    made = (layer / "sagehouse-environment.json").stat().st_ino
    ended.append(lab.trained("third", USES, files=files)["TrainingJobStatus"])
    assert ended == ["Completed"] * 3
    assert (layer / "sagehouse-environment.json").stat().st_ino == made
    for name in ("first", "second", "third"):
        lines = lab.lines("TrainingJob", name)
        assert any(HAS_IT in line for line in lines), lines
        assert "in True" in lines
        assert not [line for line in lines if "pip install" in line]


def test_a_house_killed_while_it_installs_installs_again(lab: Lab, requirements: str) -> None:
    lab.train("killed", USES, files={"requirements.txt": requirements})
    lab.crash()
    assert lab.ended("TrainingJob", "killed")["TrainingJobStatus"] == "Completed"
    (layer,) = layers(requirements)
    assert (layer / "sagehouse-environment.json").exists()


def test_what_a_script_installs_itself_is_its_own(lab: Lab, requirements: str) -> None:
    installs = (
        "import importlib.util, subprocess, sys\n"
        "print('before', bool(importlib.util.find_spec('tabulate')))\n"
        "subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', 'tabulate==0.9.0'], check=True)\n"
        "import iniconfig, tabulate\n"
        "print('after', tabulate.__version__)\n"
    )
    for name in ("installs", "installs-again"):
        job = lab.trained(name, installs, files={"requirements.txt": requirements})
        assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
        lines = lab.lines("TrainingJob", name)
        assert ("before False" in lines, "after 0.9.0" in lines) == (True, True)


def test_requirements_nobody_can_install_fail_the_job_in_pips_words(lab: Lab) -> None:
    job = lab.trained("impossible", USES, files={"requirements.txt": "sagehouse-no-such-package==1.0\n"})
    assert job["TrainingJobStatus"] == "Failed"
    assert "pip install" in job["FailureReason"]
    assert "sagehouse-no-such-package" in job["FailureReason"]
    assert lab.said("TrainingJob", "impossible", "No matching distribution found for sagehouse-no-such-package==1.0")


def test_without_a_network_nothing_is_installed(lab: Lab, requirements: str) -> None:
    job = lab.trained("isolated", USES, files={"requirements.txt": requirements}, EnableNetworkIsolation=True)
    assert job["TrainingJobStatus"] == "Failed"
    assert layers(requirements) == []


def test_a_model_server_finds_its_requirements_installed(lab: Lab, requirements: str) -> None:
    script = (
        "import iniconfig\n"
        "def model_fn(directory): return iniconfig.__name__\n"
        "def predict_fn(data, model): return model\n"
        "def output_fn(prediction, accept): return prediction\n"
    )
    code = {"weights": "1", "code/inference.py": script, "code/requirements.txt": requirements}
    uri = lab.put("models/repacked/model.tar.gz", archive(code))
    lab.model("served", script=script, files={"requirements.txt": requirements})
    container = {"Image": lab.sagemaker.describe_model(ModelName="served")["PrimaryContainer"]["Image"]}
    role = lab.sagemaker.describe_model(ModelName="served")["ExecutionRoleArn"]
    lab.sagemaker.create_model(
        ModelName="repacked", ExecutionRoleArn=role, PrimaryContainer={**container, "ModelDataUrl": uri}
    )
    for name in ("served", "repacked"):
        assert lab.ended("Endpoint", lab.deploy(name))["EndpointStatus"] == "InService"
        answer = lab.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, Body=b"[1]", ContentType="application/json"
        )
        assert answer["Body"].read() == b"iniconfig"
        logs = lab.client("logs").filter_log_events(logGroupName=f"/aws/sagemaker/Endpoints/{name}")["events"]
        assert any(HAS_IT in event["message"] for event in logs)
    assert len(layers(requirements)) == 1
