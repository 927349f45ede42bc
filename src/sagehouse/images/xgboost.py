"""The environments of `sagemaker-xgboost` and of the legacy `xgboost` repository, and the metrics of the algorithm.

Up to 2.0 XGBoost's wheels carry no NVIDIA library of their own; from 2.1 on `xgboost` drags in 290 MB of NCCL, so the
`xgboost-cpu` distribution of the same version takes its place (same `import xgboost`).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sagehouse.images import packages as sets
from sagehouse.images.image import MetricDefinition, Requirements

_OLD = ("scikit-learn==1.2.1", *sets.NUMPY_1_23)
_MIDDLE = ("scikit-learn==1.3.2", *sets.NUMPY_1_26)
_NEW = ("scikit-learn==1.5.2", *sets.NUMPY_2_1)


def _before_2_1(version: str, *, named: str = "") -> Sequence[Requirements]:
    """Return XGBoost `version`; Python 3.13 has only numpy 2, which XGBoost knows from 1.7 on."""
    note = f"XGBoost {version} instead of {named}, which has no wheel for a Python of this machine" if named else ""
    exact = f"xgboost=={version}"
    known = (
        Requirements(packages=sets.scientific(exact, *_OLD), pythons=("3.9", "3.10", "3.8", "3.11"), note=note),
        Requirements(packages=sets.scientific(exact, *_MIDDLE), pythons=("3.12",), note=note),
    )
    if version.startswith("1.7"):
        return (*known, Requirements(packages=sets.scientific(exact, *_NEW), pythons=("3.13",)))
    late = f"XGBoost 1.7.6, which reads older models, instead of {named or version}, which does not know numpy 2"
    return (*known, Requirements(packages=sets.scientific("xgboost==1.7.6", *_NEW), pythons=("3.13",), note=late))


ENVIRONMENTS: Mapping[str, Sequence[Requirements]] = MappingProxyType(
    {
        "0.90-1": _before_2_1("0.90"),
        "0.90-2": _before_2_1("0.90"),
        "1.0-1": _before_2_1("1.0.0"),
        "1.2-1": _before_2_1("1.2.0"),
        "1.2-2": _before_2_1("1.2.0"),
        "1.3-1": _before_2_1("1.3.3"),
        "1.5-1": _before_2_1("1.5.2"),
        "1.7-1": _before_2_1("1.7.4"),
        "3.0-5": (
            Requirements(
                packages=sets.scientific("xgboost-cpu==3.0.5", *_NEW), pythons=("3.10", "3.11", "3.12", "3.13")
            ),
        ),
        "3.2-0": (
            Requirements(
                packages=sets.scientific("xgboost-cpu==3.2.0", *_NEW), pythons=("3.10", "3.11", "3.12", "3.13")
            ),
        ),
    }
)
"""Version as AWS spells it -> alternatives, exact first.

Source: sagemaker 2.257.7 and 3.27.0, image_uri_config/xgboost.json; aws/sagemaker-xgboost-container, docker/*/base.
"""

LEGACY_ENVIRONMENTS: Mapping[str, Sequence[Requirements]] = MappingProxyType(
    {"1": _before_2_1("0.90", named="0.72"), "latest": _before_2_1("0.90", named="0.72")}
)

MAXIMIZED = (
    "accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg", "precision",
    "precision_macro", "precision_micro", "r2", "recall", "recall_macro", "recall_micro",
)  # fmt: skip
MINIMIZED = (
    "aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik", "interval-regression-accuracy", "logloss",
    "mae", "mape", "merror", "mlogloss", "mphe", "mse", "poisson-nloglik", "rmse", "rmsle", "tweedie-nloglik",
)  # fmt: skip

_NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"

METRIC_DEFINITIONS = tuple(
    MetricDefinition(name=f"{data}:{metric}", regex=rf".*\[[0-9]+\].*#011{data}-{metric}:{_NUMBER}.*")
    for data in ("train", "validation")
    for metric in sorted((*MAXIMIZED, *MINIMIZED))
)
"""As DescribeTrainingJob shows them; `#011` is how a tab arrives in the log.

Source: SageMaker developer guide, "Tune an XGBoost model", metrics computed by the algorithm.
"""
