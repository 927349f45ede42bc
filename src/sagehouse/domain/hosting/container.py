"""What a model asks to be served: image, artifact, environment. Read from Model and ModelPackage documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from sagehouse.domain.jobs.source import S3Uri
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model's files in S3: an archive to unpack, one object, or everything below a prefix."""

    uri: S3Uri
    is_prefix: bool = False
    is_archive: bool = True

    def to_document(self) -> Document:
        return {"Uri": str(self.uri), "IsPrefix": self.is_prefix, "IsArchive": self.is_archive}

    @classmethod
    def from_document(cls, document: Document) -> Self:
        uri = S3Uri.parse(document["Uri"])
        return cls(uri=uri, is_prefix=document["IsPrefix"], is_archive=document["IsArchive"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    image: str
    artifact: Artifact | None
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    is_network_isolated: bool = False

    @property
    def python(self) -> str:
        """The Python that pickled what is served, "3.11"; "" if nobody says. Source: sagemaker 3.27.0, ModelBuilder."""
        return ".".join(self.environment.get("LOCAL_PYTHON", "").split(".")[:2])

    def to_document(self) -> Document:
        return {
            "Image": self.image,
            "Artifact": self.artifact.to_document() if self.artifact else None,
            "Environment": dict(self.environment),
            "IsNetworkIsolated": self.is_network_isolated,
        }

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            image=document["Image"],
            artifact=Artifact.from_document(document["Artifact"]) if document["Artifact"] else None,
            environment=document["Environment"],
            is_network_isolated=document["IsNetworkIsolated"],
        )


def definition_of(model: Document) -> Document:
    """Return the one container definition of a Model document; Invalid for an inference pipeline."""
    definitions: Sequence[Document] = model.get("Containers") or [model.get("PrimaryContainer") or {}]
    if len(definitions) > 1:
        raise Invalid(
            f"Model {model['ModelName']!r} has {len(definitions)} containers; inference pipelines are not implemented."
        )
    return definitions[0]


def container_of(definition: Document, *, package: Document | None, is_network_isolated: bool) -> Container:
    """Return what to serve; `package` is the ModelPackage that the definition names by ModelPackageName.

    The definition's own members win over the package's. Invalid, naming the member, for what is not implemented.
    """
    merged = {**_packaged(package), **{name: value for name, value in definition.items() if value}}
    _refuse(merged)
    if not merged.get("Image"):
        raise Invalid("The model names no Image.")
    own = definition.get("Environment") or {}
    return Container(
        image=merged["Image"],
        artifact=_artifact(merged),
        environment={**(_packaged(package).get("Environment") or {}), **own},
        is_network_isolated=is_network_isolated,
    )


def _packaged(package: Document | None) -> Document:
    if package is None:
        return {}
    containers = (package.get("InferenceSpecification") or {}).get("Containers") or []
    if len(containers) != 1:
        raise Invalid(
            f"Model package {package.get('ModelPackageArn')!r} has {len(containers)} containers in its "
            "InferenceSpecification; exactly one can be served."
        )
    container: Document = containers[0]
    return container


def _refuse(definition: Document) -> None:
    if definition.get("Mode") == "MultiModel":
        raise Invalid("Mode MultiModel is not implemented; deploy one model per endpoint.")
    for member in ("AdditionalModelDataSources", "AdditionalS3DataSource", "InferenceSpecificationName"):
        if definition.get(member):
            raise Invalid(f"{member} of a container is not implemented; leave it out.")
    source = (definition.get("ModelDataSource") or {}).get("S3DataSource") or {}
    for member in ("HubAccessConfig", "ManifestS3Uri"):
        if source.get(member):
            raise Invalid(f"ModelDataSource.S3DataSource.{member} is not implemented; leave it out.")


def _artifact(definition: Document) -> Artifact | None:
    if definition.get("ModelDataUrl"):
        return Artifact(uri=S3Uri.parse(definition["ModelDataUrl"]))
    source = (definition.get("ModelDataSource") or {}).get("S3DataSource")
    if not source:
        return None
    is_prefix, is_archive = source["S3DataType"] == "S3Prefix", source["CompressionType"] == "Gzip"
    if is_prefix and is_archive:
        raise Invalid("ModelDataSource.S3DataSource: a gzipped model is one object; set S3DataType to S3Object.")
    return Artifact(uri=S3Uri.parse(source["S3Uri"]), is_prefix=is_prefix, is_archive=is_archive)
