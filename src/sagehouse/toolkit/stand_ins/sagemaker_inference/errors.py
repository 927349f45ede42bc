"""Errors that scripts raise or catch."""

from sagehouse.toolkit.arrays import UnsupportedType as UnsupportedFormatError

__all__ = ["UnsupportedFormatError"]
