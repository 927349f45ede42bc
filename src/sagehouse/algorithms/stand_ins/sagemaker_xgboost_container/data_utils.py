"""Channels to matrices, as algorithm mode reads them."""

from pathlib import Path

from sagehouse.algorithms.xgboost import content, data
from sagehouse.toolkit.absent import absent


def get_content_type(content_type_cfg_val):
    """Return "csv", "libsvm", "parquet" or "recordio-protobuf"."""
    return content.kind_of(content_type_cfg_val)


def get_dmatrix(data_path, content_type, csv_weights=0, is_pipe=False):
    """Return the DMatrix of every file below a channel's directory; None where there is no such directory."""
    if is_pipe:
        raise NotImplementedError("sagehouse does not implement Pipe mode; use File or FastFile.")
    if not data_path or not Path(data_path).exists() or not data.files_of(data_path):
        return None
    rows = data.read_channel(
        Path(data_path).name, data_path, content.kind_of(content_type), has_weights=bool(csv_weights)
    )
    return data.matrix(rows)


__getattr__ = absent(__name__)
