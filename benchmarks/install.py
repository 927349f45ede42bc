"""What an installation of sagehouse alone occupies, without any job environment."""

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.house import ROOT
from benchmarks.sizes import MB, Sizes
from benchmarks.uv import make_environment


def measure(sizes: Sizes) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="sagehouse-benchmark-") as folder:
        environment = Path(folder) / "environment"
        make_environment(environment, str(ROOT), python=sys.executable)
        total = disk_bytes(environment)
        packages = sorted(
            ((disk_bytes(path), path.name) for path in environment.glob("lib/*/site-packages/*") if path.is_dir()),
            reverse=True,
        )
        packages.append((disk_bytes(environment / "bin"), "bin (uv)"))
    largest = ", ".join(f"{name} {size / MB:.0f}" for size, name in sorted(packages, reverse=True)[:4])
    return [
        Figure(
            what="core install without job environments",
            value=total / MB,
            unit="MB",
            target=150,
            against=f"byte code included; largest: {largest}",
        )
    ]


def disk_bytes(top: Path) -> int:
    """Return what a tree occupies on the disk; a file with several names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for folder, _, names in os.walk(top):
        for name in names:
            status = os.lstat(os.path.join(folder, name))  # noqa: PTH118 - thousands of files
            seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())
