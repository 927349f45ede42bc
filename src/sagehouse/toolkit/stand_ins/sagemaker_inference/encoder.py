"""Arrays to bodies."""

from sagehouse.toolkit import arrays
from sagehouse.toolkit.absent import absent


def encode(array_like, content_type):
    """Return text for JSON and CSV, bytes for npy. UnsupportedFormatError, answered as 406, for any other type."""
    encoded, kind = arrays.encode(array_like, content_type)
    return encoded.decode("utf-8") if kind in arrays.TEXT_TYPES else encoded


__getattr__ = absent(__name__)
