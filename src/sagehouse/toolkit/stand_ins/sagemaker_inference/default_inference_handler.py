"""The handlers a script may build upon."""

from sagehouse.toolkit.defaults import Defaults


class DefaultInferenceHandler:
    """Decoders and encoders for JSON, CSV and npy; a model and its prediction are the script's own."""

    def __init__(self):
        self._defaults = Defaults()

    def default_model_fn(self, model_dir, context=None):  # noqa: ARG002 - the containers pass it
        return self._defaults.model_fn(model_dir)

    def default_input_fn(self, input_data, content_type, context=None):  # noqa: ARG002 - the containers pass it
        return self._defaults.input_fn(input_data, content_type)

    def default_predict_fn(self, data, model, context=None):  # noqa: ARG002 - the containers pass it
        return self._defaults.predict_fn(data, model)

    def default_output_fn(self, prediction, accept, context=None):  # noqa: ARG002 - the containers pass it
        return self._defaults.output_fn(prediction, accept)
