"""Which requirements files are installed once for all jobs, and where the scripts are that bring them."""

import json

import pytest
from tests.unit.domain_jobs.documents import BUCKET, a_channel, a_processing_job, a_training_job, an_input

from sagehouse.domain.jobs import processing, training
from sagehouse.domain.jobs.requirements import (
    Source,
    installed_by,
    is_plain,
    served_script,
    served_with,
    unpacked_by,
)
from sagehouse.domain.jobs.source import S3Uri

ARCHIVE = f"s3://{BUCKET}/job/source/sourcedir.tar.gz"


def uri(key: str) -> S3Uri:
    return S3Uri(bucket=BUCKET, key=key)


@pytest.mark.parametrize(
    "text",
    [
        "tabulate\n",
        "tabulate==0.9.0",
        "tabulate == 0.9.0  # tables\n\n# more\nscikit-learn>=1.0,<2\n",
        "pandas[performance, excel]~=2.1 ; python_version >= '3.9' and sys_platform == \"linux\"\r\n",
        "numpy (>=1.20,!=1.21.*)\n",
        "torch==2.1.0+cpu\n",
        "a-b_c.d==1!2.0rc1.post1\n",
        "tabulate>=0.9, \\\n  <1\n",
    ],
)
def test_a_file_of_package_names_is_plain(text):
    assert is_plain(text)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# nothing",
        "./package",
        "package.whl",
        "../tabulate-0.9.0-py3-none-any.whl",
        "tabulate @ https://somewhere/tabulate.whl",
        "https://somewhere/tabulate.tar.gz",
        "git+https://somewhere/tabulate",
        "-e .",
        "-r more.txt",
        "-c constraints.txt",
        "--index-url https://somewhere/simple",
        "--extra-index-url https://somewhere/simple",
        "--no-binary :all:",
        "tabulate==0.9.0 --hash=sha256:abc",
        "tabulate==${VERSION}",
        "tabulate==0.9.0; print(1)#",
        "file:tabulate",
        "tabulate/",
        "tabulate==0.9 pandas",
    ],
)
def test_whatever_else_a_file_says_only_pip_may_read_it(line):
    assert not is_plain(f"{line}\n")
    assert not is_plain(f"requests\n{line}\n") or not line or line.startswith("#")


@pytest.mark.parametrize("encoded", [json.dumps, str])
def test_script_mode_brings_its_archive_whichever_sdk_wrote_the_hyperparameters(encoded):
    given = {"sagemaker_program": encoded("train.py"), "sagemaker_submit_directory": encoded(ARCHIVE)}
    source = training.spec_of(a_training_job(HyperParameters=given)).source
    assert source == Source(uri=uri("job/source/sourcedir.tar.gz"))
    assert source.is_archive


SCRIPT = {"sagemaker_program": "train.py", "sagemaker_submit_directory": ARCHIVE}


@pytest.mark.parametrize(
    "changes",
    [
        {"HyperParameters": {"epochs": "10"}},
        {"HyperParameters": {**SCRIPT, "sagemaker_program": "train.sh"}},
        {"HyperParameters": {**SCRIPT, "sagemaker_submit_directory": "/opt/ml/code"}},
        {"HyperParameters": {**SCRIPT, "sagemaker_submit_directory": "s3://"}},
        {"HyperParameters": SCRIPT, "EnableNetworkIsolation": True},
        {"HyperParameters": SCRIPT, "Environment": {"PIP_INDEX_URL": "https://own/simple"}},
        {"HyperParameters": SCRIPT, "Environment": {"CA_REPOSITORY_ARN": "arn"}},
        {
            "HyperParameters": SCRIPT,
            "AlgorithmSpecification": {
                "TrainingImage": "i",
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/train.py"],
            },
        },
    ],
)
def test_a_training_job_that_installs_nothing_or_elsewhere_brings_nothing(changes):
    assert training.spec_of(a_training_job(**changes)).source is None


def test_the_driver_of_sdk_3_says_what_it_installs():
    algorithm = {
        "TrainingImage": "i",
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["/bin/bash"],
        "ContainerArguments": [
            "-c",
            "chmod +x /opt/ml/input/data/sm_drivers/sm_train.sh && /opt/ml/input/data/sm_drivers/sm_train.sh",
        ],
    }
    channels = [a_channel("code", "job/input/code"), a_channel("sm_drivers", "job/input/sm_drivers")]
    document = a_training_job(AlgorithmSpecification=algorithm, InputDataConfig=channels)
    expected = Source(uri=uri("job/input/code"), driver=uri("job/input/sm_drivers/sm_train.sh"))
    assert training.spec_of(document).source == expected
    sharded = [channels[0], a_channel("sm_drivers", "x", S3DataDistributionType="ShardedByS3Key")]
    assert training.spec_of({**document, "InputDataConfig": sharded}).source is None


def a_framework_processor(**changes):
    return a_processing_job(
        AppSpecification={
            "ImageUri": "i",
            "ContainerEntrypoint": ["/bin/bash", "/opt/ml/processing/input/entrypoint/runproc.sh"],
        },
        ProcessingInputs=[
            an_input("code", "job/source/sourcedir.tar.gz", "/opt/ml/processing/input/code/"),
            an_input("entrypoint", "job/source/runproc.sh", "/opt/ml/processing/input/entrypoint"),
        ],
        **changes,
    )


def test_the_driver_of_a_framework_processor_says_what_it_installs():
    expected = Source(uri=uri("job/source/sourcedir.tar.gz"), driver=uri("job/source/runproc.sh"))
    assert processing.spec_of(a_framework_processor()).source == expected


def test_without_a_network_nothing_is_installed_for_a_processing_job():
    isolated = a_framework_processor(NetworkConfig={"EnableNetworkIsolation": True})
    assert processing.spec_of(isolated).source is None
    assert processing.spec_of(a_processing_job()).source is None


def test_what_drivers_install_is_read_from_their_text():
    sdk2 = (
        "cd /opt/ml/processing/input/code/\ntar -xzf sourcedir.tar.gz\n    python -m pip install -r requirements.txt\n"
    )
    sdk3 = "$SM_PYTHON_CMD /opt/ml/input/data/sm_drivers/scripts/install_requirements.py ./more/needs.txt\n"
    assert (installed_by(sdk2), unpacked_by(sdk2)) == ("requirements.txt", "sourcedir.tar.gz")
    assert (installed_by(sdk3), unpacked_by(sdk3)) == ("more/needs.txt", "")
    assert (installed_by("python train.py"), unpacked_by("tar -xzf other.tar.gz")) == ("", "")


@pytest.mark.parametrize(
    ("environment", "script", "source"),
    [
        ({}, "code/inference.py", None),
        ({"SAGEMAKER_PROGRAM": "serve"}, "code/serve.py", None),
        (
            {"SAGEMAKER_PROGRAM": "a.py", "SAGEMAKER_SUBMIT_DIRECTORY": "file:///opt/ml/model/code"},
            "code/a.py",
            None,
        ),
        ({"SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/code"}, "", None),
        ({"SAGEMAKER_SUBMIT_DIRECTORY": ARCHIVE}, "", Source(uri=uri("job/source/sourcedir.tar.gz"))),
    ],
)
def test_a_model_server_finds_its_script_in_its_model_or_in_s3(environment, script, source):
    assert (served_script(environment), served_with(environment)) == (script, source)
