"""Whose fault it is that the algorithm cannot go on."""


class UserError(Exception):
    """The data or the hyperparameters are not what the algorithm takes; the message says what to change."""


class AlgorithmError(Exception):
    """XGBoost failed on its own."""
