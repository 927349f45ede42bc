"""CloudWatch Logs as plain files: `adapter.py` is the port, `reading.py` and `writing.py` treat one file."""

from sagehouse.storage.streams.adapter import FileStreams

__all__ = ["FileStreams"]
