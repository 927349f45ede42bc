"""Reads an image URI: by repository name and tag, whatever account, region and domain stand before them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sagehouse.images import base_python, scikit_learn, xgboost
from sagehouse.images.image import EnvironmentSpec, Framework, Image, Requirements
from sagehouse.kit.errors import Invalid

_BASE_PYTHON = "sagemaker-base-python-"

_VERSIONS: Mapping[str, Mapping[str, Sequence[Requirements]]] = MappingProxyType(
    {
        "sagemaker-scikit-learn": scikit_learn.ENVIRONMENTS,
        "sagemaker-xgboost": xgboost.ENVIRONMENTS,
        "xgboost": xgboost.LEGACY_ENVIRONMENTS,
        **{
            f"{_BASE_PYTHON}{suffix}": {"1.0": alternatives}
            for suffix, alternatives in base_python.ENVIRONMENTS.items()
        },
    }
)
_FRAMEWORKS: Mapping[str, Framework] = MappingProxyType(
    {"sagemaker-scikit-learn": "sklearn", "sagemaker-xgboost": "xgboost", "xgboost": "xgboost"}
)
_DEFAULT_TAGS = MappingProxyType({"xgboost": "latest", f"{_BASE_PYTHON}38": "1.0", f"{_BASE_PYTHON}310": "1.0"})
_SUFFIXES = frozenset({"cpu", "gpu", "py3", "py38", "py39", "py310", "py311", "py312", "arm64"})
"""What may follow the version in a tag: "1.2-1-cpu-py3", "1.3-1-arm64". They name hardware and the tag's own Python."""


def resolve(uri: str) -> Image:
    """Return what `uri` means here; Invalid, naming the image and those that are known, if it means nothing.

    Source: sagemaker 2.257.7, image_uris.retrieve and image_uri_config: the account differs per region, so the host
    part is not looked at.
    """
    repository, tag = _parts(uri)
    versions = _VERSIONS.get(repository)
    if versions is None:
        raise Invalid(f"The image {uri!r} cannot be run here. Known images are {_known_repositories()}.")
    tag = tag or _DEFAULT_TAGS.get(repository, "")
    version = _version(tag, versions)
    if version is None:
        raise Invalid(
            f"The image {uri!r} cannot be run here: {repository} is known with the versions {', '.join(versions)}, "
            f"not with the tag {tag!r}."
        )
    framework = _FRAMEWORKS.get(repository, "python")
    is_xgboost = framework == "xgboost"
    return Image(
        uri=uri,
        repository=repository,
        tag=tag,
        version=version,
        framework=framework,
        environment=EnvironmentSpec(name=f"{repository} {version}", alternatives=versions[version]),
        algorithm="xgboost" if is_xgboost else "",
        metric_definitions=xgboost.METRIC_DEFINITIONS if is_xgboost else (),
    )


def known_images() -> Sequence[str]:
    """Return "repository:version" of everything `resolve` understands."""
    return [f"{repository}:{version}" for repository, versions in _VERSIONS.items() for version in versions]


def _parts(uri: str) -> tuple[str, str]:
    """Return repository and tag; Invalid if a digest hides the version."""
    last = uri.rsplit("/", 1)[-1]
    if "@" in last:
        raise Invalid(
            f"The image {uri!r} is named by its digest, which does not say a version here; name it by its tag."
        )
    repository, _, tag = last.partition(":")
    return repository, tag


def _version(tag: str, versions: Mapping[str, Sequence[Requirements]]) -> str | None:
    """Return the longest known version the tag begins with, if only known suffixes follow."""
    for version in sorted(versions, key=len, reverse=True):
        if tag == version:
            return version
        if tag.startswith(f"{version}-") and set(tag[len(version) + 1 :].split("-")) <= _SUFFIXES:
            return version
    return None


def _known_repositories() -> str:
    return "; ".join(f"{repository} ({', '.join(versions)})" for repository, versions in _VERSIONS.items())
