"""Names of log groups and streams as file names: any name is legal, none leaves its directory or collides."""

import hashlib
from urllib.parse import quote, unquote

_LONGEST = 180
"""Characters of a quoted name kept whole; file systems take 255 bytes, suffixes included."""
_KEPT = 120
_MARK = "%-"
"""Never in a quoted name, where "%" is followed by two hexadecimal digits."""


def file_name(name: str) -> str:
    """Return the name quoted; a longer one is shortened and made unique by its digest."""
    quoted = quote(name, safe="")
    if quoted.startswith("."):
        quoted = f"%2E{quoted[1:]}"
    if len(quoted) <= _LONGEST:
        return quoted
    return f"{quoted[:_KEPT]}{_MARK}{hashlib.sha256(name.encode()).hexdigest()}"


def is_shortened(file: str) -> bool:
    """Whether the file name alone does not tell the name."""
    return _MARK in file


def name_of(file: str) -> str:
    """Return the name a file name that is not shortened spells."""
    return unquote(file)
