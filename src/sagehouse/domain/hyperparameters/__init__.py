"""Hyperparameters of built-in algorithms: names, types, ranges and what depends on what. Pure tables and one judge."""

from collections.abc import Mapping
from types import MappingProxyType

from sagehouse.domain.hyperparameters import xgboost
from sagehouse.domain.hyperparameters.rules import Hyperparameters
from sagehouse.kit.errors import Invalid

ALGORITHMS: Mapping[str, Hyperparameters] = MappingProxyType({"xgboost": xgboost.HYPERPARAMETERS})
"""`images.Image.algorithm` -> its hyperparameters."""


def check(algorithm: str, hyperparameters: Mapping[str, str]) -> None:
    """Raise Invalid, naming hyperparameter, value and range, if the algorithm would refuse these.

    A job that names its own program ("sagemaker_program") is script mode: its hyperparameters are the script's. So are
    those of an image without an algorithm ("").
    """
    table = ALGORITHMS.get(algorithm)
    if table is None or "sagemaker_program" in hyperparameters:
        return
    problem = table.problem(hyperparameters)
    if problem:
        raise Invalid(problem)
