"""`python -m sagehouse.algorithms.xgboost.train`: one training job of the built-in algorithm."""

import sys
from pathlib import Path

from sagehouse.algorithms.xgboost import content, data, folds, model
from sagehouse.algorithms.xgboost.boosting import Stopped, boost
from sagehouse.algorithms.xgboost.checkpoints import Checkpoints
from sagehouse.algorithms.xgboost.errors import AlgorithmError, UserError
from sagehouse.algorithms.xgboost.log import error, info, warning
from sagehouse.algorithms.xgboost.parameters import Parameters
from sagehouse.toolkit import failure, paths
from sagehouse.toolkit.configuration import configuration, read

_CHANNELS = ("train", "validation", "code")


def main():
    """Train and return the exit code."""
    try:
        train(configuration())
    except (UserError, AlgorithmError) as problem:
        error(str(problem))
        failure.write_failure("%s: %s" % (type(problem).__name__, problem))
        return 1
    return 0


def train(job):
    """Train on the job's channels and leave the artifact; UserError and AlgorithmError say why not."""
    info("Running XGBoost Sagemaker in algorithm mode")
    parameters = Parameters({**job.hyperparameters, **_tuning(job)})
    _check_channels(job)
    if len(job.hosts) > 1:
        raise UserError(
            "Training on several hosts is not available for the built-in XGBoost algorithm; set InstanceCount to 1."
        )
    kind = content.kind_of(job.channels["train"].get("ContentType"))
    weighted = parameters.has_csv_weights and kind == content.CSV
    train_rows = data.read_channel("train", paths.DATA + "/train", kind, has_weights=weighted)
    other_rows = None
    if "validation" in job.channels:
        other_rows = data.read_channel("validation", paths.DATA + "/validation", kind, has_weights=weighted)
    width = max(rows.features.shape[1] for rows in (train_rows, other_rows) if rows is not None)
    info("Single node training.")
    if parameters.folds is not None:
        whole = train_rows if other_rows is None else data.joined(train_rows, other_rows)
        boosters = folds.cross_validate(parameters, data.matrix(whole, width), checkpoints=_checkpoints)
        for fold, booster in enumerate(boosters):
            model.save(booster, paths.MODEL, fold)
        return
    watched = [(data.matrix(train_rows, width), "train")]
    info("Train matrix has %d rows and %d columns" % (watched[0][0].num_row(), watched[0][0].num_col()))
    if other_rows is not None:
        watched.append((data.matrix(other_rows, width), "validation"))
        info("Validation matrix has %d rows" % watched[1][0].num_row())
    del train_rows, other_rows
    try:
        booster, _ = boost(parameters, watched, checkpoints=_checkpoints(None))
    except Stopped as stopped:
        warning("Training was stopped; the model of the rounds so far is saved")
        booster = stopped.booster
    model.save(booster, paths.MODEL)


def _tuning(job):
    metric = job.platform.get("_tuning_objective_metric")
    return {"_tuning_objective_metric": metric} if metric else {}


def _check_channels(job):
    if "train" not in job.channels:
        raise UserError("Missing required channel: train")
    for name, channel in job.channels.items():
        if name not in _CHANNELS:
            raise UserError("Extraneous channel found: %s. Known are %s." % (name, ", ".join(_CHANNELS)))
        if channel.get("TrainingInputMode") == "Pipe":
            raise UserError("Channel %s: Pipe mode is not available here; use File or FastFile." % name)


def _checkpoints(fold):
    """Return the Checkpoints of the job, None if it asked for none."""
    directory = (read("checkpointconfig.json") or {}).get("LocalPath")
    if directory is None and (Path(paths.CONFIG) / "checkpointconfig.json").exists():
        directory = paths.BASE + "/checkpoints"
    return Checkpoints(directory, fold) if directory else None


if __name__ == "__main__":
    sys.exit(main())
