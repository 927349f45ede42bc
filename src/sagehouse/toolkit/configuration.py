"""Reads what the platform writes below /opt/ml/input/config: hyperparameters, hosts, channels."""

import json
import os

from sagehouse.toolkit import paths

PLATFORM_PREFIX = "sagemaker_"
TUNING_METRIC = "_tuning_objective_metric"
DEFAULT_GROUP = "homogeneousCluster"


def read(name):
    """Return one configuration file as a document; {} if the platform wrote none."""
    try:
        with open(os.path.join(paths.CONFIG, name), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def decode(hyperparameters):
    """Return the hyperparameters with every value read as JSON, or as it is where it is no JSON.

    SDK 2.x encodes each value ("10", "\\"abc\\"", "true"), SDK 3.x and plain boto3 do not ("abc").
    Source: sagemaker-training 5.1.4, environment.read_hyperparameters.
    """
    return {name: _decoded(value) for name, value in hyperparameters.items()}


def _decoded(value):
    try:
        return json.loads(value)
    except (ValueError, TypeError):
        return value


class Configuration:
    """The job as its configuration files describe it: the toolkit's parameters and the user's, told apart."""

    def __init__(self, hyperparameters, resources, channels):
        everything = decode(hyperparameters)
        self.platform = {k: v for k, v in everything.items() if _is_platform(k)}
        self.hyperparameters = {k: v for k, v in everything.items() if not _is_platform(k)}
        self.resources = resources
        self.channels = channels
        self.host = resources.get("current_host") or "algo-1"
        self.hosts = resources.get("hosts") or [self.host]
        self.instance_type = resources.get("current_instance_type") or "local"
        self.group = resources.get("current_group_name") or DEFAULT_GROUP
        self.groups = {group["instance_group_name"]: group for group in resources.get("instance_groups") or []}
        self.network_interface = resources.get("network_interface_name") or "eth0"

    @property
    def program(self):
        """The script's name, or None where the job trains a built-in algorithm."""
        return os.environ.get("SAGEMAKER_PROGRAM") or self.platform.get("sagemaker_program")

    @property
    def submitted(self):
        """Where the script comes from: s3://..., a local archive or directory; the code directory itself."""
        return str(
            self.platform.get("sagemaker_submit_directory")
            or os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY")
            or paths.CODE
        )


def configuration():
    """Return the job that the platform described."""
    return Configuration(read("hyperparameters.json"), read("resourceconfig.json"), read("inputdataconfig.json"))


def _is_platform(name):
    return name.startswith(PLATFORM_PREFIX) or name in (TUNING_METRIC, "default_user_module_name")
