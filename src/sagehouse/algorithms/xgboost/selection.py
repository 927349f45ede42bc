"""Selectable inference output: which facts of a prediction SAGEMAKER_INFERENCE_OUTPUT asks for.

Source: aws/sagemaker-xgboost-container, algorithm_mode/serve_utils.py; SageMaker developer guide, "Autopilot, inference
definitions".
"""

import json
import math

from sagehouse.algorithms.xgboost import recordio

_REGRESSION = ("predicted_score",)
_SCORES = ("predicted_label", "labels", "raw_score", "raw_scores")
_CHANCES = (*_SCORES, "probability", "probabilities")
_KNOWN = {
    "reg:squarederror": _REGRESSION,
    "reg:logistic": _REGRESSION,
    "reg:gamma": _REGRESSION,
    "reg:tweedie": _REGRESSION,
    "binary:logistic": _CHANCES,
    "binary:logitraw": _SCORES,
    "binary:hinge": _SCORES,
    "multi:softmax": _SCORES,
    "multi:softprob": _CHANCES,
}


def select(predictions, keys, objective, classes):
    """Return one dict per prediction with the keys asked for; NaN for what the objective does not know."""
    if objective not in _KNOWN:
        raise ValueError("Objective `%s` unsupported for selectable inference predictions." % objective)
    known = _KNOWN[objective]
    return [
        {key: _fact(key, one, objective, classes) if key in known else math.nan for key in keys} for one in predictions
    ]


def encode(selected, keys, accept, *, is_batch):
    """Return the selected facts as JSON, JSON lines, CSV or RecordIO."""
    if accept == "application/json":
        return json.dumps({"predictions": selected}).encode("utf-8")
    if accept == "application/jsonlines":
        return "".join(json.dumps(one) + "\n" for one in selected).encode("utf-8")
    if accept == "application/x-recordio-protobuf":
        return recordio.write(
            {key: value if isinstance(value, list) else [value] for key, value in one.items()} for one in selected
        )
    lines = [",".join(_cell(one[key]) for key in keys) for one in selected]
    return ("\n".join(lines) + ("\n" if is_batch else "")).encode("utf-8")


def _cell(value):
    return '"%s"' % value if isinstance(value, list) else str(value)


def _fact(key, one, objective, classes):
    is_vector = objective == "multi:softprob"
    if key == "labels":
        return [0, 1] if objective.startswith("binary:") else list(range(classes))
    if key == "predicted_label":
        return _label(one, objective)
    if key in ("probability", "raw_score", "predicted_score"):
        return float(max(one)) if is_vector else float(one)
    return [float(value) for value in one] if is_vector else [1.0 - float(one), float(one)]


def _label(one, objective):
    if objective == "multi:softprob":
        return int(one.argmax())
    if objective == "binary:logistic":
        return int(one > 0.5)
    if objective == "binary:logitraw":
        return int(one > 0)
    return float(one)
