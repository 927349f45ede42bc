"""The toolkit's own lines in a job's log, told apart from the script's by their form."""

import os
import sys
import time


def say(message, level="INFO", name="sagemaker-training-toolkit"):
    """Write one line as SageMaker's toolkits write their own: time, name, level, message."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now)) + ",%03d" % (now % 1 * 1000)
    line = "%s %s %-8s %s\n" % (stamp, name, level, message)
    sys.stdout.flush()
    os.write(1, line.encode("utf-8", "backslashreplace"))
