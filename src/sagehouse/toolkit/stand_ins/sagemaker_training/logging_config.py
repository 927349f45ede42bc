"""The toolkit's logger."""

import logging

from sagehouse.toolkit.absent import absent

_FORMAT = "%(asctime)s %(name)s %(levelname)-8s %(message)s"


def get_logger():
    return logging.getLogger("sagemaker-training-toolkit")


def configure_logger(level, log_format=_FORMAT):
    """Let every logger of this process write lines of `level` and above."""
    logging.basicConfig(format=log_format, level=level)


__getattr__ = absent(__name__)
