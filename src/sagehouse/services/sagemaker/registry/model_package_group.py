"""Model package groups: the names under which versions of a model are registered."""

from sagehouse.kit.document import Document
from sagehouse.kit.errors import Conflict, Invalid, SagehouseError
from sagehouse.ports.call import Call
from sagehouse.ports.catalog import Delete, Query
from sagehouse.ports.house import House
from sagehouse.resources.kind import Kind
from sagehouse.resources.listing import list_page
from sagehouse.resources.verbs import create, describe, load
from sagehouse.services.sagemaker.members import Members

MEMBERS = Members(
    operation="CreateModelPackageGroup",
    honoured=frozenset({"ModelPackageGroupName", "ModelPackageGroupDescription", "Tags"}),
    refused={"ManagedConfiguration": "there is no managed storage for models; leave it out."},
)


def by(call: Call) -> Document:
    """Return the caller as CreatedBy and LastModifiedBy name them."""
    return {"IamIdentity": {"Arn": call.principal}}


def _missing(arn: str, _name: str) -> SagehouseError:
    return Invalid(f"ModelPackageGroup {arn} does not exist.")


def _taken(arn: str, _name: str) -> SagehouseError:
    return Invalid(f"Model Package Group already exists: {arn}")


def _check(_call: Call, request: Document) -> None:
    MEMBERS.refuse(request)


def _prepare(call: Call, document: Document) -> Document:
    return {**document, "ModelPackageGroupStatus": "Completed", "CreatedBy": by(call)}


KIND = Kind(
    name="ModelPackageGroup",
    name_member="ModelPackageGroupName",
    arn_member="ModelPackageGroupArn",
    arn_resource="model-package-group/{name}",
    summaries_member="ModelPackageGroupSummaryList",
    modified_member="",
    missing=_missing,
    taken=_taken,
    check=_check,
    prepare=_prepare,
)


async def create_model_package_group(house: House, call: Call, request: Document) -> Document:
    stored = await create(house, call, KIND, request)
    return {"ModelPackageGroupArn": stored.arn}


async def describe_model_package_group(house: House, call: Call, request: Document) -> Document:
    return await describe(house, call, KIND, request)


async def list_model_package_groups(house: House, call: Call, request: Document) -> Document:
    """List the caller's groups; no group is ever shared from another account."""
    if request.get("CrossAccountFilterOption") == "CrossAccount":
        return {KIND.summaries_member: []}
    return await list_page(house, call, KIND, request, handled=["CrossAccountFilterOption"])


async def delete_model_package_group(house: House, call: Call, request: Document) -> Document:
    """Delete an empty group.

    A version registered meanwhile has changed the group, so that the deletion is refused: no version is ever left
    without its group.
    """
    stored = await load(house, call, KIND, request["ModelPackageGroupName"])
    versions = Query(account=call.account, region=call.region, kind="ModelPackage", parent=stored.key.name)
    if await house.catalog.count(versions):
        raise _not_empty(stored.arn)
    end = Delete(key=stored.key, expect_version=stored.version, now=call.now, who=call.principal, why=call.operation)
    try:
        await house.catalog.write(end)
    except Conflict as error:
        raise _not_empty(stored.arn) from error
    return {}


def _not_empty(arn: str) -> Conflict:
    return Conflict(
        f"Model Package Group {arn} cannot be deleted because it still contains Model Packages. Delete them first."
    )
