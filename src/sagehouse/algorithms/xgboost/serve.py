"""What an endpoint of the built-in algorithm answers: CSV, libsvm or RecordIO in, predictions out.

Source: aws/sagemaker-xgboost-container, algorithm_mode/serve.py and serve_utils.py.
"""

import json
import os

import numpy as np
import xgboost

from sagehouse.algorithms.xgboost import content, formats, model, selection
from sagehouse.algorithms.xgboost.errors import UserError
from sagehouse.algorithms.xgboost.log import error, info
from sagehouse.toolkit import paths
from sagehouse.toolkit.http_server import Response

_CSV, _JSON, _LINES, _RECORDIO = (
    "text/csv",
    "application/json",
    "application/jsonlines",
    "application/x-recordio-protobuf",
)
_ACCEPTED = (_JSON, _LINES, _RECORDIO, _CSV)
_MAX_PAYLOAD_MB = 6


class AlgorithmService:
    """The model of a training job without a script."""

    def __init__(self):
        boosters = model.load_all(paths.MODEL)
        is_ensemble = os.environ.get("SAGEMAKER_INFERENCE_ENSEMBLE", "true").lower() == "true"
        self._boosters = boosters if is_ensemble else boosters[:1]
        self._width = model.features_of(boosters[0])
        self._is_batch = bool(os.environ.get("SAGEMAKER_BATCH"))
        wanted = os.environ.get("SAGEMAKER_INFERENCE_OUTPUT", "")
        self._keys = [key for key in wanted.replace(" ", "").lower().split(",") if key]
        self._objective, self._classes = _facts(boosters[0])
        info("Model loaded successfully: %d booster(s), objective %s" % (len(boosters), self._objective))

    def execution_parameters(self):
        """Return what a transform job asks before it begins: one process answers here, several records at a time."""
        told = {"MaxConcurrentTransforms": 1, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": _MAX_PAYLOAD_MB}
        return Response(200, json.dumps(told).encode("utf-8"), _JSON)

    def invoke(self, request):
        """Return the predictions of one payload: 204 if it is empty, 415, 406 or 400 if it cannot be answered."""
        if not request.body:
            return Response(204)
        try:
            matrix = self._matrix(request)
        except (UserError, ValueError, KeyError) as problem:
            return _refused(415, str(problem))
        try:
            accept = _accept(request.headers.get("accept", ""))
        except ValueError as problem:
            return _refused(406, str(problem))
        try:
            predictions = self._predict(self._fitted(matrix))
        except (ValueError, xgboost.core.XGBoostError) as problem:
            return _refused(400, "Unable to evaluate payload provided: %s" % problem)
        if self._keys:
            selected = selection.select(predictions, self._keys, self._objective, self._classes)
            return Response(200, selection.encode(selected, self._keys, accept, is_batch=self._is_batch), accept)
        return self._answer(predictions.tolist(), accept)

    def _matrix(self, request):
        """Return kind and features of the payload; UserError or ValueError says why it is none."""
        kind = content.kind_of(request.headers.get("content-type"), default=content.CSV)
        try:
            if kind == content.CSV:
                return kind, formats.csv_features(request.body.decode("utf-8"))
            if kind == content.LIBSVM:
                return kind, formats.libsvm_rows(request.body.decode("utf-8").split("\n"), has_label=False).features
            if kind == content.RECORDIO:
                return kind, formats.recordio_rows(request.body).features
        except (ValueError, KeyError) as problem:
            raise UserError(
                "Loading %s data failed with Exception, please ensure data is in %s format:\n %s\n %s"
                % (kind, kind, type(problem), problem)
            ) from problem
        raise UserError("Content-type %s is not supported." % request.headers.get("content-type"))

    def _fitted(self, kind_and_features):
        """Return the features in the model's width, as AWS's container does.

        The last column may be absent from CSV and RecordIO; one too many, most often the label, is an error. libsvm,
        whose indices may begin with 1, may have one more, which is passed over.
        """
        kind, features = kind_and_features
        have, want = features.shape[1], self._width
        if want is None or have == want:
            return features
        if kind == content.LIBSVM:
            if have > want + 1:
                raise ValueError(
                    "Feature size of libsvm inference data %d is larger than feature size of trained model %d."
                    % (have, want)
                )
            return features[:, :want] if have > want else _widened(features, want)
        if have != want - 1:
            raise ValueError(
                "Feature size of %s inference data %d is not consistent with feature size of trained model %d."
                % (kind, have, want)
            )
        return _widened(features, want)

    def _predict(self, features):
        matrix = xgboost.DMatrix(features, missing=np.nan, nthread=1)
        told = [model.predict(booster, matrix) for booster in self._boosters]
        if len(told) == 1:
            return told[0]
        if self._objective in ("multi:softmax", "binary:hinge"):
            return np.array([np.bincount(votes).argmax() for votes in np.array(told).T.astype(int)], dtype=np.float32)
        return np.mean(told, axis=0)

    def _answer(self, predictions, accept):
        if accept == _JSON:
            told = {"predictions": [{"score": one} for one in predictions]}
            return Response(200, json.dumps(told).encode("utf-8"), accept)
        if accept == _LINES:
            lines = "".join(json.dumps({"score": one}) + "\n" for one in predictions)
            return Response(200, lines.encode("utf-8"), accept)
        if accept == _RECORDIO:
            from sagehouse.algorithms.xgboost import recordio

            rows = ({"score": one if isinstance(one, list) else [one]} for one in predictions)
            return Response(200, recordio.write(rows), accept)
        texts = [str(one) for one in predictions]
        text = "\n".join(texts) + "\n" if self._is_batch else ",".join(texts)
        return Response(200, text.encode("utf-8"), _CSV)


def _widened(features, width):
    """Return the features with columns that are missing in every row."""
    if isinstance(features, np.ndarray):
        return np.pad(features, ((0, 0), (0, width - features.shape[1])), constant_values=np.nan)
    widened = features.tocsr()
    widened.resize((features.shape[0], width))
    return widened


def _accept(header):
    """Return the first accepted type that is known; none or */* is SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT, else CSV."""
    wishes = [wish.partition(";")[0].strip().lower() for wish in header.split(",")]
    for wish in wishes:
        if wish in ("", "*/*"):
            return os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", _CSV)
        if wish in _ACCEPTED:
            return wish
    raise ValueError(
        "Accept type %s is not supported. Please use supported accept types: %s." % (header, list(_ACCEPTED))
    )


def _facts(booster):
    """Return the objective's name and the number of classes; old releases do not say."""
    if not hasattr(booster, "save_config"):
        return "", 0
    learner = json.loads(booster.save_config())["learner"]
    return learner["objective"]["name"], int(learner["learner_model_param"].get("num_class", 0) or 0)


def _refused(status, message):
    error(message)
    return Response(status, message.encode("utf-8", "replace"))
