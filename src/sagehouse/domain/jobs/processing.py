"""Processing jobs: the request's spelling turned into a `Spec`, and the files of the processing contract."""

import json
from collections.abc import Mapping

from sagehouse.domain.jobs.hosts import cluster_of
from sagehouse.domain.jobs.phase import Phase
from sagehouse.domain.jobs.requirements import driven_by, has_own_index
from sagehouse.domain.jobs.source import S3Uri
from sagehouse.domain.jobs.spec import Input, Output, Spec, local_path, whole_inputs
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
CONFIG = "/opt/ml/config"
_DEFAULT_RUNTIME_S = 86400.0
"""One day. Source: API reference, ProcessingStoppingCondition, and StoppingCondition for the default."""


def spec_of(document: Document) -> Spec:
    """Return what a processing job's document asks for; Invalid for what cannot be done here."""
    application = document["AppSpecification"]
    command = tuple(application.get("ContainerEntrypoint") or ())
    arguments = tuple(application.get("ContainerArguments") or ())
    outputs = _outputs(document)
    inputs = tuple(_input(one) for one in document.get("ProcessingInputs") or () if not one.get("AppManaged"))
    environment = dict(document.get("Environment") or {})
    is_isolated = bool((document.get("NetworkConfig") or {}).get("EnableNetworkIsolation"))
    return Spec(
        kind="ProcessingJob",
        name=document["ProcessingJobName"],
        arn=document["ProcessingJobArn"],
        image=application["ImageUri"],
        command=(*command, *arguments) if command else (),
        arguments=arguments,
        cluster=cluster_of(document["ProcessingResources"]["ClusterConfig"]),
        inputs=inputs,
        outputs=outputs,
        checkpoint=None,
        environment=environment,
        directories=["/opt/ml/output", "/opt/ml/processing", CONFIG, *(output.path for output in outputs)],
        is_network_isolated=is_isolated,
        max_runtime_s=float((document.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds") or _DEFAULT_RUNTIME_S),
        log_group=LOG_GROUP,
        metric_definitions=(),
        source=None if is_isolated or has_own_index(environment) else driven_by(command, whole_inputs(inputs)),
    )


def files_of(document: Document, host: str) -> Mapping[str, str]:
    """Return the contract files of one host: absolute path -> text.

    Source: SageMaker developer guide, "How Amazon SageMaker Processing configures your processing container".
    """
    cluster = cluster_of(document["ProcessingResources"]["ClusterConfig"])
    request = {member: value for member, value in document.items() if not member.startswith("_")}
    return {
        f"{CONFIG}/processingjobconfig.json": json.dumps(request),
        f"{CONFIG}/resourceconfig.json": json.dumps({"current_host": host, "hosts": list(cluster.hosts)}),
    }


def _input(one: Document) -> Input:
    name = one["InputName"]
    source = one.get("S3Input")
    if source is None:
        raise Invalid(f"Input {name!r} has no S3Input; dataset definitions are not available here.")
    if source.get("S3InputMode", "File") != "File":
        raise Invalid(f"Input {name!r}: S3InputMode {source['S3InputMode']} is not available here; use File.")
    return Input(
        name=name,
        path=local_path(source["LocalPath"]),
        uri=S3Uri.parse(source["S3Uri"]),
        is_manifest=source.get("S3DataType") == "ManifestFile",
        is_sharded=source.get("S3DataDistributionType") == "ShardedByS3Key",
    )


def _outputs(document: Document) -> tuple[Output, ...]:
    """EndOfJob outputs are stored when the job completed, Continuous ones whatever its end."""
    wanted = (document.get("ProcessingOutputConfig") or {}).get("Outputs") or ()
    return tuple(_output(one) for one in wanted if not one.get("AppManaged"))


def _output(one: Document) -> Output:
    target = one.get("S3Output")
    if target is None:
        raise Invalid(f"Output {one['OutputName']!r} has no S3Output; other targets are not available here.")
    is_continuous = target.get("S3UploadMode") == "Continuous"
    ends = {Phase.COMPLETED, Phase.FAILED, Phase.STOPPED} if is_continuous else {Phase.COMPLETED}
    return Output(
        path=local_path(target["LocalPath"]),
        uri=S3Uri.directory(target["S3Uri"]),
        ends=frozenset(ends),
        is_continuous=is_continuous,
    )
