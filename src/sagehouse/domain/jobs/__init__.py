"""What becomes of a processing or training job: pure decisions over values.

`job.py` is how far one job is, `decide.py` what to do next; `spec.py` with `training.py` and `processing.py` is what
was asked for, `layout.py` where its files lie; the rest says how it ended. Nothing here waits or reads files.
"""
