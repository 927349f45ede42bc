"""`python -m benchmarks [name ...]`: run all or some, print the table; exit status 1 if a target is missed."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import documents, install, job_overhead, job_start, reset, staging, start, transfer
from benchmarks.figure import Figure
from benchmarks.sizes import FULL, GB, TINY, Sizes

BENCHMARKS: Mapping[str, Callable[[Sizes], list[Figure]]] = {
    "start": start.measure,
    "install": install.measure,
    "job-start": job_start.measure,
    "job-overhead": job_overhead.measure,
    "staging": staging.measure,
    "reset": reset.measure,
    "documents": documents.measure,
    "transfer": transfer.measure,
}
_WIDTH = 180
"""Columns when nobody watches: a table in a log should not be wrapped to 80."""


def main() -> int:
    """Return the exit status."""
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    figures: list[Figure] = []
    sizes = TINY if arguments.tiny else FULL
    if arguments.upload_gb:
        sizes = replace(sizes, flat_bytes=int(arguments.upload_gb * GB))
    for name in arguments.names or BENCHMARKS:
        console.print(f"[dim]measuring {name} ...[/]", highlight=False)
        figures += BENCHMARKS[name](sizes)
    console.print(_table(figures, is_judged=not arguments.tiny))
    if arguments.json:
        arguments.json.write_text(json.dumps([{**asdict(one), "reached": one.is_reached} for one in figures], indent=1))
    return 0 if arguments.tiny or all(one.is_reached for one in figures) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(BENCHMARKS)}; all without")
    parser.add_argument("--tiny", action="store_true", help="so little that it only shows that the benchmarks work")
    parser.add_argument("--upload-gb", type=float, help="size of the upload that the house's memory is watched in")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    return arguments


def _table(figures: list[Figure], *, is_judged: bool) -> Table:
    table = Table(title="sagehouse benchmarks", title_justify="left")
    for heading in ("what", "measured", "target", "", "spread", "against"):
        table.add_column(heading, justify="right" if heading in {"measured", "target"} else "left")
    for one in figures:
        verdict = ("[green]reached[/]" if one.is_reached else "[red]missed[/]") if is_judged else ""
        table.add_row(one.what, one.shown, one.shown_target, verdict, one.spread, one.against)
    return table


if __name__ == "__main__":
    sys.exit(main())
