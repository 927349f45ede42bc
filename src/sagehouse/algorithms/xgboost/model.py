"""The artifact: /opt/ml/model/xgboost-model, pickled or in XGBoost's own format as the container's version does it."""

import json
import pickle
from pathlib import Path

import xgboost

from sagehouse.algorithms.xgboost.checkpoints import save_model
from sagehouse.algorithms.xgboost.version import RANGES, SAVES_NATIVELY

NAME = "xgboost-model"
_PICKLED = b"\x80"


def save(booster, directory, fold=None):
    """Write the artifact, one per fold of a cross validation."""
    path = Path(directory) / (NAME if fold is None else "%s-%d" % (NAME, fold))
    path.parent.mkdir(parents=True, exist_ok=True)
    if SAVES_NATIVELY:
        save_model(booster, path)
        return
    with path.open("wb") as file:
        pickle.dump(booster, file)


def load_all(directory):
    """Return the boosters of every file of the model directory, pickled or not.

    RuntimeError, naming the file, if one cannot be read: a pickle is read by the XGBoost that wrote it.
    """
    files = sorted(path for path in Path(directory).iterdir() if path.is_file() and not path.name.startswith("."))
    boosters = [_load(path) for path in files]
    if not boosters:
        raise RuntimeError("There is no model in %s." % directory)
    return boosters


def _load(path):
    with path.open("rb") as file:
        is_pickled = file.read(1) == _PICKLED
    try:
        if is_pickled:
            with path.open("rb") as file:
                booster = pickle.load(file)
        else:
            booster = xgboost.Booster()
            booster.load_model(str(path))
    except Exception as error:  # pickle raises whatever the classes it meets raise
        raise RuntimeError(
            "Model at %s cannot be loaded by XGBoost %s: %s" % (path, xgboost.__version__, error)
        ) from error
    if hasattr(booster, "get_booster"):  # a pickled XGBClassifier or XGBRegressor
        booster = booster.get_booster()
    booster.set_param({"nthread": 1})
    return booster


def features_of(booster):
    """Return how many features the booster was trained on, None if it does not say."""
    if hasattr(booster, "num_features"):
        return booster.num_features()
    if booster.feature_names:
        return len(booster.feature_names)
    if not hasattr(booster, "save_config"):
        return None
    return int(json.loads(booster.save_config())["learner"]["learner_model_param"]["num_feature"]) or None


def predict(booster, matrix):
    """Return the booster's predictions, with the best rounds only where training stopped early."""
    if not RANGES:
        return booster.predict(
            matrix, ntree_limit=getattr(booster, "best_ntree_limit", 0) or 0, validate_features=False
        )
    best = booster.attr("best_iteration")
    end = min(int(best) + 1, booster.num_boosted_rounds()) if best else 0
    return booster.predict(matrix, iteration_range=(0, end), validate_features=False)
