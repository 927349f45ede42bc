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
            if hasattr(tarfile, "data_filter"):
                tar.extractall(root, members=members, filter="tar")
            else:
                tar.extractall(root, members=members)
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


def _inside(path, root):
    return path == root or path.startswith(root + os.sep)
