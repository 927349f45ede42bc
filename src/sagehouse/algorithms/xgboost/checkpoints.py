"""Checkpoints: one file per round in the directory that the platform syncs, the newest five kept.

Source: aws/sagemaker-xgboost-container, checkpointing.py: names, suffixes and number.
"""

import contextlib
from pathlib import Path

import xgboost

from sagehouse.algorithms.xgboost.log import info

_NAME = "xgboost-checkpoint"
_UNFINISHED = ".sagemaker-ignore"
_KEPT = 5


class Checkpoints:
    """The checkpoints in one directory; a fold of a cross validation has names of its own."""

    def __init__(self, directory, fold=None):
        self._directory = Path(directory)
        self._name = _NAME if fold is None else "%s-%d" % (_NAME, fold)
        self._ours = []
        self._directory.mkdir(parents=True, exist_ok=True)

    def latest(self):
        """Return the round to go on with and the file of the newest checkpoint that can be read; (0, None) for none."""
        for iteration in sorted(self._iterations(), reverse=True):
            path = self._path(iteration)
            try:
                xgboost.Booster().load_model(str(path))
            except xgboost.core.XGBoostError:
                continue
            info("Checkpoint loaded from %s" % path)
            info("Resuming from iteration %d" % (iteration + 1))
            return iteration + 1, str(path)
        return 0, None

    def save(self, booster, iteration):
        """Write the round's checkpoint whole or not at all, and remove this run's oldest."""
        finished = self._path(iteration)
        unfinished = finished.with_name(finished.name + _UNFINISHED)
        save_model(booster, unfinished)
        unfinished.replace(finished)
        self._ours.append(iteration)
        for old in self._ours[:-_KEPT]:
            with contextlib.suppress(FileNotFoundError):
                self._path(old).unlink()
        self._ours = self._ours[-_KEPT:]

    def _iterations(self):
        prefix = self._name + "."
        found = (path.name[len(prefix) :] for path in self._directory.iterdir() if path.name.startswith(prefix))
        return [int(number) for number in found if number.isdigit()]

    def _path(self, iteration):
        return self._directory / ("%s.%d" % (self._name, iteration))


def save_model(booster, path):
    """Write XGBoost's own format to a file whose name says nothing about it."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer releases would rather have a .ubj at the end of the name
        booster.save_model(str(path))
