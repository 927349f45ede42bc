"""Model packages: versions of a group, or alone under a name of their own."""

from typing import Any

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, Invalid, SagehouseError
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Query, Replace, Stored
from sagehouse.ports.house import House
from sagehouse.resources.kind import Kind
from sagehouse.resources.listing import list_page
from sagehouse.resources.verbs import ATTEMPTS, amend, create, delete, load, new, presented
from sagehouse.services.sagemaker.members import Members
from sagehouse.services.sagemaker.registry.containers import require_containers
from sagehouse.services.sagemaker.registry.model_package_group import KIND as GROUP
from sagehouse.services.sagemaker.registry.model_package_group import by

MEMBERS = Members(
    operation="CreateModelPackage",
    honoured=frozenset(
        {
            "ModelPackageName",
            "ModelPackageGroupName",
            "ModelPackageDescription",
            "ModelPackageRegistrationType",
            "InferenceSpecification",
            "AdditionalInferenceSpecifications",
            "Tags",
            "ModelApprovalStatus",
            "MetadataProperties",
            "ModelMetrics",
            "ClientToken",
            "Domain",
            "Task",
            "SamplePayloadUrl",
            "CustomerMetadataProperties",
            "DriftCheckBaselines",
            "SkipModelValidation",
            "SourceUri",
            "ModelCard",
            "ModelLifeCycle",
            "CertifyForMarketplace",
        }
    ),
    refused={
        "ValidationSpecification": "packages are not validated by a transform job; run one of your own.",
        "SourceAlgorithmSpecification": "algorithm resources do not exist here; give InferenceSpecification.",
        "CertifyForMarketplace=True": "there is no marketplace here.",
        "ManagedStorageType": "there is no managed storage for models; leave it out.",
    },
    not_honoured={"SecurityConfig": "The package's metadata is stored without encryption."},
)

UPDATE_MEMBERS = Members(
    operation="UpdateModelPackage",
    honoured=frozenset(
        {
            "ModelPackageArn",
            "ModelApprovalStatus",
            "ModelPackageRegistrationType",
            "ApprovalDescription",
            "CustomerMetadataProperties",
            "CustomerMetadataPropertiesToRemove",
            "AdditionalInferenceSpecificationsToAdd",
            "InferenceSpecification",
            "SourceUri",
            "ModelCard",
            "ModelLifeCycle",
            "ClientToken",
        }
    ),
)

_SUMMARY = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)
_BATCH = (
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "InferenceSpecification",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
)


def _taken(arn: str, _name: str) -> SagehouseError:
    return Invalid(f"ModelPackage already exists: {arn}")


def _prepare(call: Call, document: Document) -> Document:
    prepared: Document = {
        "CertifyForMarketplace": False,
        "SkipModelValidation": "None",
        **document,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CreatedBy": by(call),
        "_Type": "Unversioned",
    }
    if "ModelPackageVersion" in document:
        del prepared["ModelPackageName"]  # a version has none: its group and number name it
        prepared |= {"_Type": "Versioned", "ModelApprovalStatus": "PendingManualApproval"}
        prepared |= {member: document[member] for member in ("ModelApprovalStatus",) if member in document}
    if "ClientToken" in prepared:
        prepared["_ClientToken"] = prepared.pop("ClientToken")
    return prepared


def _summarize(_call: Call, document: Document) -> Document:
    return {member: document[member] for member in _SUMMARY if member in document}


KIND = Kind(
    name="ModelPackage",
    name_member="ModelPackageName",
    arn_member="ModelPackageArn",
    arn_resource="model-package/{name}",
    summaries_member="ModelPackageSummaryList",
    filters={"ModelApprovalStatus": "ModelApprovalStatus"},
    taken=_taken,
    prepare=_prepare,
    summarize=_summarize,
)
"""A version's key is named "group/3", like its ARN; its parent is the group."""


async def create_model_package(house: House, call: Call, request: Document) -> Document:
    """Register the next version of a group, or a package under a name of its own.

    The SDKs send a ModelApprovalStatus for a package of its own too; it is kept as sent, though only versions of a
    group are approved.
    Again with the same ClientToken it is the same package.
    """
    _check(request)
    if "ModelPackageGroupName" in request:
        return {"ModelPackageArn": await _register(house, call, request)}
    same = await _same_token(house, call, request, parent="")
    if same is None:
        await require_containers(house, call, request)
        same = await create(house, call, KIND, request)
    return {"ModelPackageArn": same.arn}


def _check(request: Document) -> None:
    """Source: wire observations of CreateModelPackage for the texts about names."""
    MEMBERS.refuse(request)
    if "ModelPackageName" in request and "ModelPackageGroupName" in request:
        raise Invalid(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. "
            "Cannot determine which one to use."
        )
    if "ModelPackageName" not in request and "ModelPackageGroupName" not in request:
        raise Invalid("Missing ARN. Either ModelPackageName or ModelPackageGroupName is required.")
    if "SourceUri" in request and "InferenceSpecification" in request:
        raise Invalid("SourceUri and InferenceSpecification cannot be given together.")
    if "SourceUri" not in request and "InferenceSpecification" not in request:
        raise Invalid("InferenceSpecification is required: it names the containers and the model data.")


async def _register(house: House, call: Call, request: Document) -> str:
    """Store the next version of a group and the number it took in one transaction; return its ARN.

    Numbers are never used twice, not even after their version was deleted.
    """
    for attempt in range(ATTEMPTS):
        group = await load(house, call, GROUP, request["ModelPackageGroupName"])
        same = await _same_token(house, call, request, parent=group.key.name)
        if same is not None:
            return same.arn
        if attempt == 0:
            await require_containers(house, call, request)
        version = int(group.document.get("_LastVersion", 0)) + 1
        numbered = {**request, "ModelPackageGroupName": group.key.name, "ModelPackageVersion": version}
        insert = new(call, KIND, numbered, name=f"{group.key.name}/{version}", parent=group.key.name)
        taking = Replace(
            key=group.key,
            document={**group.document, "_LastVersion": version},
            status=group.status,
            expect_version=group.version,
            now=call.now,
            who=call.principal,
            why=f"version {version} registered",
        )
        try:
            await house.catalog.write(taking, insert)
        except Conflict as error:
            if error.code != "VersionChanged" or attempt == ATTEMPTS - 1:
                raise
        else:
            return insert.arn
    raise AssertionError("the last attempt returns or raises")


async def _same_token(house: House, call: Call, request: Document, *, parent: str) -> Stored | None:
    """Return the package that an earlier request with this ClientToken created."""
    token = request.get("ClientToken")
    if token is None:
        return None
    if parent == "":
        stored = await house.catalog.find(KIND.arn(call, request["ModelPackageName"]))
        return stored if stored is not None and stored.document.get("_ClientToken") == token else None
    query = Query(
        account=call.account,
        region=call.region,
        kind=KIND.name,
        parent=parent,
        equals={"_ClientToken": token},
        limit=1,
    )
    page = await house.catalog.page(query)
    return page.items[0] if page.items else None


async def describe_model_package(house: House, call: Call, request: Document) -> Document:
    """Describe a package by name or ARN; "MetadataOnly" leaves the model card's content out."""
    document = presented(call, KIND, await load(house, call, KIND, request["ModelPackageName"]))
    if request.get("IncludedData") == "MetadataOnly" and "ModelCard" in document:
        document["ModelCard"] = {**document["ModelCard"], "ModelCardContent": "{}"}
    return document


async def batch_describe_model_package(house: House, call: Call, request: Document) -> Document:
    """Describe many packages; those that do not exist are in the error map."""
    found: Document = {}
    errors: Document = {}
    for arn in request["ModelPackageArnList"]:
        try:
            document = presented(call, KIND, await load(house, call, KIND, arn))
        except Invalid as error:
            errors[arn] = {"ErrorCode": "ValidationException", "ErrorResponse": error.message}
        else:
            found[arn] = {member: document[member] for member in _BATCH if member in document}
    return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": errors}


async def list_model_packages(house: House, call: Call, request: Document) -> Document:
    """List packages: of a group when one is named, else those of the asked type, unversioned ones by default.

    Source: API reference, ListModelPackages, ModelPackageType.
    """
    handled = ("ModelPackageGroupName", "ModelPackageType")
    equals: dict[str, str] = {}
    parent = None
    if "ModelPackageGroupName" in request:
        parent = (await load(house, call, GROUP, request["ModelPackageGroupName"])).key.name
    kind_of_package = request.get("ModelPackageType", "Both" if parent else "Unversioned")
    if kind_of_package != "Both":
        equals["_Type"] = kind_of_package
    return await list_page(house, call, KIND, request, parent=parent, equals=equals, handled=handled)


async def update_model_package(house: House, call: Call, request: Document) -> Document:
    """Approve or reject a version, change its metadata. The same request twice is the same as once."""
    UPDATE_MEMBERS.refuse(request)
    await require_containers(house, call, request)

    def changed(stored: Stored) -> Document:
        return {**_changed(stored.document, request), "LastModifiedBy": by(call)}

    why = "UpdateModelPackage"
    if "ModelApprovalStatus" in request:
        why = f"{request['ModelApprovalStatus']}: {request.get('ApprovalDescription', '')}".rstrip(": ")
    stored = await amend(house, call, KIND, request["ModelPackageArn"], changed, why=why)
    return {"ModelPackageArn": stored.arn}


def _changed(document: Document, request: Document) -> Document:
    if "ModelApprovalStatus" in request and document["_Type"] != "Versioned":
        raise Invalid("ModelApprovalStatus belongs to versions of a model package group; leave it out.")
    after: Document = dict(document)
    for member in (
        "ModelApprovalStatus",
        "ApprovalDescription",
        "ModelPackageRegistrationType",
        "InferenceSpecification",
        "SourceUri",
        "ModelLifeCycle",
    ):
        if member in request:
            after[member] = request[member]
    if "ModelCard" in request:
        after["ModelCard"] = {**document.get("ModelCard", {}), **request["ModelCard"]}
    _change_metadata(after, request)
    _add_specifications(after, request)
    return after


def _change_metadata(after: Document, request: Document) -> None:
    properties: dict[str, Any] = {
        **after.get("CustomerMetadataProperties", {}),
        **request.get("CustomerMetadataProperties", {}),
    }
    for key in request.get("CustomerMetadataPropertiesToRemove", ()):
        properties.pop(key, None)
    after.pop("CustomerMetadataProperties", None)
    if properties:
        after["CustomerMetadataProperties"] = properties


def _add_specifications(after: Document, request: Document) -> None:
    held = list(after.get("AdditionalInferenceSpecifications", ()))
    for one in request.get("AdditionalInferenceSpecificationsToAdd", ()):
        if one in held:
            continue
        if any(other["Name"] == one["Name"] for other in held):
            raise Invalid(f"There already is an additional inference specification {one['Name']!r}.")
        held.append(one)
    if held:
        after["AdditionalInferenceSpecifications"] = held


async def delete_model_package(house: House, call: Call, request: Document) -> Document:
    """Delete a package by name or ARN; models made from it stay."""
    await delete(house, call, KIND, request["ModelPackageName"])
    return {}


async def package_containers(house: House, call: Call, name: str) -> list[Document]:
    """Return the containers of a package's inference specification; `name` is a name, an ARN, or "group/3".

    Invalid if it is a version that is not approved.
    Source: service model, CreateModelPackageInput, ModelApprovalStatus: "For versioned models, the value of this
    parameter must be set to Approved to deploy the model."
    """
    stored = await load(house, call, KIND, name)
    status = stored.document.get("ModelApprovalStatus")
    if stored.document["_Type"] == "Versioned" and status != "Approved":
        raise Invalid(
            f"Model package {stored.arn} is {status}, not Approved, and cannot be deployed. "
            "Set its ModelApprovalStatus to Approved with UpdateModelPackage first."
        )
    found = stored.document.get("InferenceSpecification")
    if found is None:
        raise Invalid(f"Model package {stored.arn} has no InferenceSpecification to create a model from.")
    return [dict(container) for container in found["Containers"]]
