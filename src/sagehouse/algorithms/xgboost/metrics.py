"""Evaluation metrics: those XGBoost computes, and those this algorithm adds to them."""

import numpy as np

MAXIMIZED = frozenset(
    {
        "accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg", "precision",
        "precision_macro", "precision_micro", "r2", "recall", "recall_macro", "recall_micro",
    }
)  # fmt: skip

_AVERAGES = {"f1": "macro", "f1_binary": "binary", "f1_macro": "macro", "precision": "binary", "recall": "binary"}
ADDED = (MAXIMIZED - {"auc", "aucpr", "map", "ndcg"}) | {"mse"}
"""Computed here, on predictions. Source: aws/sagemaker-xgboost-container, metrics/custom_metrics.py."""


def is_better(metric, value, best):
    """Whether `value` improves on `best`; a threshold ("error@0.3") does not change the direction."""
    return value > best if metric.split("@")[0].rstrip("-") in MAXIMIZED else value < best


def added(metric, objective, labels, predictions):
    """Return the value of one of ADDED, from labels and what the booster predicts under the job's objective."""
    from sklearn import metrics

    if metric == "mse":
        return float(metrics.mean_squared_error(labels, predictions))
    if metric == "r2":
        return float(metrics.r2_score(labels, predictions))
    chosen = _classes(objective, predictions)
    if metric == "accuracy":
        return float(metrics.accuracy_score(labels, chosen))
    if metric == "balanced_accuracy":
        return float(metrics.balanced_accuracy_score(labels, chosen))
    family, _, average = metric.partition("_")
    score = {"f1": metrics.f1_score, "precision": metrics.precision_score, "recall": metrics.recall_score}[family]
    return float(score(labels, chosen, average=_AVERAGES.get(metric, average), zero_division=0))


def _classes(objective, predictions):
    if predictions.ndim > 1:
        return np.argmax(predictions, axis=-1)
    if objective.startswith("multi:"):
        return predictions
    return (predictions > (0.0 if objective == "binary:logitraw" else 0.5)).astype(np.float32)
