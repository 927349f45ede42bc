"""Arrays to text or bytes and back, by content type."""

from sagehouse.toolkit import arrays
from sagehouse.toolkit.absent import absent


def decode(obj, content_type):
    """Return an array. UnsupportedFormatError, answered as 415 or 406, for a type that is not known."""
    return arrays.decode(obj, content_type)


def encode(array_like, content_type):
    """Return text for JSON and CSV, bytes for npy."""
    encoded, kind = arrays.encode(array_like, content_type)
    return encoded.decode("utf-8") if kind in arrays.TEXT_TYPES else encoded


def array_to_npy(array_like):
    return encode(array_like, arrays.NPY)


def npy_to_numpy(npy_array):
    return decode(npy_array, arrays.NPY)


def array_to_json(array_like):
    return encode(array_like, arrays.JSON)


def json_to_numpy(string_like, dtype=None):
    array = decode(string_like, arrays.JSON)
    return array if dtype is None else array.astype(dtype)


def array_to_csv(array_like):
    return encode(array_like, arrays.CSV)


def csv_to_numpy(string_like, dtype=None):
    array = decode(string_like, arrays.CSV)
    return array if dtype is None else array.astype(dtype)


__getattr__ = absent(__name__)
