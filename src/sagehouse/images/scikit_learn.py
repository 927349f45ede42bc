"""The environments of `sagemaker-scikit-learn`, one per version the SDKs name."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sagehouse.images import packages as sets
from sagehouse.images.image import Requirements


def _built(version: str, others: Sequence[str], *pythons: str, named: str = "") -> Requirements:
    """Return scikit-learn `version`; `named` is the version the image promises where that is another one."""
    note = (
        f"scikit-learn {version} instead of {named}, which has no wheel for a Python of this machine" if named else ""
    )
    return Requirements(packages=sets.scientific(f"scikit-learn=={version}", *others), pythons=pythons, note=note)


def _nearest(named: str, *since: str) -> Sequence[Requirements]:
    """Return the versions next above `named`, each on the Pythons that have none nearer."""
    ladder = (
        ("0.22.2.post1", sets.NUMPY_1_19, ("3.8",)),
        ("0.24.2", sets.NUMPY_1_19, ("3.9",)),
        ("1.0.2", sets.NUMPY_1_21, ("3.10",)),
        ("1.1.3", sets.NUMPY_1_23, ("3.11",)),
        ("1.3.2", sets.NUMPY_1_26, ("3.12",)),
        ("1.5.2", sets.NUMPY_2_1, ("3.13",)),
    )
    return [
        _built(version, others, *pythons, named=named) for version, others, pythons in ladder if pythons[0] in since
    ]


ENVIRONMENTS: Mapping[str, Sequence[Requirements]] = MappingProxyType(
    {
        "0.20.0": _nearest("0.20.0", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13"),
        "0.23-1": (
            _built("0.23.2", sets.NUMPY_1_19, "3.8"),
            *_nearest("0.23.2", "3.9", "3.10", "3.11", "3.12", "3.13"),
        ),
        "1.0-1": (
            _built("1.0.2", sets.NUMPY_1_21, "3.8", "3.9", "3.10"),
            *_nearest("1.0.2", "3.11", "3.12", "3.13"),
        ),
        "1.2-1": (
            _built("1.2.1", sets.NUMPY_1_23, "3.9", "3.10", "3.11", "3.8"),
            *_nearest("1.2.1", "3.12", "3.13"),
        ),
        "1.4-2": (
            _built("1.4.2", sets.NUMPY_1_26, "3.10", "3.11", "3.12", "3.9"),
            *_nearest("1.4.2", "3.13"),
        ),
        "1.4-2-py312": (
            _built("1.4.2", sets.NUMPY_1_26, "3.12", "3.11", "3.10", "3.9"),
            *_nearest("1.4.2", "3.13"),
        ),
        "1.9-0": (_built("1.9.0", sets.NUMPY_2_3, "3.12", "3.11", "3.13"),),
    }
)
"""Version as AWS spells it -> alternatives, exact first.

Source: sagemaker 2.257.7 and 3.27.0, image_uri_config/sklearn.json; aws/sagemaker-scikit-learn-container, docker/*/base
(0.23-1 holds 0.23.2, 1.0-1 1.0.2, 1.2-1 1.2.1 on Python 3.9, 1.4-2 1.4.2 on 3.10).
"""
