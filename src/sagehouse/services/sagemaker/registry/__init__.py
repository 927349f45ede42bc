"""The model registry: groups and the packages in them."""

from collections.abc import Mapping

from sagehouse.ports.house import Operation
from sagehouse.services.sagemaker.registry.model_package import (
    batch_describe_model_package,
    create_model_package,
    delete_model_package,
    describe_model_package,
    list_model_packages,
    update_model_package,
)
from sagehouse.services.sagemaker.registry.model_package_group import (
    create_model_package_group,
    delete_model_package_group,
    describe_model_package_group,
    list_model_package_groups,
)

OPERATIONS: Mapping[str, Operation] = {
    "BatchDescribeModelPackage": batch_describe_model_package,
    "CreateModelPackage": create_model_package,
    "CreateModelPackageGroup": create_model_package_group,
    "DeleteModelPackage": delete_model_package,
    "DeleteModelPackageGroup": delete_model_package_group,
    "DescribeModelPackage": describe_model_package,
    "DescribeModelPackageGroup": describe_model_package_group,
    "ListModelPackageGroups": list_model_package_groups,
    "ListModelPackages": list_model_packages,
    "UpdateModelPackage": update_model_package,
}
