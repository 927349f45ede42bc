"""Bytes to rows: what the CSV, libsvm and RecordIO parsers of training and serving share."""

import numpy as np

from sagehouse.algorithms.xgboost import recordio

_DELIMITERS = ",;\t| "


class Rows:
    """Features (a dense array or a sparse matrix), and what the data says of each row; None where it says nothing."""

    __slots__ = ("features", "labels", "queries", "weights")

    def __init__(self, features, labels=None, weights=None, queries=None):
        self.features = features
        self.labels = labels
        self.weights = weights
        self.queries = queries


def delimiter_of(line):
    """Return what separates the columns of a CSV's first line."""
    counts = [(line.count(one), -at, one) for at, one in enumerate(_DELIMITERS)]
    count, _, delimiter = max(counts)
    return delimiter if count else ","


def csv_features(text):
    """Return the numbers of a CSV without header; empty cells are missing (NaN). ValueError on what is no number."""
    lines = text.strip("\r\n").split("\n")
    delimiter = delimiter_of(lines[0])
    rows = [
        [float(cell) if cell.strip() else np.nan for cell in line.rstrip("\r").split(delimiter)]
        for line in lines
        if line
    ]
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise ValueError("the rows have different numbers of columns: %s" % sorted(widths))
    return np.array(rows, dtype=np.float32)


def libsvm_rows(lines, *, has_label):
    """Return the rows of "<label>[:<weight>] [qid:<n>] <index>:<value> ...". Indices are columns as they stand.

    Without labels a leading number that is no pair is passed over.
    """
    from scipy.sparse import csr_matrix

    values, columns, starts = [], [], [0]
    labels, weights, queries = [], [], []
    for line in lines:
        cells = line.split("#", 1)[0].split()
        if not cells:
            continue
        if has_label:
            label, _, weight = cells[0].partition(":")
            labels.append(float(label))
            if weight:
                weights.append(float(weight))
            cells = cells[1:]
        for cell in cells:
            index, colon, value = cell.partition(":")
            if not colon:
                if has_label:
                    raise ValueError("%r is not <index>:<value>" % cell)
                continue
            if index == "qid":
                queries.append(int(value))
                continue
            columns.append(int(index))
            values.append(float(value))
        starts.append(len(values))
    width = max(columns) + 1 if columns else 0
    features = csr_matrix(
        (np.array(values, dtype=np.float32), np.array(columns, dtype=np.int32), np.array(starts)),
        shape=(len(starts) - 1, width),
    )
    return Rows(
        features,
        np.array(labels, dtype=np.float32) if has_label else None,
        np.array(weights, dtype=np.float32) if weights and len(weights) == len(labels) else None,
        np.array(queries) if queries and len(queries) == len(labels) else None,
    )


def recordio_rows(data):
    """Return the rows of RecordIO-protobuf: dense records as an array, sparse ones as a sparse matrix."""
    rows, labels = [], []
    for features, told in recordio.records(data):
        rows.append(features["values"] if "values" in features else next(iter(features.values())))
        if "values" in told:
            labels += told["values"].values
    if not rows:
        raise ValueError("there is no record in the data")
    marks = np.array(labels, dtype=np.float32) if labels else None
    if not any(row.keys for row in rows):
        return Rows(np.array([row.values for row in rows], dtype=np.float32), marks)
    from scipy.sparse import csr_matrix

    width = max([row.shape[0] for row in rows if row.shape] + [max(row.keys) + 1 for row in rows if row.keys])
    starts = np.cumsum([0] + [len(row.keys) for row in rows])
    features = csr_matrix(
        (
            np.array([value for row in rows for value in row.values], dtype=np.float32),
            np.array([key for row in rows for key in row.keys], dtype=np.int32),
            starts,
        ),
        shape=(len(rows), width),
    )
    return Rows(features, marks)
