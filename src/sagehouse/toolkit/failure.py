"""/opt/ml/output/failure and /opt/ml/output/success: how a job tells the platform what became of it."""

import os

from sagehouse.toolkit import paths

_ROOM = 700
"""Characters of the platform's 1024 that the error message may take."""


def write_failure(text):
    """Leave the reason, unless the script has left its own."""
    os.makedirs(paths.OUTPUT, exist_ok=True)
    try:
        with open(paths.FAILURE, "x", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except FileExistsError:
        pass


def write_success():
    """Leave the empty file that says so."""
    os.makedirs(paths.OUTPUT, exist_ok=True)
    with open(paths.SUCCESS, "w", encoding="utf-8"):
        pass


def script_failed(code, stderr, command):
    """Return the reason as SageMaker's toolkit words it, with the last line of the script's last traceback.

    Source: sagemaker-training 5.1.4, errors._CalledProcessError.
    """
    lines = ["ExecuteUserScriptError:", "ExitCode %d" % code, 'ErrorMessage "%s"' % last_words(stderr)]
    if code == 128 + 9:
        lines.append('ExtraInfo "OutOfMemory: Process killed by SIGKILL (signal 9)"')
    lines.append('Command "%s"' % " ".join(command))
    return "\n".join(lines)


def last_words(stderr):
    """Return "ValueError: no such column": what ends the last traceback, else the last line that is not empty."""
    lines = stderr.decode("utf-8", "replace").splitlines()
    starts = [at for at, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if starts:
        told = _below(lines[starts[-1] + 1 :])
    else:
        told = [line.strip() for line in lines if line.strip()][-1:]
    return "\n".join(told)[:_ROOM]


def _below(lines):
    for at, line in enumerate(lines):
        if line and not line.startswith((" ", "\t")):
            end = next((n for n, more in enumerate(lines[at:]) if not more.strip()), len(lines) - at)
            return [more.rstrip() for more in lines[at : at + end]][:8]
    return [line.strip() for line in lines if line.strip()][-1:]
