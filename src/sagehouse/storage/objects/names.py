"""Keys as names: what may be a file name, and how keys under a prefix become a tree. Pure."""

from collections.abc import Iterable

from sagehouse.kit.errors import Invalid

KEY_LIMIT_BYTES = 1024
"""Source: S3 user guide, "Naming Amazon S3 objects"."""
NAME_LIMIT_BYTES = 255
"""Longest file name Linux file systems take."""


def after_all(prefix: bytes) -> bytes:
    """Return the smallest bytes greater than everything that starts with `prefix`; UTF-8 never holds 0xFF."""
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else b"\xff"


def relative_name(key: str, prefix: str, *, size: int = 0) -> str:
    """Return the file name, with "/" between directories, of a key under a string prefix; Invalid if it has none.

    A result that ends in "/" is a directory, "" the tree's own root.
    Source: SageMaker developer guide, S3DataSource, S3DataType S3Prefix.
    """
    rest = key[len(prefix) :].removeprefix("/") if key != prefix else key.rsplit("/", 1)[-1]
    segments = [segment for segment in rest.split("/") if segment]
    for segment in segments:
        if segment in {".", ".."}:
            raise Invalid(f"The key {key!r} cannot become a file: {segment!r} in it would leave the directory.")
        if "\0" in segment:
            raise Invalid(f"The key {key!r} cannot become a file: it contains a NUL character.")
        if len(segment.encode()) > NAME_LIMIT_BYTES:
            raise Invalid(
                f"The key {key!r} cannot become a file: {segment[:40]!r}... is longer than {NAME_LIMIT_BYTES} bytes."
            )
    name = "/".join(segments)
    is_directory = not name or rest.endswith("/")
    if is_directory and size:
        raise Invalid(f"The key {key!r} cannot become a file: it names a directory but holds {size} bytes.")
    return name + "/" if name and is_directory else name


def refuse_collisions(named: Iterable[tuple[str, str]]) -> None:
    """Raise Invalid if two keys cannot both be files of one tree; `named` holds (relative name, key)."""
    files: dict[str, str] = {}
    directories: dict[str, str] = {}
    for name, key in named:
        if name and not name.endswith("/"):
            if name in files:
                raise Invalid(f"The keys {files[name]!r} and {key!r} would be one file, {name!r}.")
            files[name] = key
        parent = name.rstrip("/") + "/" if name.endswith("/") else name
        while "/" in parent:
            parent = parent.rpartition("/")[0]
            if parent in directories:
                break
            directories[parent] = key
    for name, key in files.items():
        if name in directories:
            raise Invalid(
                f"The key {key!r} cannot become a file: {directories[name]!r} needs a directory of the same name."
            )
