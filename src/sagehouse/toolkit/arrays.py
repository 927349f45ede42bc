"""Default decoders and encoders between bytes and numpy arrays. numpy is imported where a request needs it."""

import io
import json

JSON, CSV, NPY, NPZ, ANY = "application/json", "text/csv", "application/x-npy", "application/x-npz", "*/*"
TEXT_TYPES = (JSON, CSV)


class UnsupportedType(Exception):
    """No default decoder or encoder knows this content type."""

    def __init__(self, content_type):
        super().__init__(
            "Content type %s is not supported by this framework. Please implement input_fn to deserialize the request "
            "data or an output_fn to serialize the response." % content_type
        )


def media_type(content_type):
    """Return "text/csv" of "text/csv; charset=utf-8"."""
    return (content_type or "").partition(";")[0].strip().lower()


def decode(body, content_type):
    """Return an array of a JSON, CSV, npy or npz body. A single CSV row has one dimension, as in AWS's container.

    Source: sagemaker-inference 1.10.1, decoder.decode.
    """
    import numpy as np

    kind = media_type(content_type)
    if kind == NPY:
        return np.load(io.BytesIO(body), allow_pickle=True)
    if kind == JSON:
        return np.array(json.loads(body))
    if kind == CSV:
        return np.genfromtxt(io.StringIO(body if isinstance(body, str) else body.decode("utf-8")), delimiter=",")
    if kind == NPZ:
        import scipy.sparse

        return scipy.sparse.load_npz(io.BytesIO(body))
    raise UnsupportedType(content_type)


def encode(prediction, accept):
    """Return bytes and content type of a prediction, in the first of the accepted types that is known.

    Source: sagemaker-inference 1.10.1, encoder.encode and utils.parse_accept.
    """
    for wish in (accept or "").split(","):
        kind = media_type(wish)
        if kind == JSON:
            return json.dumps(prediction, default=_plain).encode("utf-8"), kind
        if kind == CSV:
            return _csv(prediction), kind
        if kind == NPY:
            return _npy(prediction), kind
    raise UnsupportedType(accept)


def _plain(value):
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError("%s is not JSON serializable" % type(value).__name__)


def _csv(prediction):
    import numpy as np

    stream = io.StringIO()
    np.savetxt(stream, prediction, delimiter=",", fmt="%s")
    return stream.getvalue().encode("utf-8")


def _npy(prediction):
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, prediction)
    return stream.getvalue()
