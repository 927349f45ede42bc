"""Pipelines: definitions and their versions, executions, steps."""

from collections.abc import Mapping

from sagehouse.ports.house import Operation
from sagehouse.services.sagemaker.pipelines.execution import (
    describe_pipeline_definition_for_execution,
    describe_pipeline_execution,
    list_pipeline_executions,
    list_pipeline_parameters_for_execution,
    retry_pipeline_execution,
    start_pipeline_execution,
    stop_pipeline_execution,
    update_pipeline_execution,
)
from sagehouse.services.sagemaker.pipelines.pipeline import (
    create_pipeline,
    delete_pipeline,
    describe_pipeline,
    list_pipelines,
    update_pipeline,
)
from sagehouse.services.sagemaker.pipelines.steps import list_pipeline_execution_steps
from sagehouse.services.sagemaker.pipelines.version import list_pipeline_versions, update_pipeline_version

OPERATIONS: Mapping[str, Operation] = {
    "CreatePipeline": create_pipeline,
    "DeletePipeline": delete_pipeline,
    "DescribePipeline": describe_pipeline,
    "DescribePipelineDefinitionForExecution": describe_pipeline_definition_for_execution,
    "DescribePipelineExecution": describe_pipeline_execution,
    "ListPipelineExecutionSteps": list_pipeline_execution_steps,
    "ListPipelineExecutions": list_pipeline_executions,
    "ListPipelineParametersForExecution": list_pipeline_parameters_for_execution,
    "ListPipelineVersions": list_pipeline_versions,
    "ListPipelines": list_pipelines,
    "RetryPipelineExecution": retry_pipeline_execution,
    "StartPipelineExecution": start_pipeline_execution,
    "StopPipelineExecution": stop_pipeline_execution,
    "UpdatePipeline": update_pipeline,
    "UpdatePipelineExecution": update_pipeline_execution,
    "UpdatePipelineVersion": update_pipeline_version,
}
