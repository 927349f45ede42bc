"""Errors that scripts raise or catch."""

from sagehouse.toolkit.arrays import UnsupportedType as UnsupportedFormatError
from sagehouse.toolkit.errors import ToolkitError as ClientError

__all__ = ["ClientError", "UnsupportedFormatError"]
