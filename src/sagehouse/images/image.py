"""The value an image URI resolves to. Its environment mirrors `ports.runtime`, which stands above this room."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Framework: TypeAlias = Literal["sklearn", "xgboost", "python"]

TRAIN = ("python", "-m", "sagehouse.toolkit.train")
SERVE = ("python", "-m", "sagehouse.toolkit.serve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """One way to build an environment; fields as in `ports.runtime.Requirements`."""

    packages: Sequence[str]
    """Requirement specifiers, exact versions."""
    pythons: Sequence[str]
    """Acceptable "3.11" versions, best first."""
    note: str = ""
    """What differs from what the image names; "" when nothing does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSpec:
    """A Python environment; fields as in `ports.runtime.EnvironmentSpec`."""

    name: str
    """For people: "sagemaker-scikit-learn 1.2-1"."""
    alternatives: Sequence[Requirements]
    """Tried in order. The exact ones come first, later ones are the nearest."""

    @property
    def notes(self) -> frozenset[str]:
        """What a log may say of the environment before anything runs in it."""
        return frozenset(one.note for one in self.alternatives if one.note)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDefinition:
    """A metric of a built-in algorithm, found in the job's log."""

    name: str
    """"validation:rmse"."""
    regex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What runs when a job, a model or a pipeline step names an image."""

    uri: str
    """As it was asked for."""
    repository: str
    """"sagemaker-xgboost"."""
    tag: str
    """As in the URI: "1.2-1-cpu-py3"."""
    version: str
    """The framework version the tag names, as AWS spells it: "1.2-1"."""
    framework: Framework
    """SAGEHOUSE_FRAMEWORK inside the job: which defaults hold."""
    environment: EnvironmentSpec
    algorithm: str = ""
    """The built-in algorithm that trains when the hyperparameters name no program: "xgboost"; "" if there is none."""
    metric_definitions: Sequence[MetricDefinition] = ()
    """What the service injects into AlgorithmSpecification.MetricDefinitions."""
    train_command: Sequence[str] = TRAIN
    serve_command: Sequence[str] = SERVE

    @property
    def is_algorithm(self) -> bool:
        """Whether a training job needs no script."""
        return bool(self.algorithm)
