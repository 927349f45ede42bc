"""Objects as a tree of files: a prefix laid out by hard links. Blocking; called on pool threads."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from sagehouse.kit.errors import Unavailable
from sagehouse.ports.objects import Materialized
from sagehouse.storage.objects.blobs import Blobs, disk_errors, link
from sagehouse.storage.objects.names import refuse_collisions, relative_name
from sagehouse.storage.objects.queries import Leaf


def lay_out(blobs: Blobs, leaves: Sequence[Leaf], prefix: str, directory: Path) -> Materialized:
    """Give every object a name below `directory`; nothing is made if one of them cannot have one."""
    named = [(relative_name(leaf.key, prefix, size=leaf.size), leaf) for leaf in leaves]
    refuse_collisions((name, leaf.key) for name, leaf in named)
    files = [(name, leaf) for name, leaf in named if name and not name.endswith("/")]
    is_linked = True
    with disk_errors(directory):
        for folder in {name.rpartition("/")[0] for name, _ in named}:
            (directory / folder).mkdir(parents=True, exist_ok=True)
        for name, leaf in files:
            is_linked = _place(blobs.path(leaf.blob), directory / name, leaf) and is_linked
    digest = hashlib.sha256()
    for name, leaf in sorted(files, key=lambda file: file[0]):
        digest.update(f"{name}\0{leaf.etag}\0".encode())
    return Materialized(
        files=len(files),
        size_bytes=sum(leaf.size for _, leaf in files),
        is_linked=is_linked,
        digest=digest.hexdigest(),
    )


def _place(source: Path, target: Path, leaf: Leaf) -> bool:
    """Make `target` the object's file; False if it had to be copied."""
    try:
        try:
            is_linked = link(source, target)
        except FileExistsError:
            target.unlink()
            is_linked = link(source, target)
        if not is_linked:
            shutil.copyfile(source, target)
            target.chmod(0o644)
    except FileNotFoundError as error:
        raise Unavailable(
            f"The object {leaf.key!r} was deleted or lost while its prefix was laid out as files. Try again."
        ) from error
    return is_linked
