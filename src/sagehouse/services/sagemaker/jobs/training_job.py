"""Training jobs: what may be asked for, and what a new one's document holds. The jobs controller does the rest."""

import re

from sagehouse.domain import hyperparameters
from sagehouse.domain.jobs.job import model_uri
from sagehouse.domain.jobs.training import spec_of
from sagehouse.domain.lifecycle import TRAINING_JOB
from sagehouse.kit.document import Document
from sagehouse.kit.errors import InUse, Invalid, SagehouseError
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.resources.kind import Kind
from sagehouse.resources.listing import list_page
from sagehouse.resources.verbs import create, describe
from sagehouse.services.sagemaker.image_uris import image_of
from sagehouse.services.sagemaker.jobs.stopping import forget, stop
from sagehouse.services.sagemaker.members import Members, values_at
from sagehouse.services.sagemaker.quotas import check_instances
from sagehouse.services.sagemaker.roles import require_role
from sagehouse.services.sagemaker.s3 import require_bucket, require_inputs

DEFAULT_RUNTIME_S = 86400
"""One day. Source: API reference, StoppingCondition, MaxRuntimeInSeconds."""

MEMBERS = Members(
    operation="CreateTrainingJob",
    honoured=frozenset(
        {
            "TrainingJobName",
            "HyperParameters",
            "AlgorithmSpecification.TrainingImage",
            "AlgorithmSpecification.TrainingInputMode",
            "AlgorithmSpecification.MetricDefinitions",
            "AlgorithmSpecification.ContainerEntrypoint",
            "AlgorithmSpecification.ContainerArguments",
            "RoleArn",
            "InputDataConfig[].ChannelName",
            "InputDataConfig[].DataSource.S3DataSource.S3DataType",
            "InputDataConfig[].DataSource.S3DataSource.S3Uri",
            "InputDataConfig[].DataSource.S3DataSource.S3DataDistributionType",
            "InputDataConfig[].DataSource.S3DataSource.InstanceGroupNames",
            "InputDataConfig[].ContentType",
            "InputDataConfig[].CompressionType",
            "InputDataConfig[].RecordWrapperType",
            "InputDataConfig[].InputMode",
            "OutputDataConfig.S3OutputPath",
            "OutputDataConfig.CompressionType",
            "ResourceConfig.InstanceType",
            "ResourceConfig.InstanceCount",
            "ResourceConfig.InstanceGroups",
            "StoppingCondition.MaxRuntimeInSeconds",
            "Tags",
            "EnableNetworkIsolation",
            "CheckpointConfig",
            "Environment",
        }
    ),
    refused={
        "AlgorithmSpecification.AlgorithmName": "algorithm resources do not exist here; give TrainingImage.",
        "AlgorithmSpecification.TrainingInputMode=Pipe": "use File or FastFile.",
        "AlgorithmSpecification.TrainingImageConfig": "images of private registries cannot be pulled.",
        "InputDataConfig[].InputMode=Pipe": "use File or FastFile.",
        "InputDataConfig[].CompressionType=Gzip": "it belongs to Pipe mode; in File mode the script decompresses.",
        "InputDataConfig[].RecordWrapperType=RecordIO": "it belongs to Pipe mode; leave it None.",
        "InputDataConfig[].DataSource.S3DataSource.S3DataType=AugmentedManifestFile": "use S3Prefix or ManifestFile.",
        "InputDataConfig[].DataSource.S3DataSource.S3DataType=Converse": "use S3Prefix or ManifestFile.",
        "InputDataConfig[].DataSource.S3DataSource.AttributeNames": "it belongs to AugmentedManifestFile.",
        "InputDataConfig[].DataSource.S3DataSource.ModelAccessConfig": "there are no gated models here.",
        "InputDataConfig[].DataSource.S3DataSource.HubAccessConfig": "there is no model hub here.",
        "InputDataConfig[].DataSource.FileSystemDataSource": "there is no EFS or FSx here; use an S3DataSource.",
        "InputDataConfig[].DataSource.DatasetSource": "there are no dataset resources here; use an S3DataSource.",
        "ResourceConfig.TrainingPlanArn": "there are no training plans here.",
        "ResourceConfig.InstancePlacementConfig": "there are no UltraServers here.",
        "ResourceConfig.InstancePreferences": "give one InstanceType.",
        "ResourceConfig.SelectedInstanceType": "give InstanceType.",
        "ResourceConfig.SelectedInstanceCount": "give InstanceCount.",
        "DebugRuleConfigurations": "debugger rules are not evaluated; leave them out.",
        "ProfilerRuleConfigurations": "profiler rules are not evaluated; leave them out.",
        "TensorBoardOutputConfig": "write TensorBoard files to /opt/ml/output/data or /opt/ml/checkpoints instead.",
        "ServerlessJobConfig": "give AlgorithmSpecification and ResourceConfig.",
        "MlflowConfig": "there is no MLflow tracking here.",
        "ModelPackageConfig": "register the model with CreateModelPackage.",
    },
    not_honoured={
        "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries": "Metrics are read from the log when the job ends.",
        "InputDataConfig[].ShuffleConfig": "Files keep the order of their names.",
        "OutputDataConfig.KmsKeyId": "Output is stored without encryption.",
        "ResourceConfig.VolumeSizeInGB": "The job may use the disk of this machine.",
        "ResourceConfig.VolumeKmsKeyId": "The job's disk is not encrypted.",
        "ResourceConfig.KeepAlivePeriodInSeconds": "There are no warm pools: every job starts at once.",
        "VpcConfig": "The job has the network of this machine.",
        "StoppingCondition.MaxWaitTimeInSeconds": "No spot capacity is waited for.",
        "StoppingCondition.MaxPendingTimeInSeconds": "No capacity reservation is waited for.",
        "EnableInterContainerTrafficEncryption": "The hosts of a job speak over the loopback interface.",
        "EnableManagedSpotTraining": "The job is never interrupted, and billed in full.",
        "DebugHookConfig": "The script finds it as debughookconfig.json; no tensors are uploaded.",
        "ExperimentConfig": "The job is not associated with an experiment.",
        "ProfilerConfig": "The script finds it as profilerconfig.json; nothing is profiled.",
        "RetryStrategy": "A machine of one's own does not lose instances: a job is run once.",
        "RemoteDebugConfig": "There is no remote access to the job.",
        "InfraCheckConfig": "The machine is not checked beforehand.",
        "SessionChainingConfig": "The job's credentials carry no session tags.",
    },
)


def _missing(_arn: str, _name: str) -> SagehouseError:
    return Invalid("Requested resource not found.")


def _taken(arn: str, _name: str) -> SagehouseError:
    return InUse(
        "Training job names must be unique within an AWS account and region, "
        f"and a training job with this name already exists ({arn})"
    )


def _check(_call: Call, request: Document) -> None:
    MEMBERS.refuse(request)
    for member in ("AlgorithmSpecification", "ResourceConfig"):
        if member not in request:
            raise Invalid(f"{member} is required.")
    algorithm, resources = request["AlgorithmSpecification"], request["ResourceConfig"]
    if not algorithm.get("TrainingImage"):
        raise Invalid("AlgorithmSpecification: TrainingImage is required.")
    if resources.get("InstanceGroups"):
        if "InstanceType" in resources or "InstanceCount" in resources:
            raise Invalid(
                "ResourceConfig: InstanceType and InstanceCount cannot be given together with InstanceGroups."
            )
    elif not resources.get("InstanceType") or resources.get("InstanceCount", 0) < 1:
        raise Invalid("ResourceConfig: InstanceType, and an InstanceCount of at least 1, are required.")
    if any(count < 1 for count in values_at(resources, "InstanceGroups[].InstanceCount")):
        raise Invalid("ResourceConfig: the InstanceCount of every instance group must be at least 1.")
    groups = resources.get("InstanceGroups") or [resources]
    check_instances(((one["InstanceType"], one["InstanceCount"]) for one in groups), usage="training job")
    _check_channels(request, {*values_at(resources, "InstanceGroups[].InstanceGroupName")})
    _check_stopping(request)
    image = image_of(algorithm["TrainingImage"])
    if not algorithm.get("ContainerEntrypoint"):
        hyperparameters.check(image.algorithm, request.get("HyperParameters") or {})
    for definition in algorithm.get("MetricDefinitions") or ():
        try:
            re.compile(definition["Regex"])
        except re.error as error:
            raise Invalid(f"Metric {definition['Name']!r}: {definition['Regex']!r} is no regex: {error}.") from error


def _check_channels(request: Document, groups: set[str]) -> None:
    channels = request.get("InputDataConfig") or []
    names = [channel["ChannelName"] for channel in channels]
    for name in names:
        if names.count(name) > 1:
            raise Invalid(f"InputDataConfig: channel names must be unique, {name!r} is given more than once.")
    for channel in channels:
        wanted = channel["DataSource"].get("S3DataSource", {}).get("InstanceGroupNames") or []
        unknown = set(wanted) - groups
        if unknown:
            raise Invalid(f"Channel {channel['ChannelName']!r}: there is no instance group {min(unknown)!r}.")
        if len(wanted) > 1 and set(wanted) != groups:
            raise Invalid(f"Channel {channel['ChannelName']!r}: name one instance group, or all of them.")


def _check_stopping(request: Document) -> None:
    condition = request.get("StoppingCondition") or {}
    runtime_s = condition.get("MaxRuntimeInSeconds", DEFAULT_RUNTIME_S)
    if request.get("EnableManagedSpotTraining") and condition.get("MaxWaitTimeInSeconds", 0) < runtime_s:
        raise Invalid(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )


def _prepare(call: Call, document: Document) -> Document:
    image = image_of(document["AlgorithmSpecification"]["TrainingImage"])
    algorithm: Document = {"EnableSageMakerMetricsTimeSeries": False, **document["AlgorithmSpecification"]}
    if image.metric_definitions and not algorithm.get("MetricDefinitions"):
        algorithm["MetricDefinitions"] = [
            {"Name": definition.name, "Regex": definition.regex} for definition in image.metric_definitions
        ]
    starting = {"Status": "Starting", "StartTime": call.now, "StatusMessage": "Starting the training job"}
    prepared: Document = {
        "HyperParameters": {},
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": False,
        **document,
        "AlgorithmSpecification": algorithm,
        "OutputDataConfig": {"KmsKeyId": "", "CompressionType": "GZIP", **document["OutputDataConfig"]},
        "StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_RUNTIME_S, **document.get("StoppingCondition", {})},
        "ProfilingStatus": "Disabled",
        "SecondaryStatus": "Starting",
        "SecondaryStatusTransitions": [starting],
    }
    if "InputDataConfig" in document:
        prepared["InputDataConfig"] = [_channel(channel) for channel in document["InputDataConfig"]]
    spec_of(prepared)  # what the controller could not do is refused now
    return prepared


def _channel(channel: Document) -> Document:
    source = channel["DataSource"]
    if "S3DataSource" in source:
        s3 = {"S3DataDistributionType": "FullyReplicated", **source["S3DataSource"]}
        source = {**source, "S3DataSource": s3}
    return {"CompressionType": "None", "RecordWrapperType": "None", **channel, "DataSource": source}


def _present(_call: Call, document: Document) -> Document:
    """Say from the beginning where the model is to go.

    Source: service model, DescribeTrainingJobResponse: ModelArtifacts is required, "the location configured for storing
    model artifacts".
    """
    return {"ModelArtifacts": {"S3ModelArtifacts": model_uri(document)}, **document}


KIND = Kind(
    name="TrainingJob",
    name_member="TrainingJobName",
    arn_member="TrainingJobArn",
    arn_resource="training-job/{name}",
    summaries_member="TrainingJobSummaries",
    lifecycle=TRAINING_JOB,
    first_status="InProgress",
    row_members=(
        *("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingEndTime", "LastModifiedTime"),
        *("TrainingJobStatus", "SecondaryStatus", "WarmPoolStatus", "TrainingPlanArn"),
    ),
    filters={"WarmPoolStatusEquals": "_WarmPoolStatus", "TrainingPlanArnEquals": "_TrainingPlanArn"},
    missing=_missing,
    taken=_taken,
    check=_check,
    prepare=_prepare,
    present=_present,
)
"""There are no warm pools and no training plans: these two filters truthfully find nothing."""


async def create_training_job(house: House, call: Call, request: Document) -> Document:
    """Store the job and wake its controller."""
    KIND.check(call, request)
    await require_role(house, call, request["RoleArn"])
    sources = values_at(request, "InputDataConfig[].DataSource.S3DataSource")
    await require_inputs(house, call, sources, role=request["RoleArn"])
    output = request["OutputDataConfig"]["S3OutputPath"]
    await require_bucket(house, call, output, member="OutputDataConfig.S3OutputPath")
    if "CheckpointConfig" in request:
        uri = request["CheckpointConfig"]["S3Uri"]
        await require_bucket(house, call, uri, member="CheckpointConfig.S3Uri")
    stored = await create(house, call, KIND, request)
    return {"TrainingJobArn": stored.arn}


async def describe_training_job(house: House, call: Call, request: Document) -> Document:
    return await describe(house, call, KIND, request)


async def list_training_jobs(house: House, call: Call, request: Document) -> Document:
    return await list_page(house, call, KIND, request)


async def stop_training_job(house: House, call: Call, request: Document) -> Document:
    await stop(house, call, KIND, request["TrainingJobName"])
    return {}


async def delete_training_job(house: House, call: Call, request: Document) -> Document:
    await forget(house, call, KIND, request["TrainingJobName"])
    return {}
