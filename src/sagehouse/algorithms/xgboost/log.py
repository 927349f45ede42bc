"""The container's log lines: "[2024-05-01:12:00:00:INFO] Single node training." """

import sys
import time


def info(message):
    """Write one line."""
    _write("INFO", message)


def warning(message):
    _write("WARNING", message)


def error(message):
    _write("ERROR", message)


def _write(level, message):
    print("[%s:%s] %s" % (time.strftime("%Y-%m-%d:%H:%M:%S", time.gmtime()), level, message), flush=True)
    sys.stdout.flush()
