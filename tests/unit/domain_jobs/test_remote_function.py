"""Who sent a remote function: read off the command that the SDK gives its job."""

import pytest
from tests.unit.domain_jobs.documents import a_training_job

from sagehouse.domain.jobs import training
from sagehouse.domain.jobs.remote_function import Caller, caller_of
from sagehouse.domain.jobs.requirements import is_plain

BOOTSTRAP = "/opt/ml/input/data/sagemaker_remote_function_bootstrap"
COMMAND = (
    "/bin/bash", f"{BOOTSTRAP}/job_driver.sh", "--s3_base_uri", "s3://b/f", "--region", "us-east-1",
    "--client_python_version", "3.11", "--client_sagemaker_pysdk_version", "3.27.0", "--dependency_settings", "{}",
)  # fmt: skip


def test_the_sdk_tells_its_version_and_its_python():
    assert caller_of(COMMAND) == Caller(python="3.11", sdk="3.27.0")


def test_the_callers_sdk_is_a_requirement_that_can_be_installed_beforehand():
    assert is_plain(Caller(python="3.11", sdk="3.27.0").requirements)


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("python", "train.py", *COMMAND[2:]),
        COMMAND[:6],
        (*COMMAND[:7], "3.11; rm", *COMMAND[8:]),
        (*COMMAND[:9], "3.27.0 --index-url x", *COMMAND[10:]),
        (*COMMAND[:9], "3.0.0.dev0", *COMMAND[10:]),
        ("echo", "of", *COMMAND),
    ],
)
def test_other_commands_were_sent_by_nobody(command):
    assert caller_of(command) is None


def test_a_training_job_knows_who_sent_its_function():
    document = a_training_job()
    assert training.spec_of(document).caller is None
    document["AlgorithmSpecification"].update(ContainerEntrypoint=COMMAND[:2], ContainerArguments=COMMAND[2:])
    assert training.spec_of(document).caller == Caller(python="3.11", sdk="3.27.0")
