"""The training job as scripts ask for it."""

from sagehouse.toolkit.absent import absent
from sagehouse.toolkit.environment import Environment

__all__ = ["Environment"]
__getattr__ = absent(__name__)
