"""The three examples and their twins in plain boto3, and the tutorial, as a user would run them."""

import re
from pathlib import Path

import pytest
from tests.system.conftest import ROOT, SDK2, SDK3, RunningHouse

EXAMPLES = ROOT / "examples"
PROGRAMS = ROOT / "tests" / "system" / "programs"
pytestmark = pytest.mark.system


def line_with(output: str, start: str) -> str:
    """Return what follows `start` on its line; the SDK leaves its progress marks in front of it."""
    found = [line.partition(start)[2] for line in output.splitlines() if start in line]
    assert found, output
    return found[-1].strip()


def test_the_quickstart_registers_a_good_model_deploys_it_and_predicts(house: RunningHouse) -> None:
    ended = house.run(SDK2, EXAMPLES / "quickstart" / "pipeline.py")
    assert float(line_with(ended.stdout, "accuracy    ").split()[0]) > 0.9
    for step in ("Preprocess", "Train", "Evaluate", "GoodEnough", "Register"):
        assert step in ended.stdout
    assert "Succeeded" in ended.stdout
    listed = house.cli("ls", "endpoints").stdout
    assert "InService" in listed


def test_the_quickstart_in_plain_boto3_does_the_same(house: RunningHouse) -> None:
    ended = house.run(SDK2, PROGRAMS / "quickstart_boto3.py", EXAMPLES / "quickstart")
    assert float(line_with(ended.stdout, "accuracy:").split()[0]) > 0.9
    assert line_with(ended.stdout, "deleted:").startswith("ValidationException Could not find endpoint")
    assert "'Register': 'Succeeded'" in line_with(ended.stdout, "steps:")


def test_the_script_mode_lab_trains_deploys_and_transforms(house: RunningHouse) -> None:
    ended = house.run(SDK2, EXAMPLES / "script_mode" / "iris.py")
    assert float(line_with(ended.stdout, "endpoint accuracy:")) > 0.8
    assert line_with(ended.stdout, "batch transform agrees with the endpoint:") == "True on 30 rows"
    assert "train accuracy: 1.000" in ended.stdout, "the job's log reaches the user's terminal"
    assert "cleaned up" in ended.stdout


def test_the_script_mode_lab_in_plain_boto3_does_the_same(house: RunningHouse) -> None:
    ended = house.run(SDK2, PROGRAMS / "iris_boto3.py", EXAMPLES / "script_mode")
    transitions = line_with(ended.stdout, "transitions:")
    assert transitions == "['Starting', 'Downloading', 'Training', 'Uploading', 'Completed']"
    assert "output/model.tar.gz" in line_with(ended.stdout, "outputs:")
    assert "output/output.tar.gz" in line_with(ended.stdout, "outputs:")
    assert line_with(ended.stdout, "batch transform agrees with the endpoint:") == "True"
    assert "cleaned up" in ended.stdout


def test_the_modern_sdk_processes_trains_and_deploys(house: RunningHouse) -> None:
    ended = house.run(SDK3, EXAMPLES / "modern_sdk" / "wine.py")
    assert line_with(ended.stdout, "trained:").startswith("Completed s3://")
    assert float(line_with(ended.stdout, "endpoint accuracy:").split()[0]) > 0.8
    assert "cleaned up" in ended.stdout


def test_the_modern_sdks_work_in_plain_boto3(house: RunningHouse) -> None:
    ended = house.run(SDK3, PROGRAMS / "wine_boto3.py", EXAMPLES / "modern_sdk")
    assert float(line_with(ended.stdout, "endpoint accuracy:").split()[0]) > 0.8
    assert "cleaned up" in ended.stdout


def test_the_tutorials_own_words_train_and_deploy(house: RunningHouse, tmp_path: Path) -> None:
    script, program, *_ = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "tutorial.md").read_text(), re.DOTALL)
    (tmp_path / "train.py").write_text(script)
    (tmp_path / "program.py").write_text(program)
    ended = house.run("sh", "-c", f"cd '{tmp_path}' && '{SDK2}' program.py")
    assert float(line_with(ended.stdout, "accuracy:")) > 0.9
    assert line_with(ended.stdout, "!").endswith("[0]"), "the first flower of the table is of the first kind"
    assert house.cli("ls", "endpoints").stdout.strip() == "nothing yet"
