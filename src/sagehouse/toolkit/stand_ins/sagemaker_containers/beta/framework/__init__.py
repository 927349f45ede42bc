"""The names that scikit-learn and XGBoost scripts import together."""

from sagehouse.toolkit.absent import absent
from sagemaker_containers import entry_point, training_env
from sagemaker_containers.beta.framework import (
    content_types,
    encoders,
    env,
    errors,
    modules,
    transformer,
    worker,
)

__all__ = [
    "content_types",
    "encoders",
    "entry_point",
    "env",
    "errors",
    "modules",
    "training_env",
    "transformer",
    "worker",
]
__getattr__ = absent(__name__)
