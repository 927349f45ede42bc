"""Image URIs of the installed SDKs resolve to environments; others are refused by name."""

import json
from pathlib import Path

import pytest

from sagehouse.images import known_images, resolve
from sagehouse.kit.errors import Invalid
from sagehouse.ports.runtime import EnvironmentSpec, Requirements

HOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/"


def test_an_image_is_known_by_repository_and_tag_whatever_the_account_region_and_domain():
    china = resolve("451049120500.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:1.7-1")

    assert (china.repository, china.version, china.framework) == ("sagemaker-xgboost", "1.7-1", "xgboost")
    assert china.environment == resolve(HOST + "sagemaker-xgboost:1.7-1").environment


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("1.2-1-cpu-py3", "1.2-1"),
        ("1.0-1-cpu-py3-arm64", "1.0-1"),
        ("1.4-2-py312-cpu-py3", "1.4-2-py312"),
        ("0.20.0-cpu-py3", "0.20.0"),
    ],
)
def test_what_follows_the_version_in_a_tag_names_hardware_only(tag: str, version: str):
    assert resolve(f"{HOST}sagemaker-scikit-learn:{tag}").version == version


def test_the_container_starts_the_toolkit():
    image = resolve(HOST + "sagemaker-scikit-learn:1.2-1-cpu-py3")

    assert image.train_command == ("python", "-m", "sagehouse.toolkit.train")
    assert image.serve_command == ("python", "-m", "sagehouse.toolkit.serve")
    assert not image.is_algorithm


def test_the_first_alternative_installs_exactly_the_version_the_image_names():
    sklearn = resolve(HOST + "sagemaker-scikit-learn:1.2-1").environment.alternatives[0]
    xgboost = resolve(HOST + "sagemaker-xgboost:3.0-5").environment.alternatives[0]

    assert "scikit-learn==1.2.1" in sklearn.packages
    assert "3.11" in sklearn.pythons
    assert "xgboost-cpu==3.0.5" in xgboost.packages
    assert not sklearn.note
    assert not xgboost.note


def test_a_version_without_a_wheel_takes_the_nearest_and_says_so():
    nearest = resolve(HOST + "sagemaker-scikit-learn:0.20.0-cpu-py3").environment.alternatives[0]

    assert nearest.note.startswith("scikit-learn 0.22.2.post1 instead of 0.20.0")


@pytest.mark.parametrize("name", known_images())
def test_every_environment_has_exact_versions_pip_and_an_alternative_for_python_311(name: str):
    alternatives = resolve(HOST + name).environment.alternatives

    assert any("3.11" in one.pythons for one in alternatives)
    for one in alternatives:
        assert all("==" in package for package in one.packages)
        assert any(package.startswith("pip==") for package in one.packages)
        assert any(package.startswith("boto3==") for package in one.packages)


def test_an_unknown_image_is_refused_by_name_and_the_known_ones_are_named():
    with pytest.raises(Invalid, match=r"'myrepo:tag'.*sagemaker-scikit-learn \(.*1\.2-1") as refused:
        resolve("myrepo:tag")
    assert "sagemaker-xgboost" in refused.value.message


@pytest.mark.parametrize(
    "uri", [HOST + "sagemaker-xgboost:9.9-1", HOST + "sagemaker-xgboost:1.7-1-neo", HOST + "sagemaker-xgboost"]
)
def test_an_unknown_tag_is_refused_with_the_versions_there_are(uri: str):
    with pytest.raises(Invalid, match=r"is known with the versions .*1\.7-1"):
        resolve(uri)


def test_a_digest_is_refused_because_it_names_no_version():
    with pytest.raises(Invalid, match="digest"):
        resolve(HOST + "sagemaker-xgboost@sha256:0123")


def test_xgboosts_metrics_are_found_in_its_log():
    import re

    image = resolve(HOST + "sagemaker-xgboost:1.7-1")
    regex = next(one.regex for one in image.metric_definitions if one.name == "validation:rmse")

    found = re.match(regex, "[3]#011train-rmse:1.50000#011validation-rmse:0.25000")
    assert found is not None
    assert found.group(1) == "0.25000"


def test_the_environments_convert_to_the_ports_field_by_field():
    environment = resolve(HOST + "sagemaker-xgboost:1.7-1").environment
    fields = environment.alternatives[0]

    spec = EnvironmentSpec(
        name=environment.name,
        alternatives=[Requirements(packages=fields.packages, pythons=fields.pythons, note=fields.note)],
    )
    assert spec.name == "sagemaker-xgboost 1.7-1"


@pytest.mark.parametrize(
    "sdk", ["sdk2/lib/python3.11/site-packages/sagemaker", "sdk3/lib/python3.11/site-packages/sagemaker/core"]
)
@pytest.mark.parametrize("name", ["sklearn", "xgboost"])
def test_every_version_the_installed_sdks_name_is_known(sdk: str, name: str):
    path = Path(__file__).parents[3] / ".envs" / sdk / "image_uri_config" / f"{name}.json"
    if not path.exists():
        pytest.skip("the SDK environments are built by `make system`")
    config = json.loads(path.read_text())
    named = {
        (details["repository"], version)
        for scope in ("training", "inference")
        for version, details in config[scope]["versions"].items()
    }

    assert {f"{repository}:{version}" for repository, version in named} <= set(known_images())
