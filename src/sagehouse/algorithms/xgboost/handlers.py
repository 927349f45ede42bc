"""The defaults of XGBoost's script mode: rows to DMatrix, predict, arrays out; the user brings model_fn.

Source: aws/sagemaker-xgboost-container, handler_service.py.
"""

from sagehouse.toolkit import arrays
from sagehouse.toolkit.defaults import Defaults


class ScriptDefaults(Defaults):
    """Used where the user's script defines nothing."""

    def input_fn(self, body, content_type):
        import xgboost

        from sagehouse.algorithms.xgboost import content, formats
        from sagehouse.algorithms.xgboost.errors import UserError

        try:
            kind = content.kind_of(content_type)
        except UserError as error:
            raise arrays.UnsupportedType(content_type) from error
        if kind == content.RECORDIO:
            return xgboost.DMatrix(formats.recordio_rows(body).features)
        if kind == content.PARQUET:
            raise arrays.UnsupportedType(content_type)
        text = body if isinstance(body, str) else body.decode("utf-8")
        if kind == content.LIBSVM:
            return xgboost.DMatrix(formats.libsvm_rows(text.split("\n"), has_label=False).features)
        return xgboost.DMatrix(formats.csv_features(text))

    def predict_fn(self, data, model):
        return model.predict(data, validate_features=False)
