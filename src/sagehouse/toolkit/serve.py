"""`python -m sagehouse.toolkit.serve`: the command `serve` of a container, a model server in one process.

Connections are threads; calls of the model are serialised, because AWS's containers give every worker process one
request at a time and scripts are written for that. Pings are answered while a call runs, with 503 once it hangs.
"""

import os
import sys
import threading
import time

from sagehouse.toolkit import handlers
from sagehouse.toolkit.algorithm import module_of
from sagehouse.toolkit.defaults import Defaults, ScikitLearn
from sagehouse.toolkit.errors import ToolkitError
from sagehouse.toolkit.http_server import Response, Server, listen
from sagehouse.toolkit.log import say

_CALL_S = 60.0
"""A call of the model that takes longer hangs, and all others behind it. AWS's containers end their worker then.

Source: sagemaker-containers, _params.MODEL_SERVER_TIMEOUT_ENV, whose default is the limit of an invocation.
"""


def service_of(framework):
    """Return the service of the image: the user's script, or the built-in algorithm where there is none."""
    if handlers.has_script():
        return handlers.script_service(_defaults_of(framework))
    algorithm = module_of(framework, "serve")
    return algorithm.AlgorithmService() if algorithm else handlers.script_service(_defaults_of(framework))


def _defaults_of(framework):
    if framework == "sklearn":
        return ScikitLearn()
    algorithm = module_of(framework, "handlers")
    return algorithm.ScriptDefaults() if algorithm else Defaults()


def answering(service):
    """Return the function that answers requests for `service`."""
    one_at_a_time = threading.Lock()
    longest_s = float(os.environ.get("SAGEMAKER_MODEL_SERVER_TIMEOUT") or _CALL_S)
    began = []  # when the call that runs now did

    def handle(request):
        if request.path == "/invocations":
            if request.method != "POST":
                return Response(405, b"POST /invocations")
            with one_at_a_time:
                began.append(time.monotonic())
                try:
                    return service.invoke(request)
                except Exception as error:  # whatever the script raises is the answer to its caller
                    return handlers.failed(error)
                finally:
                    began.clear()
        if request.path == "/ping":
            if any(time.monotonic() - at > longest_s for at in tuple(began)):
                return Response(503, b"A call of the model has taken longer than %d s." % longest_s)
            return Response(200)
        if request.path == "/execution-parameters":
            try:
                return service.execution_parameters() or Response(404, b"This model has no execution parameters.")
            except Exception as error:  # as above
                return handlers.failed(error)
        return Response(404, b"GET /ping, POST /invocations or GET /execution-parameters.")

    return handle


def _say(message, level="INFO"):
    say(message, level, name="sagemaker-inference")


def main():
    """Load the model, then listen: whoever can connect is answered by a model that is ready."""
    framework = os.environ.get("SAGEHOUSE_FRAMEWORK", "python")
    workers = os.environ.get("SAGEMAKER_MODEL_SERVER_WORKERS")
    if workers and workers != "1":
        _say("One process serves the model; SAGEMAKER_MODEL_SERVER_WORKERS=%s is not used" % workers, "WARNING")
    if os.environ.get("SAGEMAKER_MULTI_MODEL", "").lower() == "true":
        _say("This image serves one model: SAGEMAKER_MULTI_MODEL is not available", "ERROR")
        return 1
    try:
        service = service_of(framework)
    except ToolkitError as error:
        _say(str(error), "ERROR")
        return 1
    except Exception as error:  # the script's own error while it loads its model
        handlers.failed(error)
        _say("The model could not be loaded: %s: %s" % (type(error).__name__, error), "ERROR")
        return 1
    server = Server(listen(), answering(service))
    _say("Model loaded, serving")
    server.run()
    _say("Stopped serving")
    return 0


if __name__ == "__main__":
    sys.exit(main())
