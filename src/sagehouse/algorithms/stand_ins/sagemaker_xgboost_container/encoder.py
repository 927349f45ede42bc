"""Requests to matrices, as input_fn does it by default."""

from sagehouse.algorithms.xgboost.handlers import ScriptDefaults
from sagehouse.toolkit.absent import absent


def decode(obj, content_type):
    """Return the DMatrix of a CSV, libsvm or RecordIO body."""
    return ScriptDefaults().input_fn(obj, content_type)


def csv_to_dmatrix(input, dtype=None):  # noqa: A002, ARG001 - the container's own names
    return decode(input, "text/csv")


def libsvm_to_dmatrix(string_like):
    return decode(string_like, "text/libsvm")


def recordio_protobuf_to_dmatrix(string_like):
    return decode(string_like, "application/x-recordio-protobuf")


__getattr__ = absent(__name__)
