"""The requirements file that a job or a model server installs before its script: where it is, and whether it can be
installed for all of them at once. Reads nothing itself.
"""

import hashlib
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagehouse.domain.jobs.source import S3Uri
from sagehouse.kit.errors import Invalid
from sagehouse.kit.json_text import read_json

NAME = "requirements.txt"
LIMIT_BYTES = 64 * 1024
"""A longer file is left to pip. Locked sets of some hundred packages take 10 KB."""
_ARCHIVES = (".tar.gz", ".tgz", ".tar")
_PROGRAM, _SUBMITTED = "sagemaker_program", "sagemaker_submit_directory"
_MODEL_CODE = "/opt/ml/model/code"
_INFERENCE = "inference.py"
_OWN_INDEX = ("PIP_", "UV_", "CA_REPOSITORY_ARN")
"""Beginnings of variables by which a job says itself where packages come from."""

_REQUIREMENT = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"  # name
    r"(?: *\[[A-Za-z0-9._, -]*\])?"  # extras
    r" *(?:\(?(?: *(?:===|==|~=|!=|<=|>=|<|>) *[A-Za-z0-9._*+!-]+ *,?)*\)?)"  # versions
    r"(?: *;[A-Za-z0-9._<>=!~'\"() -]+)?"  # for which machines
)
_FILES = (".whl", ".zip", ".gz", ".tgz", ".bz2", ".xz", ".tar", ".egg")
_INSTALLS = re.compile(r"(?:pip install (?:-r|--requirement)|install_requirements\.py) +'?([A-Za-z0-9._/-]+)")
_UNPACKS = re.compile(r"^\s*tar -xzf (sourcedir\.tar\.gz)\s*$", re.MULTILINE)
_DRIVER = re.compile(r"/opt/ml/[A-Za-z0-9._/-]+\.sh\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the files are among which a script's requirements may be."""

    uri: S3Uri
    """An archive, or a prefix of files."""
    driver: S3Uri | None = None
    """The shell script that says which of them it installs; without it that is `requirements.txt`."""

    @property
    def is_archive(self) -> bool:
        return self.uri.key.endswith(_ARCHIVES)

    def below(self, name: str) -> S3Uri:
        """Return the object of a file beside the script."""
        return S3Uri(bucket=self.uri.bucket, key=posixpath.join(self.uri.key, name))


def is_plain(text: str) -> bool:
    """Whether a requirements file names packages of an index and nothing else: no option, path, URL or variable.

    Whatever is not surely plain is not: pip then reads the file itself. Source: pip's documentation, "Requirements
    File Format", and PEP 508.
    """
    lines = [re.sub(r"(^|\s+)#.*$", "", line).strip() for line in re.sub(r"\\\r?\n", "", text).splitlines()]
    named = [line for line in lines if line]
    return bool(named) and all(
        _REQUIREMENT.fullmatch(line) and not line.lower().split(";")[0].rstrip().endswith(_FILES) for line in named
    )


def digest_of(text: str) -> str:
    """Return what names a requirements file by its content."""
    return hashlib.sha256(text.encode()).hexdigest()


def has_own_index(environment: Mapping[str, str]) -> bool:
    """Whether a job says itself where its packages come from, so that nobody else can install them."""
    return any(name.startswith(_OWN_INDEX) for name in environment)


def trained_with(hyperparameters: Mapping[str, str], environment: Mapping[str, str]) -> Source | None:
    """Return where script mode fetches a training script from; None if it is none, or not in S3.

    Source: sagemaker-training 5.1.4, entry_point.run: only Python scripts have their requirements installed.
    """
    program = environment.get("SAGEMAKER_PROGRAM") or _decoded(hyperparameters.get(_PROGRAM, ""))
    submitted = _decoded(hyperparameters.get(_SUBMITTED, "")) or environment.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    return _source(submitted) if str(program).endswith(".py") else None


def driven_by(command: Sequence[str], inputs: Mapping[str, S3Uri]) -> Source | None:
    """Return what a job runs whose command is a shell script of the SDK's; None if it is another one.

    `inputs` are the job's, by the directory each is laid out in; the script's files are in the one called "code".
    Source: sagemaker 2.257.7, processing.FrameworkProcessor; 3.27.0, core.processing and train.templates.
    """
    named = _DRIVER.findall(" ".join(command))
    if not named:
        return None
    folder, script = posixpath.split(named[-1])
    held = inputs.get(folder)
    code = next((uri for path, uri in inputs.items() if posixpath.basename(path) == "code"), None)
    if held is None or code is None:
        return None
    key = held.key if held.key.endswith(f"/{script}") else posixpath.join(held.key, script)
    return Source(uri=code, driver=S3Uri(bucket=held.bucket, key=key))


def installed_by(driver: str) -> str:
    """Return the requirements file that a driver's text installs, relative to its code; "" if it installs none."""
    found = _INSTALLS.search(driver)
    return posixpath.normpath(found[1]) if found else ""


def unpacked_by(driver: str) -> str:
    """Return the archive, beside it, from which a driver's text unpacks its code; "" if it unpacks none."""
    found = _UNPACKS.search(driver)
    return found[1] if found else ""


def served_with(environment: Mapping[str, str]) -> Source | None:
    """Return where a model server fetches its script from; None if it comes with the model or from its image."""
    return _source(environment.get("SAGEMAKER_SUBMIT_DIRECTORY", ""))


def served_script(environment: Mapping[str, str]) -> str:
    """Return the script a model server finds in its model, relative to it; "" if it looks for it elsewhere."""
    submitted = environment.get("SAGEMAKER_SUBMIT_DIRECTORY", "").removeprefix("file://").rstrip("/")
    if submitted not in ("", _MODEL_CODE):
        return ""
    program = environment.get("SAGEMAKER_PROGRAM") or _INFERENCE
    return f"code/{program if program.endswith('.py') else f'{program}.py'}"


def _source(uri: Any) -> Source | None:
    try:
        return Source(uri=S3Uri.parse(uri)) if str(uri).startswith("s3://") else None
    except Invalid:
        return None


def _decoded(value: str) -> Any:
    """Return a hyperparameter as the toolkit reads it: SDK 2.x encodes each, SDK 3.x none."""
    try:
        return read_json(value)
    except ValueError:
        return value
