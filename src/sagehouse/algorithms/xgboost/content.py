"""The content types the algorithm reads."""

from sagehouse.algorithms.xgboost.errors import UserError

CSV, LIBSVM, PARQUET, RECORDIO = "csv", "libsvm", "parquet", "recordio-protobuf"

_KINDS = {
    "csv": CSV,
    "text/csv": CSV,
    "libsvm": LIBSVM,
    "text/libsvm": LIBSVM,
    "text/x-libsvm": LIBSVM,
    "parquet": PARQUET,
    "application/x-parquet": PARQUET,
    "recordio-protobuf": RECORDIO,
    "application/x-recordio-protobuf": RECORDIO,
}


def kind_of(content_type, default=LIBSVM):
    """Return the kind of a content type; `default` where none is named. A CSV may say label_size=1, nothing else."""
    if not content_type:
        return default
    name, *options = [part.strip().lower() for part in content_type.split(";")]
    kind = _KINDS.get(name)
    if kind is None:
        raise UserError("%s is not an accepted ContentType: %s." % (content_type, ", ".join(_KINDS)))
    if kind == CSV:
        for option in options:
            key, _, value = option.partition("=")
            if key.strip() == "label_size" and value.strip() != "1":
                raise UserError(
                    "%s is not an accepted csv ContentType. Optional parameter label_size must be equal to 1"
                    % content_type
                )
    return kind
