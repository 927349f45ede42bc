"""Batch transform jobs: what may be asked for. The transform controller does the rest."""

from sagehouse.domain.lifecycle import TRANSFORM_JOB
from sagehouse.domain.transform.plan import Plan
from sagehouse.kit.document import Document
from sagehouse.ports.call import Call
from sagehouse.ports.house import House
from sagehouse.resources.kind import Kind
from sagehouse.resources.listing import list_page
from sagehouse.resources.verbs import create, describe, load
from sagehouse.services.sagemaker.endpoints.model import KIND as MODEL
from sagehouse.services.sagemaker.jobs.processing_job import taken
from sagehouse.services.sagemaker.jobs.stopping import stop
from sagehouse.services.sagemaker.members import Members
from sagehouse.services.sagemaker.quotas import check_instances
from sagehouse.services.sagemaker.s3 import require_bucket, require_input

MEMBERS = Members(
    operation="CreateTransformJob",
    honoured=frozenset(
        {
            "TransformJobName",
            "ModelName",
            "MaxConcurrentTransforms",
            "ModelClientConfig",
            "MaxPayloadInMB",
            "BatchStrategy",
            "Environment",
            "TransformInput",
            "TransformOutput.S3OutputPath",
            "TransformOutput.Accept",
            "TransformOutput.AssembleWith",
            "TransformResources.InstanceType",
            "TransformResources.InstanceCount",
            "DataProcessing",
            "Tags",
        }
    ),
    refused={
        "TransformInput.DataSource.S3DataSource.S3DataType=AugmentedManifestFile": "use S3Prefix or ManifestFile.",
        "TransformInput.DataSource.S3DataSource.S3DataType=Converse": "use S3Prefix or ManifestFile.",
        "DataCaptureConfig": "batch transform does not capture data; leave it out.",
        "TransformResources.TransformAmiVersion": "there are no machine images here; leave it out.",
    },
    not_honoured={
        "TransformOutput.KmsKeyId": "Output is stored without encryption.",
        "TransformResources.VolumeKmsKeyId": "The job's disk is not encrypted.",
        "ExperimentConfig": "The job is not associated with an experiment.",
    },
)


def _check(_call: Call, request: Document) -> None:
    MEMBERS.refuse(request)
    resources = request["TransformResources"]
    check_instances([(resources["InstanceType"], resources["InstanceCount"])], usage="transform job")
    Plan.from_document(request)  # what the controller could not do is refused now


def _prepare(_call: Call, document: Document) -> Document:
    return {
        **document,
        "TransformInput": {"CompressionType": "None", "SplitType": "None", **document["TransformInput"]},
        "TransformOutput": {"AssembleWith": "None", "KmsKeyId": "", **document["TransformOutput"]},
        "DataProcessing": {
            "InputFilter": "$",
            "OutputFilter": "$",
            "JoinSource": "None",
            **document.get("DataProcessing", {}),
        },
    }


KIND = Kind(
    name="TransformJob",
    name_member="TransformJobName",
    arn_member="TransformJobArn",
    arn_resource="transform-job/{name}",
    summaries_member="TransformJobSummaries",
    lifecycle=TRANSFORM_JOB,
    first_status="InProgress",
    taken=taken,
    check=_check,
    prepare=_prepare,
)


async def create_transform_job(house: House, call: Call, request: Document) -> Document:
    """Store the job and wake its controller."""
    KIND.check(call, request)
    model = await load(house, call, MODEL, request["ModelName"])
    uri = request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    await require_input(house, call, uri, role=model.document.get("ExecutionRoleArn", ""))
    output = request["TransformOutput"]["S3OutputPath"]
    await require_bucket(house, call, output, member="TransformOutput.S3OutputPath")
    stored = await create(house, call, KIND, request)
    return {"TransformJobArn": stored.arn}


async def describe_transform_job(house: House, call: Call, request: Document) -> Document:
    return await describe(house, call, KIND, request)


async def list_transform_jobs(house: House, call: Call, request: Document) -> Document:
    return await list_page(house, call, KIND, request)


async def stop_transform_job(house: House, call: Call, request: Document) -> Document:
    await stop(house, call, KIND, request["TransformJobName"])
    return {}
