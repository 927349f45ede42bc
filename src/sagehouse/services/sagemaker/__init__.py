"""Amazon SageMaker's control plane: one package per family of operations, one module per kind of resource."""

from collections.abc import Mapping

from sagehouse.ports.house import Operation
from sagehouse.services.sagemaker import endpoints, jobs, pipelines, registry, search, tags
from sagehouse.services.sagemaker.endpoints import endpoint, endpoint_config, model
from sagehouse.services.sagemaker.jobs import processing_job, training_job, transform_job
from sagehouse.services.sagemaker.members import Members
from sagehouse.services.sagemaker.registry import model_package, model_package_group

OPERATIONS: Mapping[str, Operation] = {
    **endpoints.OPERATIONS,
    **jobs.OPERATIONS,
    **pipelines.OPERATIONS,
    **registry.OPERATIONS,
    **search.OPERATIONS,
    **tags.OPERATIONS,
}

MEMBERS: Mapping[str, Members] = {
    table.operation: table
    for table in (
        endpoint.MEMBERS,
        endpoint.UPDATE_MEMBERS,
        endpoint_config.MEMBERS,
        model.MEMBERS,
        model_package.MEMBERS,
        model_package.UPDATE_MEMBERS,
        model_package_group.MEMBERS,
        processing_job.MEMBERS,
        training_job.MEMBERS,
        transform_job.MEMBERS,
    )
}
"""What becomes of each member of the requests that create and update, by operation."""
