"""Reading the logs of a job with SDK 3.x's handler of many streams."""

import sys

from sagemaker.core.utils.logs import MultiLogStreamHandler

group, prefix, streams = sys.argv[1:]
handler = MultiLogStreamHandler(group, prefix, int(streams))
while not handler.ready():
    pass
for stream, event in handler.get_latest_log_events():
    print(stream, event["message"])
