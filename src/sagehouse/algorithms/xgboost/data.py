"""Channels to matrices: every file of a channel, in one of the content types, as one xgboost.DMatrix."""

from pathlib import Path

import numpy as np
import xgboost

from sagehouse.algorithms.xgboost import content, formats
from sagehouse.algorithms.xgboost.errors import UserError
from sagehouse.algorithms.xgboost.log import info


def files_of(directory):
    """Return the data files below a channel's directory, sorted; names with "_" are left out.

    UserError for hidden files, as in AWS's container: they are there by accident.
    """
    found = []
    for path in sorted(Path(directory).rglob("*")):
        if not path.is_file():
            continue
        if path.name.startswith("."):
            raise UserError("Hidden file found in the data path! Remove that before training: %s" % path)
        if not path.name.startswith("_") and path.stat().st_size:
            found.append(path)
    return found


def read_channel(name, directory, kind, *, has_weights=False):
    """Return the Rows of a channel. UserError, naming channel and file, if there are none or they cannot be read."""
    files = files_of(directory)
    if not files:
        raise UserError(
            "No data in the %s channel: there are no files with anything in them in %s." % (name, directory)
        )
    info("File path %s of input files" % directory)
    rows = _stacked([_read(path, kind, has_weights) for path in files])
    if rows.labels is None or len(rows.labels) != rows.features.shape[0]:
        raise UserError("Got input data without labels in the %s channel. Please check the input data set." % name)
    return rows


def matrix(rows, width=None):
    """Return the DMatrix of rows; `width` widens sparse rows to the columns of another channel."""
    features = rows.features
    if width is not None and hasattr(features, "tocsr") and features.shape[1] < width:
        features = _widened(features, width)
    made = xgboost.DMatrix(features, label=rows.labels, weight=rows.weights, missing=np.nan)
    if rows.queries is not None:
        changes = np.flatnonzero(np.diff(rows.queries)) + 1
        made.set_group(np.diff(np.concatenate([[0], changes, [len(rows.queries)]])))
    return made


def joined(first, second):
    """Return the rows of both."""
    return _stacked([first, second])


def _read(path, kind, has_weights):
    try:
        if kind == content.CSV:
            return _labelled(_csv(path), has_weights)
        if kind == content.PARQUET:
            return _labelled(_parquet(path), has_weights=False)
        if kind == content.RECORDIO:
            return formats.recordio_rows(path.read_bytes())
        with path.open(encoding="utf-8", errors="replace") as file:
            return formats.libsvm_rows(file, has_label=True)
    except (ValueError, KeyError, OverflowError) as error:
        line = _first_line(path) if kind in (content.CSV, content.LIBSVM) else ""
        start = "First line '%s...' of file '%s'" % (line[:50], path.name) if line else path.name
        raise UserError(
            "Failed to load %s data: %s. %s is not in '%s' format, or not throughout. %s"
            % (kind, error, start, kind.upper(), _ADVICE[kind])
        ) from error


_ADVICE = {
    content.CSV: "A CSV holds numbers only, the label in the first column, and no header.",
    content.LIBSVM: "Name the content type (text/csv) if the files are no libsvm, which is the default.",
    content.PARQUET: "The label is the first column, and every column holds numbers.",
    content.RECORDIO: "Records hold the features under 'values' and the label under 'values'.",
}


def _csv(path):
    import pandas

    delimiter = formats.delimiter_of(_first_line(path))
    try:
        table = pandas.read_csv(path, header=None, sep=delimiter, dtype=np.float32, skipinitialspace=delimiter != " ")
    except pandas.errors.ParserError as error:
        raise ValueError(str(error).strip()) from error
    return table.to_numpy()


def _parquet(path):
    try:
        import pandas

        table = pandas.read_parquet(path)
    except ImportError as error:
        raise UserError("Parquet channels need pyarrow, which this environment does not have: %s" % error) from error
    except Exception as error:  # pyarrow's own errors, whose classes differ by version
        raise ValueError(str(error)) from error
    return table.to_numpy(dtype=np.float32)


def _labelled(array, has_weights):
    first = 2 if has_weights else 1
    if array.ndim != 2 or array.shape[1] <= first:
        raise ValueError("%d columns are too few" % (array.shape[1] if array.ndim == 2 else 1))
    return formats.Rows(array[:, first:], array[:, 0], array[:, 1] if has_weights else None)


def _stacked(parts):
    if len(parts) == 1:
        return parts[0]
    width = max(part.features.shape[1] for part in parts)
    if all(hasattr(part.features, "tocsr") for part in parts):
        from scipy.sparse import vstack

        features = vstack([_widened(part.features, width) for part in parts]).tocsr()
    else:
        widths = {part.features.shape[1] for part in parts}
        if len(widths) > 1:
            raise UserError("The files have different numbers of columns: %s." % sorted(widths))
        features = np.concatenate([_dense(part.features) for part in parts])
    return formats.Rows(features, *(_all(parts, name) for name in ("labels", "weights", "queries")))


def _all(parts, name):
    told = [getattr(part, name) for part in parts]
    return None if any(one is None for one in told) else np.concatenate(told)


def _dense(features):
    return features.toarray() if hasattr(features, "toarray") else features


def _widened(features, width):
    from scipy.sparse import csr_matrix

    return csr_matrix((features.data, features.indices, features.indptr), shape=(features.shape[0], width))


def _first_line(path):
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline().rstrip("\r\n")
