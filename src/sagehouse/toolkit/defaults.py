"""What a framework's container does where the user's script defines nothing."""

from sagehouse.toolkit import arrays


class Defaults:
    """model_fn, input_fn, predict_fn and output_fn of plain Python: decoders, encoders, and nothing to guess."""

    def model_fn(self, model_dir):
        raise NotImplementedError("Please provide a model_fn implementation: this container has no default model_fn.")

    def input_fn(self, body, content_type):
        return arrays.decode(body, content_type)

    def predict_fn(self, data, model):
        raise NotImplementedError(
            "Please provide a predict_fn implementation: this container has no default predict_fn."
        )

    def output_fn(self, prediction, accept):
        return arrays.encode(prediction, accept)


class ScikitLearn(Defaults):
    """Source: sagemaker-scikit-learn-container, serving.py."""

    def input_fn(self, body, content_type):
        array = arrays.decode(body, content_type)
        if arrays.media_type(content_type) in arrays.TEXT_TYPES:
            return array.astype("float32")
        return array

    def predict_fn(self, data, model):
        return model.predict(data)
