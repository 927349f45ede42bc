"""The environments of `sagemaker-base-python-38` and `-310`, the default images of remote functions."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sagehouse.images.image import Requirements
from sagehouse.images.packages import LIGHT

_ELSE = ("3.11", "3.12", "3.13", "3.10", "3.9", "3.8")


def _python(version: str) -> Sequence[Requirements]:
    note = f"another Python than {version}, which this machine does not have"
    others = tuple(python for python in _ELSE if python != version)
    return (
        Requirements(packages=LIGHT, pythons=(version,)),
        Requirements(packages=LIGHT, pythons=others, note=note),
    )


ENVIRONMENTS: Mapping[str, Sequence[Requirements]] = MappingProxyType({"38": _python("3.8"), "310": _python("3.10")})
"""Suffix of the repository -> alternatives. Source: sagemaker 2.257.7, remote_function/job.py and image_uri_config."""
