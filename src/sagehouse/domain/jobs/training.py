"""Training jobs: the request's spelling turned into a `Spec`, and the files of the training contract."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sagehouse.domain.jobs.hosts import Cluster, cluster_of, resource_config
from sagehouse.domain.jobs.job import is_compressed, output_prefix
from sagehouse.domain.jobs.phase import Phase
from sagehouse.domain.jobs.remote_function import caller_of
from sagehouse.domain.jobs.requirements import Source, driven_by, has_own_index, trained_with
from sagehouse.domain.jobs.source import S3Uri
from sagehouse.domain.jobs.spec import Checkpoint, Input, Output, Spec, local_path, whole_inputs
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
CONFIG = "/opt/ml/input/config"
DATA = "/opt/ml/input/data"
CHECKPOINTS = "/opt/ml/checkpoints"
_DEFAULT_RUNTIME_S = 86400.0
"""One day. Source: API reference, StoppingCondition, MaxRuntimeInSeconds."""


def spec_of(document: Document) -> Spec:
    """Return what a training job's document asks for; Invalid for what cannot be done here."""
    algorithm = document["AlgorithmSpecification"]
    command = tuple(algorithm.get("ContainerEntrypoint") or ())
    arguments = tuple(algorithm.get("ContainerArguments") or ())
    mode = algorithm.get("TrainingInputMode", "File")
    checkpoint = _checkpoint(document.get("CheckpointConfig"))
    directories = ["/opt/ml/model", "/opt/ml/output/data", CONFIG, DATA]
    directories += [checkpoint.path] if checkpoint else []
    inputs = tuple(_input(channel, mode) for channel in document.get("InputDataConfig") or ())
    return Spec(
        kind="TrainingJob",
        name=document["TrainingJobName"],
        arn=document["TrainingJobArn"],
        image=algorithm.get("TrainingImage", ""),
        command=(*command, *arguments) if command else (),
        arguments=arguments,
        cluster=cluster_of(document["ResourceConfig"]),
        inputs=inputs,
        outputs=_outputs(document),
        checkpoint=checkpoint,
        environment=_environment(document),
        directories=directories,
        is_network_isolated=bool(document.get("EnableNetworkIsolation")),
        max_runtime_s=float(document.get("StoppingCondition", {}).get("MaxRuntimeInSeconds") or _DEFAULT_RUNTIME_S),
        log_group=LOG_GROUP,
        metric_definitions=tuple(algorithm.get("MetricDefinitions") or ()),
        source=_source(document, command=(*command, *arguments) if command else (), inputs=inputs),
        caller=caller_of((*command, *arguments)) if command else None,
    )


def _source(document: Document, *, command: Sequence[str], inputs: Sequence[Input]) -> Source | None:
    environment = document.get("Environment") or {}
    if document.get("EnableNetworkIsolation") or has_own_index(environment):
        return None
    if command:
        return driven_by(command, whole_inputs(inputs))
    return trained_with(document.get("HyperParameters") or {}, environment)


def files_of(document: Document, host: str) -> Mapping[str, str]:
    """Return the contract files of one host: absolute path -> text.

    Source: SageMaker developer guide, "How Amazon SageMaker provides training information".
    """
    cluster = cluster_of(document["ResourceConfig"])
    algorithm = document["AlgorithmSpecification"]
    contents: dict[str, Any] = {
        "hyperparameters": document.get("HyperParameters") or {},
        "resourceconfig": resource_config(cluster, host),
        "inputdataconfig": _channels(document, cluster, host),
        "checkpointconfig": document.get("CheckpointConfig"),
        "debughookconfig": document.get("DebugHookConfig"),
        "profilerconfig": document.get("ProfilerConfig"),
        "tensorboardoutputconfig": document.get("TensorBoardOutputConfig"),
        "metric-definition-regex": algorithm.get("MetricDefinitions"),
        "trainingjobconfig": {member: value for member, value in document.items() if not member.startswith("_")},
    }
    return {f"{CONFIG}/{name}.json": json.dumps(value) for name, value in contents.items() if value is not None}


def _channels(document: Document, cluster: Cluster, host: str) -> Document:
    group = cluster.group_of(host).name
    mode = document["AlgorithmSpecification"].get("TrainingInputMode", "File")
    return {
        channel["ChannelName"]: _channel_config(channel, mode)
        for channel in document.get("InputDataConfig") or ()
        if _group_of(channel) in ("", group)
    }


def _channel_config(channel: Document, mode: str) -> Document:
    source = channel["DataSource"].get("S3DataSource", {})
    config = {
        "TrainingInputMode": channel.get("InputMode", mode),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    if "ContentType" in channel:
        config["ContentType"] = channel["ContentType"]
    return config


def _input(channel: Document, mode: str) -> Input:
    name = channel["ChannelName"]
    source = channel["DataSource"].get("S3DataSource")
    if source is None:
        raise Invalid(f"Channel {name!r} has no S3DataSource; other data sources are not available here.")
    if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise Invalid(f"Channel {name!r}: S3DataType {source['S3DataType']} is not available here.")
    if channel.get("InputMode", mode) == "Pipe":
        raise Invalid(f"Channel {name!r}: InputMode Pipe is not available here; use File or FastFile.")
    return Input(
        name=name,
        path=f"{DATA}/{name}",
        uri=S3Uri.parse(source["S3Uri"]),
        is_manifest=source["S3DataType"] == "ManifestFile",
        is_sharded=source.get("S3DataDistributionType") == "ShardedByS3Key",
        group=_group_of(channel),
    )


def _group_of(channel: Document) -> str:
    names = channel["DataSource"].get("S3DataSource", {}).get("InstanceGroupNames") or [""]
    return str(names[0]) if len(names) == 1 else ""


def _outputs(document: Document) -> tuple[Output, ...]:
    """The model of jobs that completed or were stopped; /opt/ml/output/data always.

    Source: SageMaker developer guide, "How Amazon SageMaker processes training output".
    """
    prefix = output_prefix(document)
    usable = frozenset({Phase.COMPLETED, Phase.STOPPED})
    always = usable | {Phase.FAILED}
    if is_compressed(document):
        uri = S3Uri.directory(prefix)
        return (
            Output(path="/opt/ml/model", uri=uri, packing="archive", archive="model.tar.gz", ends=usable),
            Output(path="/opt/ml/output/data", uri=uri, packing="archive", archive="output.tar.gz", ends=always),
        )
    return (
        Output(path="/opt/ml/model", uri=S3Uri.directory(f"{prefix}model/"), ends=usable),
        Output(path="/opt/ml/output/data", uri=S3Uri.directory(f"{prefix}data/"), ends=always),
    )


def _checkpoint(config: Document | None) -> Checkpoint | None:
    if not config:
        return None
    return Checkpoint(path=local_path(config.get("LocalPath", CHECKPOINTS)), uri=S3Uri.directory(config["S3Uri"]))


def _environment(document: Document) -> Mapping[str, str]:
    return {
        "TRAINING_JOB_NAME": document["TrainingJobName"],
        "TRAINING_JOB_ARN": document["TrainingJobArn"],
        **(document.get("Environment") or {}),
    }
