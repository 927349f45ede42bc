"""Run many `aws` commands in one interpreter, for each start of the command line costs a second.

Reads a JSON list of argument lists from standard input and prints a JSON list of [exit status, stdout, stderr]. Each
command goes through awscli's own driver, as `aws` itself does.
"""

import contextlib
import io
import json
import sys

from awscli.clidriver import create_clidriver

driver = create_clidriver()


def run(arguments):
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = driver.main(arguments)
        except SystemExit as stop:
            status = stop.code
    out.flush()
    return status, out.buffer.getvalue().decode(), err.getvalue()


print(json.dumps([run(arguments) for arguments in json.load(sys.stdin)]))
