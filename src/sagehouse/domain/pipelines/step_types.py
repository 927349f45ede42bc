"""What each type of step does: the operations behind it and where its name, ARN and status are."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class StepType:
    """`create` is "" for steps that are decided and not run."""

    name: str
    create: str = ""
    describe: str = ""
    stop: str = ""
    kind: str = ""
    """Kind of the catalog whose writes say that the step went on; "" when Create does all there is to do."""
    name_member: str = ""
    arn_member: str = ""
    metadata_member: str = ""
    """Member of PipelineExecutionStepMetadata that holds the ARN."""
    cache_members: tuple[str, ...] = ()
    """Arguments which, unchanged, let an earlier result stand.

    Source: SageMaker developer guide, "Default cache key attributes by pipeline step type".
    """

    @property
    def is_job(self) -> bool:
        return bool(self.kind)

    @property
    def runs(self) -> bool:
        return bool(self.create)


STEP_TYPES: Mapping[str, StepType] = MappingProxyType(
    {
        step_type.name: step_type
        for step_type in (
            StepType(
                name="Processing",
                create="CreateProcessingJob",
                describe="DescribeProcessingJob",
                stop="StopProcessingJob",
                kind="ProcessingJob",
                name_member="ProcessingJobName",
                arn_member="ProcessingJobArn",
                metadata_member="ProcessingJob",
                cache_members=("AppSpecification", "Environment", "ProcessingInputs"),
            ),
            StepType(
                name="Training",
                create="CreateTrainingJob",
                describe="DescribeTrainingJob",
                stop="StopTrainingJob",
                kind="TrainingJob",
                name_member="TrainingJobName",
                arn_member="TrainingJobArn",
                metadata_member="TrainingJob",
                cache_members=(
                    "AlgorithmSpecification",
                    "CheckpointConfig",
                    "DebugHookConfig",
                    "DebugRuleConfigurations",
                    "Environment",
                    "HyperParameters",
                    "InputDataConfig",
                ),
            ),
            StepType(
                name="Transform",
                create="CreateTransformJob",
                describe="DescribeTransformJob",
                stop="StopTransformJob",
                kind="TransformJob",
                name_member="TransformJobName",
                arn_member="TransformJobArn",
                metadata_member="TransformJob",
                cache_members=(
                    "BatchStrategy",
                    "DataProcessing",
                    "Environment",
                    "ModelClientConfig",
                    "ModelName",
                    "TransformInput",
                ),
            ),
            StepType(
                name="Model",
                create="CreateModel",
                describe="DescribeModel",
                name_member="ModelName",
                arn_member="ModelArn",
                metadata_member="Model",
            ),
            StepType(
                name="RegisterModel",
                create="CreateModelPackage",
                describe="DescribeModelPackage",
                name_member="ModelPackageName",
                arn_member="ModelPackageArn",
                metadata_member="RegisterModel",
            ),
            StepType(name="Condition", metadata_member="Condition"),
            StepType(name="Fail", metadata_member="Fail"),
        )
    }
)
