"""Asks a model server's service in the process of the lab: requests in, answers out, on one line of the log."""

import base64
import json
import os

from sagehouse.toolkit.http_server import Request
from sagehouse.toolkit.serve import service_of


def ask(requests):
    service = service_of(os.environ["SAGEHOUSE_FRAMEWORK"])
    answers = []
    for headers, body in requests:
        answer = service.invoke(Request("POST", "/invocations", headers, base64.b64decode(body)))
        answers.append([answer.status, answer.content_type, base64.b64encode(answer.body).decode("ascii")])
    told = service.execution_parameters()
    print("ANSWERS " + json.dumps({"answers": answers, "parameters": told and told.body.decode("utf-8")}))
    return 0
