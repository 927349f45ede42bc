"""The boosting loop: rounds, log lines, early stopping, checkpoints, and an orderly end on SIGTERM.

It drives `Booster.update` itself, because xgboost.train's callbacks changed twice between 0.90 and 3.2.
"""

import signal

import xgboost

from sagehouse.algorithms.xgboost import metrics
from sagehouse.algorithms.xgboost.errors import AlgorithmError, UserError
from sagehouse.algorithms.xgboost.log import info
from sagehouse.algorithms.xgboost.version import SLICES

_USERS = (
    "label must be in [0,1] for logistic regression",
    "label must be in [0, num_class)",
    "feature_names mismatch",
    "Check failed: preds.size() == info.labels_.size()",
    "Check failed: !auc_error",
    "base_score must be in (0,1)",
    "label must be nonnegative",
    "Label must be",
    "label must be",
    "must have at least one",
    "greater equal to 0",
    "Target is multiclass",
)
"""Messages of XGBoost that the data or the hyperparameters cause.

Source: aws/sagemaker-xgboost-container, constants/xgb_constants.CUSTOMER_ERRORS.
"""


class Stopped(Exception):
    """SIGTERM came: the rounds so far are in `booster`."""

    def __init__(self, booster):
        super().__init__("training was stopped")
        self.booster = booster


def boost(parameters, watched, *, checkpoints=None):
    """Train and return the booster, and the last value of every metric as {"train-rmse": 0.5}.

    `watched` is [(DMatrix, "train"), (DMatrix, "validation")]; the first is trained on.
    """
    try:
        return _boost(parameters, watched, checkpoints)
    except xgboost.core.XGBoostError as error:
        message = _without_stack(str(error))
        if any(known in message for known in _USERS):
            raise UserError(message) from error
        raise AlgorithmError("XGB train call failed with exception:\n %s" % message) from error


def _boost(parameters, watched, checkpoints):
    start, model = checkpoints.latest() if checkpoints else (0, None)
    booster = xgboost.Booster(dict(parameters.booster), [one for one, _ in watched], model_file=model)
    native = [name for name in parameters.metrics if name not in metrics.ADDED]
    if native:
        booster.set_param([("eval_metric", name) for name in native])
    elif parameters.metrics:
        booster.set_param([("disable_default_eval_metric", 1)])
    stopping = _EarlyStopping(parameters, watched)
    stop = _Termination() if parameters.saves_on_termination else None
    told = {}
    for iteration in range(start, parameters.rounds):
        booster.update(watched[0][0], iteration)
        told = _evaluate(booster, watched, iteration, parameters)
        print("[%d]\t%s" % (iteration, "\t".join("%s:%.5f" % one for one in told.items())), flush=True)
        if checkpoints:
            checkpoints.save(booster, iteration)
        if stopping.is_over(told, iteration):
            break
        if stop is not None and stop.is_asked:
            raise Stopped(booster)
    return stopping.best(booster), told


def _evaluate(booster, watched, iteration, parameters):
    """Return {"train-rmse": 1.5, "validation-rmse": 1.6} after a round, metrics of one data set together."""
    values = {}
    for part in booster.eval_set(watched, iteration).split("\t")[1:]:
        name, _, value = part.rpartition(":")
        values[name] = float(value)
    extra = [name for name in parameters.metrics if name in metrics.ADDED]
    ordered = {}
    for data, name in watched:
        ordered.update({key: value for key, value in values.items() if key.startswith(name + "-")})
        if extra:
            predictions = booster.predict(data)
            for metric in extra:
                ordered["%s-%s" % (name, metric)] = metrics.added(
                    metric, parameters.objective, data.get_label(), predictions
                )
    return ordered


def _without_stack(message):
    """Return XGBoost's message without time, source file and addresses: "Check failed: ... label must be in [0,1]"."""
    told = message.split("Stack trace")[0].strip()
    at = told.find("Check failed")
    return told[at:] if at >= 0 else told


class _EarlyStopping:
    """Ends training after rounds without improvement and keeps the best round's model."""

    def __init__(self, parameters, watched):
        self._patience = parameters.early_stopping_rounds
        self._data = watched[-1][1]
        self._metric = parameters.stopping_metric
        self._best = None
        self._best_iteration = 0
        self._rounds = 0

    def is_over(self, told, iteration):
        self._rounds = iteration + 1
        if not self._patience:
            return False
        names = [name for name in told if name.startswith(self._data + "-")]
        wanted = "%s-%s" % (self._data, self._metric)
        name = wanted if wanted in told else names[-1]
        metric = name[len(self._data) + 1 :]
        if self._best is None or metrics.is_better(metric, told[name], self._best):
            self._best, self._best_iteration = told[name], iteration
            return False
        if iteration - self._best_iteration < self._patience:
            return False
        info("Stopping early: %s has not improved since iteration %d" % (name, self._best_iteration))
        return True

    def best(self, booster):
        if not self._patience or self._best is None:
            return booster
        kept = booster
        if SLICES and self._best_iteration + 1 < self._rounds and _is_tree(booster):
            kept = booster[: self._best_iteration + 1]
        kept.set_attr(best_score=str(self._best), best_iteration=str(self._best_iteration))
        kept.best_score, kept.best_iteration = self._best, self._best_iteration
        if not SLICES:
            kept.best_ntree_limit = self._best_iteration + 1
        return kept


def _is_tree(booster):
    import json

    return json.loads(booster.save_config())["learner"]["gradient_booster"]["name"] != "gblinear"


class _Termination:
    """Remembers that SIGTERM came."""

    def __init__(self):
        self.is_asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_):
        self.is_asked = True
