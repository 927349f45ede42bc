"""The hyperparameters of the built-in XGBoost algorithm.

Source: SageMaker developer guide, "XGBoost hyperparameters"; aws/sagemaker-xgboost-container,
algorithm_mode/hyperparameter_validation.py. `silent` is older than verbosity and no longer in that table, but images
up to 1.0-1 take it, and the SDK's own pipeline examples still give it; XGBoost from 1.0 on warns that it is not used.
"""

from collections.abc import Mapping
from types import MappingProxyType

from sagehouse.domain.hyperparameters.rules import (
    Hyperparameter,
    Hyperparameters,
    Interval,
    Value,
    choice,
    choices_of,
    groups,
    integer,
    number,
    signs,
)

OBJECTIVES = (
    "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax", "multi:softprob",
    "rank:pairwise", "rank:ndcg", "rank:map", "reg:linear", "reg:squarederror", "reg:logistic", "reg:gamma",
    "reg:pseudohubererror", "reg:absoluteerror", "reg:squaredlogerror", "reg:tweedie",
    "survival:aft", "survival:cox", "aft_loss_distribution",
)  # fmt: skip
METRICS = (
    "accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg", "precision",
    "precision_macro", "precision_micro", "r2", "recall", "recall_macro", "recall_micro", "aft-nloglik", "cox-nloglik",
    "error", "gamma-deviance", "gamma-nloglik", "interval-regression-accuracy", "logloss", "mae", "mape", "merror",
    "mlogloss", "mphe", "mse", "poisson-nloglik", "rmse", "rmsle", "tweedie-nloglik",
)  # fmt: skip

_TREE_UPDATERS = (
    "grow_colmaker", "distcol", "grow_histmaker", "grow_local_histmaker", "grow_skmaker", "sync", "refresh", "prune",
    "grow_quantile_histmaker",
)  # fmt: skip
_TREE_GROWERS = frozenset(
    {"grow_colmaker", "distcol", "grow_histmaker", "grow_local_histmaker", "grow_quantile_histmaker"}
)
_LINEAR_UPDATERS = ("shotgun", "coord_descent")
_UPDATERS = (*_TREE_UPDATERS, *_LINEAR_UPDATERS)
_THRESHOLDED = ("error", "ndcg", "map")

_FRACTION = Interval(at_least=0, at_most=1)
_SHARE = Interval(above=0, at_most=1)
_NOT_NEGATIVE = Interval(at_least=0)
_POSITIVE_INTEGER = Interval(at_least=1)
_FLAG = Interval(at_least=0, at_most=1)


def _eval_metric_fault(metric: str) -> str:
    name, at, threshold = metric.partition("@")
    if not at:
        return "" if metric in METRICS else f"value {metric} not in range {list(METRICS)}"
    if name.strip() not in _THRESHOLDED:
        return (
            f"Metric '{metric}' is not supported. Parameter 'eval_metric' with customized threshold should be one of "
            "these options: 'error', 'ndcg', 'map'."
        )
    try:
        float(threshold.removesuffix("-"))
    except ValueError:
        return f"Threshold value 't' in '{name}@t' expects float input."
    return ""


def _eval_metric_fits(value: Value, others: Mapping[str, Value]) -> str:
    objective = str(others.get("objective", ""))
    assert isinstance(value, list)
    if "auc" in value and not objective.startswith(("binary:", "rank:", "multi:")):
        return "Metric 'auc' can only be applied for classification and ranking problems."
    if "aft-nloglik" in value and objective != "survival:aft":
        return "Metric 'aft-nloglik' can only be applied for 'survival:aft' objective."
    return ""


def _objective_fits(value: Value, others: Mapping[str, Value]) -> str:
    if value in ("multi:softmax", "multi:softprob") and "num_class" not in others:
        return "Require input for parameter 'num_class' for multi-classification"
    return ""


def _num_class_fits(_: Value, others: Mapping[str, Value]) -> str:
    if "objective" not in others:
        return "Do not need to setup parameter 'num_class' for learning task other than multi-classification."
    return ""


def _updater_fits(value: Value, others: Mapping[str, Value]) -> str:
    assert isinstance(value, list)
    if others.get("booster") == "gblinear":
        if len(value) == 1 and value[0] in _LINEAR_UPDATERS:
            return ""
        return f"Linear updater should be one of these options: {', '.join(map(repr, _LINEAR_UPDATERS))}."
    if others.get("process_type") == "update":
        if set(map(str, value)) <= {"refresh", "prune"}:
            return ""
        return "process_type 'update' can only be used with updater 'refresh' and 'prune'"
    if not set(map(str, value)) <= set(_TREE_UPDATERS):
        return f"Tree updater should be selected from these options: {', '.join(map(repr, _TREE_UPDATERS))}."
    if sum(one in _TREE_GROWERS for one in map(str, value)) > 1:
        return f"Only one tree grow plugin can be selected. Choose one from {', '.join(sorted(_TREE_GROWERS))}."
    return ""


def _needs_tree_method(name: str, *methods: str) -> "_NeedsTreeMethod":
    return _NeedsTreeMethod(name, methods)


class _NeedsTreeMethod:
    """A constraint that only some tree methods know."""

    def __init__(self, name: str, methods: tuple[str, ...]) -> None:
        self._name = name
        self._methods = methods

    def __call__(self, _: Value, others: Mapping[str, Value]) -> str:
        if others.get("tree_method") in self._methods:
            return ""
        allowed = ", ".join(map(repr, self._methods))
        return f"{self._name} can be used only when the tree_method parameter is set to one of {allowed}."


def _table(*rows: Hyperparameter) -> Mapping[str, Hyperparameter]:
    return MappingProxyType({row.name: row for row in rows})


HYPERPARAMETERS = Hyperparameters(
    aliases=MappingProxyType(
        {"learning_rate": "eta", "min_split_loss": "gamma", "reg_lambda": "lambda", "reg_alpha": "alpha"}
    ),
    table=_table(
        integer("num_round", _POSITIVE_INTEGER, is_required=True, is_tunable=True),
        integer("csv_weights", _FLAG),
        integer("early_stopping_rounds", _POSITIVE_INTEGER),
        choice("booster", ("gbtree", "gblinear", "dart")),
        integer("verbosity", Interval(at_least=0, at_most=3)),
        integer("silent", _FLAG),
        integer("nthread", _POSITIVE_INTEGER),
        number("eta", _FRACTION, is_tunable=True),
        number("gamma", _NOT_NEGATIVE, is_tunable=True),
        integer("max_depth", _NOT_NEGATIVE, is_tunable=True),
        number("min_child_weight", _NOT_NEGATIVE, is_tunable=True),
        number("max_delta_step", _NOT_NEGATIVE, is_tunable=True),
        number("subsample", _SHARE, is_tunable=True),
        number("colsample_bytree", _SHARE, is_tunable=True),
        number("colsample_bylevel", _SHARE, is_tunable=True),
        number("colsample_bynode", _SHARE, is_tunable=True),
        number("lambda", _NOT_NEGATIVE, is_tunable=True),
        number("alpha", _NOT_NEGATIVE, is_tunable=True),
        choice("tree_method", ("auto", "exact", "approx", "hist", "gpu_hist")),
        number("sketch_eps", Interval(above=0, below=1)),
        number("scale_pos_weight", Interval(above=0)),
        choices_of(
            "updater",
            lambda one: "" if one in _UPDATERS else f"value {one} not in range {list(_UPDATERS)}",
            depends=_updater_fits,
            range_text=", ".join(_UPDATERS),
        ),
        choice("dsplit", ("row", "col")),
        integer("refresh_leaf", _FLAG),
        choice("process_type", ("default", "update")),
        choice("grow_policy", ("depthwise", "lossguide")),
        integer("max_leaves", _NOT_NEGATIVE),
        integer("max_bin", _NOT_NEGATIVE),
        choice("predictor", ("auto", "cpu_predictor", "gpu_predictor")),
        signs("monotone_constraints", depends=_needs_tree_method("monotone_constraints", "exact", "hist")),
        groups(
            "interaction_constraints",
            depends=_needs_tree_method("interaction_constraints", "exact", "hist", "approx"),
        ),
        choice("sample_type", ("uniform", "weighted")),
        choice("normalize_type", ("tree", "forest")),
        number("rate_drop", _FRACTION),
        integer("one_drop", _FLAG),
        number("skip_drop", _FRACTION),
        number("lambda_bias", _FRACTION),
        number("tweedie_variance_power", Interval(above=1, below=2)),
        choice("objective", OBJECTIVES, depends=_objective_fits),
        Hyperparameter(
            name="num_class",
            parse=int,
            fault=integer("num_class", Interval(at_least=2)).fault,
            depends=_num_class_fits,
            range_text="[2, +inf)",
        ),
        number("base_score", _NOT_NEGATIVE),
        integer("_kfold", Interval(at_least=2)),
        integer("_num_cv_round", _POSITIVE_INTEGER),
        choice("_tuning_objective_metric", tuple(f"validation:{metric}" for metric in METRICS)),
        choices_of("eval_metric", _eval_metric_fault, depends=_eval_metric_fits, range_text=", ".join(METRICS)),
        integer("seed", Interval(above=-(2**31), below=2**31 - 1)),
        integer("num_parallel_tree", _POSITIVE_INTEGER),
        choice("save_model_on_termination", ("true", "false")),
        choice("aft_loss_distribution", ("normal", "logistic", "extreme")),
        number("aft_loss_distribution_scale", Interval(above=0)),
        choice("deterministic_histogram", ("true", "false")),
        choice("single_precision_histogram", ("true", "false")),
        choice("sampling_method", ("uniform", "gradient_based")),
        number("prob_buffer_row", Interval(above=1)),
        choice("use_dask_gpu_training", ("true", "false")),
    ),
)
