"""The user's entry point: which kind it is, and the command that runs it."""

import os
import re
import shlex
import sys

from sagehouse.toolkit.errors import ToolkitError

_PLAIN = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._+-]*(/[A-Za-z0-9._+-]+)*")

SCRIPT, PACKAGE, COMMAND = "script", "package", "command"


def kind_of(program, directory):
    """Return SCRIPT for a .py file, PACKAGE where a setup.py lies beside it, COMMAND for everything else.

    ToolkitError if it is no file inside the directory.
    Source: sagemaker-training 5.1.4, _entry_point_type and process.validate_entry_point.
    """
    if not isinstance(program, str) or not _PLAIN.fullmatch(program) or {".", ".."} & set(program.split("/")):
        raise ToolkitError(
            "The entry point %r must be a path inside the source directory, of letters, digits and . _ + - / only; "
            "set sagemaker_program to one, such as train.py." % (program,)
        )
    if not program.endswith(".sh") and os.path.exists(os.path.join(directory, "setup.py")):
        return PACKAGE
    if not os.path.isfile(os.path.join(directory, program)):
        there = ", ".join(sorted(os.listdir(directory))[:20]) or "nothing"
        raise ToolkitError("There is no %s in the source directory; it holds: %s." % (program, there))
    return SCRIPT if program.endswith(".py") else COMMAND


def command_of(kind, program, arguments):
    """Return the command line: what runs where the entry point is no script, and what the log shows."""
    if kind == SCRIPT:
        return [sys.executable, program, *arguments]
    if kind == PACKAGE:
        return [sys.executable, "-m", re.sub(r"\.py$", "", program).replace("/", "."), *arguments]
    return ["/bin/sh", "-c", " ".join(["./" + shlex.quote(program), *map(shlex.quote, arguments)])]
