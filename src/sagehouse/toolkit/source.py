"""Brings the user's scripts into the code directory, and what they need into the environment."""

import os
import sys

from sagehouse.toolkit import paths
from sagehouse.toolkit.errors import ToolkitError
from sagehouse.toolkit.log import say

INSTALLED = "SAGEHOUSE_REQUIREMENTS"
"""Digest of the requirements file that this environment was built with, and what was installed for it."""


def obtain(uri, directory=paths.CODE):
    """Fill `directory` from s3://x.tar.gz, an s3:// prefix, a local archive or a local directory.

    A directory that already holds something is left alone.
    Source: sagemaker-training 5.1.4, files.download_and_extract.
    """
    os.makedirs(directory, exist_ok=True)
    if os.path.realpath(uri) == os.path.realpath(directory) or os.listdir(directory):
        return
    if uri.startswith("s3://"):
        _from_s3(uri, directory)
    else:
        _from_disk(uri[len("file://") :] if uri.startswith("file://") else uri, directory)


def _from_s3(uri, directory):
    from sagehouse.toolkit import s3

    if not uri.endswith((".tar.gz", ".tgz", ".tar")):
        if not s3.download_prefix(uri, directory):
            raise ToolkitError("There is nothing under %s." % uri)
        return
    from sagehouse.toolkit.archive import unpack

    archive = directory.rstrip("/") + ".download"
    try:
        s3.download(uri, archive)
        unpack(archive, directory)
    except ToolkitError as error:
        raise ToolkitError(str(error).replace(archive, uri)) from error
    finally:
        if os.path.exists(archive):
            os.remove(archive)


def _from_disk(path, directory):
    if os.path.isdir(path):
        import shutil

        shutil.copytree(path, directory, symlinks=True, dirs_exist_ok=True)
    elif os.path.isfile(path):
        from sagehouse.toolkit.archive import unpack

        unpack(path, directory)
    else:
        raise ToolkitError("There is no script directory at %s." % path)


def pip_install(*arguments, directory):
    """Run pip in this environment; ToolkitError with its last words if it fails. Its output goes to the log."""
    import subprocess

    os.environ.pop(INSTALLED, None)  # nobody vouches for what pip has changed since

    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    say("Running %s" % " ".join(command))
    process = subprocess.Popen(command, cwd=directory, stderr=subprocess.PIPE)
    tail = b""
    for line in process.stderr:
        os.write(2, line)
        tail = (tail + line)[-4096:]
    if process.wait():
        errors = [line for line in tail.decode("utf-8", "replace").splitlines() if "ERROR" in line]
        raise ToolkitError(
            "%s ended with code %d: %s"
            % (" ".join(command[1:]), process.returncode, " ".join(errors[-3:]) or "see the log")
        )


def install_requirements(directory):
    """Install requirements.txt of a script directory, if it has one that its environment was not built with."""
    path = os.path.join(directory, "requirements.txt")
    if not os.path.exists(path):
        return
    digest, *brought = os.environ.get(INSTALLED, "").split() or [""]
    if digest and digest == _digest(path):
        say("The packages of requirements.txt are installed already: %s" % (" ".join(brought) or "the image has them"))
        return
    pip_install("-r", "requirements.txt", directory=directory)


def _digest(path):
    import hashlib

    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
