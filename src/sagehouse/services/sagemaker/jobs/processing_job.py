"""Processing jobs: what may be asked for, and what a new one's document holds. The jobs controller does the rest."""

from collections.abc import Iterable

from sagehouse.domain.jobs.processing import spec_of
from sagehouse.domain.jobs.spec import is_below, local_path
from sagehouse.domain.lifecycle import PROCESSING_JOB
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
from sagehouse.services.sagemaker.roles import require_role
from sagehouse.services.sagemaker.s3 import require_bucket, require_inputs

DEFAULT_RUNTIME_S = 86400
"""One day. Source: API reference, ProcessingStoppingCondition, and StoppingCondition for the default."""
ROOT = "/opt/ml/processing"

MEMBERS = Members(
    operation="CreateProcessingJob",
    honoured=frozenset(
        {
            "ProcessingInputs[].InputName",
            "ProcessingInputs[].AppManaged",
            "ProcessingInputs[].S3Input.S3Uri",
            "ProcessingInputs[].S3Input.LocalPath",
            "ProcessingInputs[].S3Input.S3DataType",
            "ProcessingInputs[].S3Input.S3InputMode",
            "ProcessingInputs[].S3Input.S3DataDistributionType",
            "ProcessingInputs[].S3Input.S3CompressionType",
            "ProcessingOutputConfig.Outputs[].OutputName",
            "ProcessingOutputConfig.Outputs[].S3Output",
            "ProcessingOutputConfig.Outputs[].AppManaged",
            "ProcessingJobName",
            "ProcessingResources.ClusterConfig.InstanceCount",
            "ProcessingResources.ClusterConfig.InstanceType",
            "StoppingCondition",
            "AppSpecification",
            "Environment",
            "NetworkConfig.EnableNetworkIsolation",
            "RoleArn",
            "Tags",
        }
    ),
    refused={
        "ProcessingInputs[].S3Input.S3InputMode=Pipe": "use File.",
        "ProcessingInputs[].S3Input.S3CompressionType=Gzip": "it belongs to Pipe mode; the script decompresses.",
        "ProcessingInputs[].DatasetDefinition": "there is no Athena or Redshift here; use an S3Input.",
        "ProcessingOutputConfig.Outputs[].FeatureStoreOutput": "there is no feature store here; use an S3Output.",
        "ProcessingResources.ClusterConfig.InstancePreferences": "give one InstanceType.",
        "ProcessingResources.ClusterConfig.SelectedInstanceType": "give InstanceType.",
        "ProcessingResources.ClusterConfig.SelectedInstanceCount": "give InstanceCount.",
    },
    not_honoured={
        "ProcessingOutputConfig.KmsKeyId": "Output is stored without encryption.",
        "ProcessingResources.ClusterConfig.VolumeSizeInGB": "The job may use the disk of this machine.",
        "ProcessingResources.ClusterConfig.VolumeKmsKeyId": "The job's disk is not encrypted.",
        "NetworkConfig.EnableInterContainerTrafficEncryption": "The hosts of a job speak over the loopback interface.",
        "NetworkConfig.VpcConfig": "The job has the network of this machine.",
        "ExperimentConfig": "The job is not associated with an experiment.",
    },
)


def _missing(_arn: str, _name: str) -> SagehouseError:
    return Invalid("Requested resource not found.")


def taken(arn: str, _name: str) -> SagehouseError:
    return InUse(
        f"Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})"
    )


def _check(_call: Call, request: Document) -> None:
    MEMBERS.refuse(request)
    cluster = request["ProcessingResources"]["ClusterConfig"]
    if not cluster.get("InstanceType") or cluster.get("InstanceCount", 0) < 1:
        raise Invalid("ClusterConfig: InstanceType, and an InstanceCount of at least 1, are required.")
    inputs = request.get("ProcessingInputs") or []
    outputs = (request.get("ProcessingOutputConfig") or {}).get("Outputs") or []
    _unique((one["InputName"] for one in inputs), "ProcessingInputs: InputName")
    _unique((one["OutputName"] for one in outputs), "ProcessingOutputConfig: OutputName")
    for one in inputs:
        if not one.get("AppManaged"):
            _check_path(one.get("S3Input"), f"Input {one['InputName']!r}", "S3Input")
    for one in outputs:
        if not one.get("AppManaged"):
            _check_path(one.get("S3Output"), f"Output {one['OutputName']!r}", "S3Output")
    paths = [one["S3Input"]["LocalPath"].rstrip("/") for one in inputs if not one.get("AppManaged")]
    _unique(paths, "ProcessingInputs: LocalPath")


def _check_path(place: Document | None, who: str, member: str) -> None:
    """A place that the platform serves has a path below /opt/ml/processing.

    Source: API reference, ProcessingS3Input and ProcessingS3Output, LocalPath.
    """
    if place is None:
        raise Invalid(f"{who}: {member} is required.")
    path = place.get("LocalPath")
    if not path:
        raise Invalid(f"{who}: LocalPath is required unless AppManaged is true.")
    if not is_below(local_path(path), ROOT):
        raise Invalid(f"{who}: LocalPath {path!r} must be an absolute path that begins with {ROOT}.")


def _unique(values: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise Invalid(f"{what} must be unique, {value!r} is given more than once.")
        seen.add(value)


def _prepare(_call: Call, document: Document) -> Document:
    image_of(document["AppSpecification"]["ImageUri"])
    outputs = document.get("ProcessingOutputConfig") or {"Outputs": []}
    prepared: Document = {
        **document,
        "ProcessingInputs": [_input(one) for one in document.get("ProcessingInputs") or ()],
        "ProcessingOutputConfig": {
            **outputs,
            "Outputs": [{"AppManaged": False, **one} for one in outputs["Outputs"]],
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_RUNTIME_S, **(document.get("StoppingCondition") or {})},
    }
    spec_of(prepared)  # what the controller could not do is refused now
    return prepared


def _input(one: Document) -> Document:
    given = {"AppManaged": False, **one}
    if "S3Input" in one:
        given["S3Input"] = {
            "S3InputMode": "File",
            "S3DataDistributionType": "FullyReplicated",
            "S3CompressionType": "None",
            **one["S3Input"],
        }
    return given


KIND = Kind(
    name="ProcessingJob",
    name_member="ProcessingJobName",
    arn_member="ProcessingJobArn",
    arn_resource="processing-job/{name}",
    summaries_member="ProcessingJobSummaries",
    lifecycle=PROCESSING_JOB,
    first_status="InProgress",
    missing=_missing,
    taken=taken,
    check=_check,
    prepare=_prepare,
)


async def create_processing_job(house: House, call: Call, request: Document) -> Document:
    """Store the job and wake its controller."""
    KIND.check(call, request)
    await require_role(house, call, request["RoleArn"])
    inputs = [one["S3Input"] for one in request.get("ProcessingInputs") or () if not one.get("AppManaged")]
    await require_inputs(house, call, inputs, role=request["RoleArn"])
    for uri in values_at(request, "ProcessingOutputConfig.Outputs[].S3Output.S3Uri"):
        await require_bucket(house, call, uri, member="ProcessingOutputConfig")
    stored = await create(house, call, KIND, request)
    return {"ProcessingJobArn": stored.arn}


async def describe_processing_job(house: House, call: Call, request: Document) -> Document:
    return await describe(house, call, KIND, request)


async def list_processing_jobs(house: House, call: Call, request: Document) -> Document:
    return await list_page(house, call, KIND, request)


async def stop_processing_job(house: House, call: Call, request: Document) -> Document:
    await stop(house, call, KIND, request["ProcessingJobName"])
    return {}


async def delete_processing_job(house: House, call: Call, request: Document) -> Document:
    await forget(house, call, KIND, request["ProcessingJobName"])
    return {}
