"""Write docs/reference/operations.md: what is bound, and what becomes of each request member.

python scripts/reference.py            rewrite the page
python scripts/reference.py --check    exit 1 if it is untrue
"""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

import sagehouse.services.sagemaker
from sagehouse.app.bound import SERVICES
from sagehouse.services import iam, logs, s3, sts
from sagehouse.services.sagemaker.members import Members

FILE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "operations.md"
_HEAD = """\
# Operations

Every operation sagehouse answers, by service. Any other operation of these services' models answers HTTP 501
`NotImplemented`, naming itself; `coverage.toml` lists them. `sagehouse ops` prints the function behind each.

This page is written by `python scripts/reference.py`; a test fails when it is untrue.
"""


NOTES = {"iam": iam.NOTES, "logs": logs.NOTES, "s3": s3.NOTES, "sts": sts.NOTES}
"""What differs from AWS in general, service by service."""


def member_tables() -> dict[str, Members]:
    """Return operation -> what becomes of its members, from every module of the SageMaker service."""
    found = {}
    package = sagehouse.services.sagemaker
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for _, value in inspect.getmembers(importlib.import_module(info.name)):
            if isinstance(value, Members):
                found[value.operation] = value
    return found


def page() -> str:
    tables = member_tables()
    lines = [_HEAD]
    for service, operations in sorted(SERVICES.items()):
        lines += [f"## {service}", "", "| operation | what it does |", "|---|---|"]
        for operation, function in sorted(operations.items()):
            told = inspect.getdoc(function) or ""
            lines.append(f"| `{operation}` | {_first_sentence(told)} |")
        lines.append("")
        lines += [f"- {note}" for note in NOTES.get(service, ())]
        lines.append("")
        for operation in sorted(set(operations) & set(tables)):
            lines += list(_members(tables[operation]))
    return "\n".join(lines).rstrip() + "\n"


def _members(members: Members) -> Iterator[str]:
    if not members.refused and not members.not_honoured:
        return
    yield f"### {members.operation}: members"
    yield ""
    yield "All other members are honoured."
    yield ""
    yield "| member | | |"
    yield "|---|---|---|"
    for path, why in sorted(members.refused.items()):
        yield f"| `{path}` | refused | {_cell(why)} |"
    for path, what in sorted(members.not_honoured.items()):
        yield f"| `{path}` | recorded, not honoured | {_cell(what)} |"
    yield ""


def _first_sentence(text: str) -> str:
    return _cell(text.split("\n\n", 1)[0].split(". ", 1)[0].rstrip("."))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    written = page()
    if "--check" in sys.argv:
        sys.exit(FILE.read_text() != written)
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(written)
