"""The user's inference script: found, imported, asked through model_fn, input_fn, predict_fn, output_fn, transform_fn.

Source: sagemaker-inference 1.10.1, transformer.Transformer; sagemaker-scikit-learn-container, serving.py.
"""

import inspect
import os
import sys
import traceback
from importlib import import_module

from sagehouse.toolkit import arrays, paths, source
from sagehouse.toolkit.errors import ToolkitError
from sagehouse.toolkit.http_server import Response

DEFAULT_PROGRAM = "inference.py"


class Context:
    """What a handler that takes one more argument gets: the model directory and the request's headers."""

    def __init__(self, model_dir):
        self.system_properties = {"model_dir": model_dir, "gpu_id": None}
        self.headers = {}

    def get_request_header(self, _index, name):
        return self.headers.get(name.lower())

    def get_all_request_header(self, _index):
        return dict(self.headers)


class ScriptService:
    """A model served by a user's script, its missing functions filled in by the framework's defaults."""

    def __init__(self, module, defaults):
        transform = getattr(module, "transform_fn", None)
        own = {name: getattr(module, name, None) for name in ("input_fn", "predict_fn", "output_fn")}
        if transform and any(own.values()):
            raise ToolkitError("Cannot use transform_fn together with input_fn, predict_fn or output_fn.")
        self._context = Context(paths.MODEL)
        self._transform = self._called(transform, 4) if transform else None
        self._input = self._called(own["input_fn"] or defaults.input_fn, 2)
        self._predict = self._called(own["predict_fn"] or defaults.predict_fn, 2)
        self._output = self._called(own["output_fn"] or defaults.output_fn, 2)
        self._parameters = getattr(module, "execution_parameters_fn", None)
        self._model = self._called(getattr(module, "model_fn", None) or defaults.model_fn, 1)(paths.MODEL)
        self._default_accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or arrays.JSON

    def execution_parameters(self):
        """Return the answer to GET /execution-parameters; None if the script has nothing to say."""
        if self._parameters is None:
            return None
        answer = self._parameters()
        if isinstance(answer, Response):
            return answer
        import json

        body = answer if isinstance(answer, (str, bytes)) else json.dumps(answer)
        return Response(200, _bytes(body), arrays.JSON)

    def invoke(self, request):
        """Return the answer to one invocation. Errors of the script are raised."""
        headers = request.headers
        self._context.headers = headers
        content_type = headers.get("content-type") or arrays.JSON
        accept = headers.get("accept", "")
        if not accept or accept == arrays.ANY:
            accept = self._default_accept
        body = request.body
        if arrays.media_type(content_type) in arrays.TEXT_TYPES:
            body = body.decode("utf-8")
        if self._transform:
            return _response(self._transform(self._model, body, content_type, accept), accept)
        try:
            data = self._input(body, content_type)
        except arrays.UnsupportedType as error:
            return Response(415, str(error).encode("utf-8"))
        prediction = self._predict(data, self._model)
        try:
            return _response(self._output(prediction, accept), accept)
        except arrays.UnsupportedType as error:
            return Response(406, str(error).encode("utf-8"))

    def _called(self, function, count):
        """Return `function` as it is, or with the context added where it takes one argument more."""
        try:
            taken = len(inspect.signature(function).parameters)
        except (TypeError, ValueError):
            return function
        if taken == count + 1:
            return lambda *values: function(*values, self._context)
        if taken != count:
            name = getattr(function, "__name__", str(function))
            raise ToolkitError("%s takes %d arguments but %d were given." % (name, taken, count))
        return function


def script_service(defaults):
    """Import the user's script, with its requirements, and return the model it serves."""
    program, directory = locate()
    if not program.endswith(".py"):
        program += ".py"
    path = os.path.join(directory, program)
    module = None
    if os.path.isfile(path):
        source.install_requirements(directory)
        sys.path[:0] = [os.path.dirname(path), directory]
        behind = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = directory + (":" + behind if behind else "")
        module = import_module(os.path.basename(path)[: -len(".py")])
    elif os.environ.get("SAGEMAKER_PROGRAM"):
        raise ToolkitError("There is no %s in %s." % (program, directory))
    return ScriptService(module, defaults)


def locate():
    """Return the script's name and directory, fetched from S3 where SAGEMAKER_SUBMIT_DIRECTORY says so."""
    program = os.environ.get("SAGEMAKER_PROGRAM") or DEFAULT_PROGRAM
    submitted = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    beside = paths.MODEL + "/code"
    if submitted.startswith("s3://") or os.path.isfile(submitted):
        source.obtain(submitted, paths.CODE)
        return program, paths.CODE
    if submitted:
        submitted = submitted[len("file://") :] if submitted.startswith("file://") else submitted
        if os.path.isfile(os.path.join(submitted, program)):
            return program, submitted
    if os.path.isfile(os.path.join(beside, program)) or not os.path.isfile(os.path.join(paths.CODE, program)):
        return program, beside
    return program, paths.CODE


def has_script():
    """Whether the user brought one: by name, or as model/code/inference.py."""
    return bool(os.environ.get("SAGEMAKER_PROGRAM")) or os.path.isfile(paths.MODEL + "/code/" + DEFAULT_PROGRAM)


def failed(error):
    """Return the answer to a request on which the script raised; its traceback goes to the log."""
    traceback.print_exception(type(error), error, error.__traceback__)
    sys.stderr.flush()
    return Response(500, ("%s: %s" % (type(error).__name__, error)).encode("utf-8", "replace"))


def _response(result, accept):
    if isinstance(result, Response):
        return result
    content_type, status = accept.split(",")[0].strip(), 200
    if isinstance(result, tuple):
        result, content_type = result[0], result[1]
    elif hasattr(result, "response") and hasattr(result, "mimetype"):  # a web framework's response object
        status = getattr(result, "status_code", status)
        result, content_type = result.get_data(), result.mimetype or content_type
    return Response(status, _bytes(result), content_type or arrays.JSON)


def _bytes(value):
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError("The script answered %s; output_fn must return text or bytes." % type(value).__name__)
