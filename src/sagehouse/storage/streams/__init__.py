"""CloudWatch Logs as plain files: `adapter.py` is the port, `reading.py` and `writing.py` treat one file."""
