"""What an instance type of SageMaker is: vCPUs, memory, accelerators.

Jobs run on the machine there is; these numbers say what the script would have had, and bound its memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    name: str
    vcpus: int
    memory_gib: float
    gpus: int = 0
    """NVIDIA GPUs; Trainium, Inferentia and Gaudi chips are not counted."""


_SIZES: Mapping[str, int] = MappingProxyType({"medium": 1, "large": 2, "xlarge": 4})
"""vCPUs; "Nxlarge" has 4 x N."""

_MEMORY_PER_VCPU: Mapping[str, float] = MappingProxyType(
    {
        "m4": 4.0, "m5": 4.0, "m5d": 4.0, "m6g": 4.0, "m6gd": 4.0, "m6i": 4.0, "m6id": 4.0, "m7g": 4.0, "m7i": 4.0,
        "m7i-flex": 4.0, "m8g": 4.0, "m8i": 4.0, "m8i-flex": 4.0,
        "c4": 1.875, "c5": 2.0, "c5d": 2.0, "c5n": 2.625, "c6g": 2.0, "c6gd": 2.0, "c6gn": 2.0, "c6i": 2.0,
        "c6id": 2.0, "c6in": 2.0, "c7g": 2.0, "c7i": 2.0, "c7i-flex": 2.0, "c8g": 2.0, "c8i": 2.0, "c8i-flex": 2.0,
        "r4": 7.625, "r5": 8.0, "r5d": 8.0, "r6g": 8.0, "r6gd": 8.0, "r6i": 8.0, "r6id": 8.0, "r7g": 8.0,
        "r7gd": 8.0, "r7i": 8.0, "r8g": 8.0, "r8i": 8.0, "r8i-flex": 8.0,
        "inf1": 2.0, "inf2": 4.0, "g4dn": 4.0, "g5": 4.0, "g6": 4.0, "g6e": 8.0,
    }
)  # fmt: skip
"""GiB per vCPU of families that grow evenly. Source: Amazon EC2 instance types, product pages."""

_GPUS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "g4dn": {"12xlarge": 4},
        "g5": {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8},
        "g6": {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8},
        "g6e": {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8},
    }
)
"""GPUs of accelerated sizes; every other size of these families has one. Source: as above."""

_UNEVEN: Mapping[str, tuple[int, float, int]] = MappingProxyType(
    {
        "t2.medium": (2, 4.0, 0),
        "t2.large": (2, 8.0, 0),
        "t2.xlarge": (4, 16.0, 0),
        "t2.2xlarge": (8, 32.0, 0),
        "t3.medium": (2, 4.0, 0),
        "t3.large": (2, 8.0, 0),
        "t3.xlarge": (4, 16.0, 0),
        "t3.2xlarge": (8, 32.0, 0),
        "c4.8xlarge": (36, 60.0, 0),
        "m4.10xlarge": (40, 160.0, 0),
        "p2.xlarge": (4, 61.0, 1),
        "p2.8xlarge": (32, 488.0, 8),
        "p2.16xlarge": (64, 732.0, 16),
        "p3.2xlarge": (8, 61.0, 1),
        "p3.8xlarge": (32, 244.0, 4),
        "p3.16xlarge": (64, 488.0, 8),
        "p3dn.24xlarge": (96, 768.0, 8),
        "p4d.24xlarge": (96, 1152.0, 8),
        "p4de.24xlarge": (96, 1152.0, 8),
        "p5.4xlarge": (16, 256.0, 1),
        "p5.48xlarge": (192, 2048.0, 8),
        "p5e.48xlarge": (192, 2048.0, 8),
        "p5en.48xlarge": (192, 2048.0, 8),
        "p6-b200.48xlarge": (192, 2048.0, 8),
        "trn1.2xlarge": (8, 32.0, 0),
        "trn1.32xlarge": (128, 512.0, 0),
        "trn1n.32xlarge": (128, 512.0, 0),
        "trn2.48xlarge": (192, 2048.0, 0),
        "dl1.24xlarge": (96, 768.0, 0),
    }
)
"""(vCPUs, GiB, GPUs) of types no rule gives. Source: as above."""


def instance(instance_type: str) -> Instance | None:
    """Return what "ml.m5.large" is; None for a type this table does not know."""
    bare = instance_type.removeprefix("ml.")
    if bare in _UNEVEN:
        vcpus, memory_gib, gpus = _UNEVEN[bare]
        return Instance(name=instance_type, vcpus=vcpus, memory_gib=memory_gib, gpus=gpus)
    family, _, size = bare.partition(".")
    per_vcpu = _MEMORY_PER_VCPU.get(family)
    vcpus = _vcpus(size)
    if per_vcpu is None or not vcpus:
        return None
    gpus = _GPUS[family].get(size, 1) if family in _GPUS else 0
    return Instance(name=instance_type, vcpus=vcpus, memory_gib=vcpus * per_vcpu, gpus=gpus)


def _vcpus(size: str) -> int:
    times = size.removesuffix("xlarge")
    if times != size and times.isdigit():
        return 4 * int(times)
    return _SIZES.get(size, 0)
