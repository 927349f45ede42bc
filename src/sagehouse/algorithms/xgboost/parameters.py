"""Hyperparameters as XGBoost takes them. Ranges are judged by the control plane before the job starts."""

import ast

from sagehouse.algorithms.xgboost.errors import UserError
from sagehouse.algorithms.xgboost.version import VERSION

_INTEGERS = frozenset(
    {
        "num_round", "csv_weights", "early_stopping_rounds", "verbosity", "nthread", "max_depth", "refresh_leaf",
        "max_leaves", "max_bin", "one_drop", "num_class", "_kfold", "_num_cv_round", "seed", "num_parallel_tree",
        "silent",
    }
)  # fmt: skip
_NUMBERS = frozenset(
    {
        "eta", "gamma", "min_child_weight", "max_delta_step", "subsample", "colsample_bytree", "colsample_bylevel",
        "colsample_bynode", "lambda", "alpha", "sketch_eps", "scale_pos_weight", "rate_drop", "skip_drop",
        "lambda_bias", "tweedie_variance_power", "base_score", "aft_loss_distribution_scale", "prob_buffer_row",
    }
)  # fmt: skip
_TEXTS = frozenset(
    {
        "booster", "tree_method", "updater", "dsplit", "process_type", "grow_policy", "predictor", "sample_type",
        "normalize_type", "objective", "save_model_on_termination", "aft_loss_distribution", "sampling_method",
        "deterministic_histogram", "single_precision_histogram", "use_dask_gpu_training", "_tuning_objective_metric",
    }
)  # fmt: skip
_LITERALS = frozenset({"monotone_constraints", "interaction_constraints"})
_ALIASES = {"learning_rate": "eta", "min_split_loss": "gamma", "reg_lambda": "lambda", "reg_alpha": "alpha"}
_OURS = frozenset(
    {
        "num_round", "csv_weights", "early_stopping_rounds", "_kfold", "_num_cv_round", "save_model_on_termination",
        "_tuning_objective_metric", "eval_metric", "use_dask_gpu_training",
    }
)  # fmt: skip
_GONE_IN_2 = frozenset({"predictor", "single_precision_histogram", "deterministic_histogram", "sketch_eps", "dsplit"})


class Parameters:
    """The hyperparameters of one job: `booster` for XGBoost, the rest for this algorithm."""

    def __init__(self, hyperparameters):
        typed = _typed(hyperparameters)
        if "num_round" not in typed:
            raise UserError("Missing required hyperparameter: num_round")
        if typed.get("use_dask_gpu_training") == "true" or typed.get("tree_method") == "gpu_hist":
            raise UserError("GPU training is not available here: use tree_method hist without use_dask_gpu_training.")
        self.rounds = typed["num_round"]
        self.has_csv_weights = typed.get("csv_weights", 0) == 1
        self.early_stopping_rounds = typed.get("early_stopping_rounds")
        self.folds = typed.get("_kfold")
        self.fold_repeats = typed.get("_num_cv_round", 1)
        self.saves_on_termination = typed.get("save_model_on_termination", "false") == "true"
        self.tuned = _tuned(typed.get("_tuning_objective_metric"))
        self.named_metrics = typed.get("eval_metric", [])
        self.objective = typed.get("objective", "reg:squarederror")
        self.booster = {
            k: v for k, v in typed.items() if k not in _OURS and not (VERSION >= (2, 0) and k in _GONE_IN_2)
        }
        if self.objective == "reg:linear":
            self.booster["objective"] = self.objective = "reg:squarederror"

    @property
    def metrics(self):
        """The metrics to report: what was named, and what a tuning job optimises; [] leaves the choice to XGBoost."""
        if self.tuned is None:
            return list(self.named_metrics)
        return sorted({*self.named_metrics, self.tuned})

    @property
    def stopping_metric(self):
        """The metric that stops training early; None for the last one reported."""
        if self.tuned is not None:
            return self.tuned
        return self.named_metrics[-1] if self.named_metrics else None


def _typed(hyperparameters):
    typed = {}
    for given, value in hyperparameters.items():
        name = _ALIASES.get(given, given)
        try:
            typed[name] = _one(name, value)
        except (ValueError, SyntaxError, TypeError) as error:
            raise UserError("Hyperparameter %s: could not parse value %r" % (given, value)) from error
    return typed


def _one(name, value):
    text = str(value)
    if name in _INTEGERS:
        return int(text)
    if name in _NUMBERS:
        return float(text)
    if name in _TEXTS:
        return text.lower() if text in ("True", "False") else text
    if name in _LITERALS:
        return str(ast.literal_eval(text)) if name == "interaction_constraints" else tuple(ast.literal_eval(text))
    if name == "eval_metric":
        return [str(one) for one in value] if isinstance(value, list) else [one.strip() for one in text.split(",")]
    raise UserError("Extraneous hyperparameter found: %s" % name)


def _tuned(objective_metric):
    """Return "rmse" of "validation:rmse"."""
    return str(objective_metric).split(":")[1] if objective_metric else None
