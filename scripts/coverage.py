"""Write coverage.toml: the operations of every bound service that sagehouse does not answer yet.

python scripts/coverage.py            rewrite the file
python scripts/coverage.py --check    exit 1 if it is untrue
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import botocore
import botocore.session

from sagehouse.app.bound import SERVICES

FILE = Path(__file__).resolve().parent.parent / "coverage.toml"
_HEAD = """\
# Operations of the bound services that sagehouse does not answer yet: a call answers HTTP 501 naming itself.
# A test fails if an operation is missing here or is bound after all. Rewritten by `python scripts/coverage.py`.
"""


def not_bound() -> Mapping[str, Sequence[str]]:
    """Return the operations of each bound service's model that no function answers."""
    session = botocore.session.get_session()
    return {
        service: sorted(set(session.get_service_model(service).operation_names) - operations.keys())
        for service, operations in sorted(SERVICES.items())
    }


def text() -> str:
    """Return what the file should hold."""
    parts = [_HEAD, f'\nbotocore = "{botocore.__version__}"\n']
    for service, operations in not_bound().items():
        count = f"{len(SERVICES[service])} bound, {len(operations)} not"
        lines = "".join(f'    "{operation}",\n' for operation in operations)
        parts.append(f'\n["{service}"]  # {count}\nnot_bound = [\n{lines}]\n')
    return "".join(parts)


def main() -> int:
    wanted = text()
    if "--check" in sys.argv[1:]:
        return int(not FILE.exists() or FILE.read_text() != wanted)
    FILE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
