"""Jobs: training, processing, batch transform."""

from collections.abc import Mapping

from sagehouse.ports.house import Operation
from sagehouse.services.sagemaker.jobs.processing_job import (
    create_processing_job,
    delete_processing_job,
    describe_processing_job,
    list_processing_jobs,
    stop_processing_job,
)
from sagehouse.services.sagemaker.jobs.training_job import (
    create_training_job,
    delete_training_job,
    describe_training_job,
    list_training_jobs,
    stop_training_job,
)
from sagehouse.services.sagemaker.jobs.transform_job import (
    create_transform_job,
    describe_transform_job,
    list_transform_jobs,
    stop_transform_job,
)

OPERATIONS: Mapping[str, Operation] = {
    "CreateProcessingJob": create_processing_job,
    "CreateTrainingJob": create_training_job,
    "CreateTransformJob": create_transform_job,
    "DeleteProcessingJob": delete_processing_job,
    "DeleteTrainingJob": delete_training_job,
    "DescribeProcessingJob": describe_processing_job,
    "DescribeTrainingJob": describe_training_job,
    "DescribeTransformJob": describe_transform_job,
    "ListProcessingJobs": list_processing_jobs,
    "ListTrainingJobs": list_training_jobs,
    "ListTransformJobs": list_transform_jobs,
    "StopProcessingJob": stop_processing_job,
    "StopTrainingJob": stop_training_job,
    "StopTransformJob": stop_transform_job,
}
