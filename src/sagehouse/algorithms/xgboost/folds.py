"""Cross validation inside one job (_kfold, _num_cv_round): a model per fold, and every row predicted by the others.

Source: SageMaker developer guide, Autopilot's use of XGBoost; aws/sagemaker-xgboost-container, train.py and
prediction_utils.py.
"""

from pathlib import Path

import numpy as np

from sagehouse.algorithms.xgboost.boosting import boost
from sagehouse.algorithms.xgboost.log import info
from sagehouse.toolkit import paths

PREDICTIONS = "predictions.csv"


def cross_validate(parameters, whole, *, checkpoints):
    """Return the boosters of all folds and rounds; predictions.csv goes to the job's output data.

    `whole` is the DMatrix of both channels, `checkpoints(fold)` the Checkpoints of one fold or None.
    """
    from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold

    labels = whole.get_label()
    is_classification = parameters.objective.startswith(("binary:", "multi:"))
    kind = RepeatedStratifiedKFold if is_classification else RepeatedKFold
    split = kind(
        n_splits=parameters.folds, n_repeats=parameters.fold_repeats, random_state=parameters.booster.get("seed")
    )
    info(
        "Run %d-round of %d-fold cross validation with %d rows"
        % (parameters.fold_repeats, parameters.folds, len(labels))
    )
    boosters, told, predictions = [], [], [[] for _ in labels]
    for train_rows, other_rows in split.split(np.zeros(len(labels)), labels if is_classification else None):
        fold = len(boosters)
        info("Train cross validation fold %d" % (fold % parameters.folds + 1))
        train, others = whole.slice(train_rows), whole.slice(other_rows)
        booster, last = boost(parameters, [(train, "train"), (others, "validation")], checkpoints=checkpoints(fold))
        boosters.append(booster)
        told.append(last)
        for at, prediction in enumerate(booster.predict(others)):
            predictions[other_rows[at]].append(prediction)
        if len(boosters) % parameters.folds == 0:
            info("The metrics of round %d cross validation" % (len(boosters) // parameters.folds))
            _report(parameters.rounds, told[-parameters.folds :])
    if parameters.fold_repeats > 1:
        info("The overall metrics of %d-round cross validation" % parameters.fold_repeats)
        _report(parameters.rounds, told)
    _save(labels, predictions, is_classification)
    return boosters


def _report(rounds, told):
    means = ["%s:%.5f" % (name, np.mean([one[name] for one in told])) for name in told[0]]
    print("[%d]\t%s" % (rounds, "\t".join(means)), flush=True)


def _save(labels, predictions, is_classification):
    """Write label, mean prediction, and for classes the one predicted most often."""
    path = Path(paths.OUTPUT_DATA) / PREDICTIONS
    path.parent.mkdir(parents=True, exist_ok=True)
    info("Storing predictions on validation set(s) in %s" % path)
    rows = [_row(labels[at], np.array(of_row), is_classification) for at, of_row in enumerate(predictions)]
    np.savetxt(path, np.array(rows), delimiter=",", fmt="%f")


def _row(label, of_row, is_classification):
    if not is_classification:
        return [label, of_row.mean()]
    if of_row.ndim > 1:
        classes, chances = of_row.argmax(axis=-1), of_row.max(axis=-1)
    else:
        classes, chances = (of_row > 0.5).astype(int), of_row
    return [label, chances.mean(), np.bincount(classes.astype(int)).argmax()]
