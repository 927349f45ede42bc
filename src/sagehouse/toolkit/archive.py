"""Unpacks what users submit. A member that would leave the directory ends the job: nobody packs one by accident."""

import os
import tarfile

from sagehouse.toolkit.errors import ToolkitError


def unpack(archive, directory):
    """Extract a tar file, compressed or not, below `directory`.

    ToolkitError for absolute names, "..", links out of the tree, devices and pipes; nothing is extracted then.
    """
    root = os.path.realpath(directory)
    try:
        with tarfile.open(archive, "r:*") as tar:
            members = tar.getmembers()
            for member in members:
                _refuse_hostile(member, root, archive)
                member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
                member.mode &= 0o777
            safe = _still_inside(members, root, archive)
            if hasattr(tarfile, "data_filter"):
                tar.extractall(root, members=safe, filter="tar")
            else:
                tar.extractall(root, members=safe)
    except (tarfile.TarError, EOFError) as error:
        raise ToolkitError("%s is not a tar archive that can be read: %s." % (archive, error)) from error


def _refuse_hostile(member, root, archive):
    name = member.name
    target = os.path.normpath(os.path.join(root, name))
    if os.path.isabs(name) or not _inside(target, root):
        raise ToolkitError("The archive %s holds %r, which leaves the directory it is unpacked to." % (archive, name))
    if member.issym() or member.islnk():
        base = os.path.dirname(target) if member.issym() else root
        linked = os.path.normpath(os.path.join(base, member.linkname))
        if os.path.isabs(member.linkname) or not _inside(linked, root):
            raise ToolkitError(
                "The archive %s holds %r, a link to %r outside the archive." % (archive, name, member.linkname)
            )
    elif not (member.isfile() or member.isdir()):
        raise ToolkitError("The archive %s holds %r, which is neither a file nor a directory." % (archive, name))


def _still_inside(members, root, archive):
    """Yield the members, each only if the links unpacked before it do not lead it out of the tree.

    Newer Pythons look by themselves; 3.11.2, Debian 12's, and 3.8 do not.
    """
    for member in members:
        target = os.path.join(root, member.name)
        parent = os.path.dirname(target)
        ways = [parent, os.path.join(parent, member.linkname) if member.issym() else target]
        if member.islnk():
            ways.append(os.path.join(root, member.linkname))
        if not all(_inside(os.path.realpath(way), root) for way in ways):
            raise ToolkitError(
                "The archive %s holds %r, which leaves the directory through a link." % (archive, member.name)
            )
        yield member


def _inside(path, root):
    return path == root or path.startswith(root + os.sep)
