"""Runs inside an environment of an image: one warm interpreter that forks for every job it is asked to run.

A line of JSON in ({"environment": ..., "module": ..., "function": ...}), a line out ({"code", "output"}).
"""

import importlib
import json
import os
import sys
import traceback
from pathlib import Path


def run(request, log):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            os.environ.update(request["environment"])
            module = importlib.import_module(request["module"])
            code = getattr(module, request["function"])(*request.get("arguments", []))
        except BaseException:  # noqa: BLE001 - whatever ends the job is its output
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code or 0)
    return (
        os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if hasattr(os, "waitstatus_to_exitcode")
        else os.waitpid(pid, 0)[1] >> 8
    )


def main():
    for name in sys.argv[1:]:
        importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        log = Path(request["environment"]["SAGEMAKER_BASE_DIR"]) / "log"
        code = run(request, log)
        output = log.read_text(encoding="utf-8", errors="replace")
        answers.write(json.dumps({"code": code, "output": output}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
