"""Bodies to arrays."""

from sagehouse.toolkit.absent import absent
from sagehouse.toolkit.arrays import decode

__all__ = ["decode"]
__getattr__ = absent(__name__)
