"""Stands in for the package that SageMaker's older containers bring, with the names that users' scripts import.

An installed package of this name goes before it. Source: sagemaker-containers 2.8.6, its public names.
"""

from sagehouse.toolkit.absent import absent
from sagehouse.toolkit.environment import Environment


def training_env():
    """Return what the platform told this training job."""
    return Environment()


__getattr__ = absent(__name__)
