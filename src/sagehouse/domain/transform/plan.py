"""What a transform job asks for, its defaults filled in."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

from sagehouse.domain.transform.cutting import SplitType
from sagehouse.domain.transform.processing import Processing, format_of
from sagehouse.domain.transform.selection import Selection
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid
from sagehouse.kit.json_text import read_json

_MIB = 1024 * 1024
_DEFAULT_PAYLOAD_MB = 6
_MOST_PAYLOAD_MB = 100
"""Of one payload, and of all payloads under way. Source: API reference, CreateTransformJob, MaxPayloadInMB."""
_DEFAULT_TIMEOUT_S = 600
_DEFAULT_RETRIES = 3
"""Source: API reference, ModelClientConfig."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`max_payload_mb`, `concurrency` and `is_single` are None while neither the request nor the model has said."""

    model_name: str
    source_uri: str
    is_manifest: bool
    is_gzipped: bool
    split: SplitType
    content_type: str
    accept: str
    output_uri: str
    is_line_assembled: bool
    instance_count: int
    instance_type: str
    max_payload_mb: int | None
    concurrency: int | None
    is_single: bool | None
    timeout_s: float
    retries: int
    processing: Processing | None
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """Return the plan of a CreateTransformJob request or a stored job; Invalid, naming the member, if it cannot be.

        Services may call this to refuse a request before a job of it exists.
        """
        _refuse(document)
        source, output = document["TransformInput"], document["TransformOutput"]
        strategy = document.get("BatchStrategy")
        client = document.get("ModelClientConfig") or {}
        plan = cls(
            model_name=document["ModelName"],
            source_uri=source["DataSource"]["S3DataSource"]["S3Uri"],
            is_manifest=source["DataSource"]["S3DataSource"]["S3DataType"] == "ManifestFile",
            is_gzipped=source.get("CompressionType") == "Gzip",
            split=source.get("SplitType", "None"),
            content_type=source.get("ContentType", ""),
            accept=output.get("Accept", ""),
            output_uri=output["S3OutputPath"],
            is_line_assembled=output.get("AssembleWith") == "Line",
            instance_count=document["TransformResources"]["InstanceCount"],
            instance_type=document["TransformResources"]["InstanceType"],
            max_payload_mb=document.get("MaxPayloadInMB"),
            concurrency=document.get("MaxConcurrentTransforms") or None,
            is_single=strategy == "SingleRecord" if strategy else None,
            timeout_s=client.get("InvocationsTimeoutInSeconds", _DEFAULT_TIMEOUT_S),
            retries=client.get("InvocationsMaxRetries", _DEFAULT_RETRIES),
            processing=_processing(document),
            environment=document.get("Environment") or {},
        )
        plan._check_sizes()
        return plan

    def _check_sizes(self) -> None:
        payload_mb = self.max_payload_mb if self.max_payload_mb is not None else _DEFAULT_PAYLOAD_MB
        if payload_mb * (self.concurrency or 1) > _MOST_PAYLOAD_MB:
            raise Invalid(
                f"MaxPayloadInMB ({payload_mb}) times MaxConcurrentTransforms ({self.concurrency or 1}) must not "
                f"exceed {_MOST_PAYLOAD_MB} MB."
            )

    @property
    def asks_the_model(self) -> bool:
        """Whether the request left out what a model may say at /execution-parameters."""
        return None in (self.max_payload_mb, self.concurrency, self.is_single)

    def with_parameters(self, answer: bytes) -> Self:
        """Return the plan with what the request left out filled in from a model's /execution-parameters.

        What is no such answer, or is out of bounds, says nothing.
        Source: developer guide, "How containers serve inference requests" of batch transform.
        """
        try:
            said = read_json(answer)
        except ValueError:
            return self
        if not isinstance(said, dict):
            return self
        payload_mb, concurrency = said.get("MaxPayloadInMB"), said.get("MaxConcurrentTransforms")
        strategy = str(said.get("BatchStrategy", "")).replace("_", "").lower()
        filled = replace(
            self,
            max_payload_mb=self.max_payload_mb
            if self.max_payload_mb is not None
            else _between(payload_mb, 1, _MOST_PAYLOAD_MB),
            concurrency=self.concurrency or _between(concurrency, 1, 1000),
            is_single=self.is_single if self.is_single is not None or not strategy else strategy == "singlerecord",
        )
        most = _MOST_PAYLOAD_MB // filled.payload_mb
        return replace(filled, concurrency=min(filled.concurrency, max(most, 1)) if filled.concurrency else None)

    # With the defaults of what nobody said

    @property
    def payload_mb(self) -> int:
        return self.max_payload_mb or _DEFAULT_PAYLOAD_MB

    @property
    def limit_bytes(self) -> int:
        return self.payload_mb * _MIB

    @property
    def in_flight(self) -> int:
        """Payloads under way at once, per instance."""
        return self.concurrency or 1

    @property
    def strategy(self) -> str:
        return "SINGLE_RECORD" if self.is_single else "MULTI_RECORD"

    @property
    def batch_environment(self) -> dict[str, str]:
        """What tells a container that it serves a batch. Source: developer guide, batch transform environment."""
        return {
            "SAGEMAKER_BATCH": "true",
            "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(self.payload_mb),
            "SAGEMAKER_BATCH_STRATEGY": self.strategy,
            "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(self.in_flight),
            **self.environment,
        }

    @property
    def headers(self) -> dict[str, str]:
        """What every request to the model carries."""
        headers = {"content-type": self.content_type, "accept": self.accept}
        return {name: value for name, value in headers.items() if value}

    def assemble(self, answer: bytes) -> bytes:
        """Return an answer as it is put behind the one before."""
        needs_break = self.is_line_assembled and answer and not answer.endswith(b"\n")
        return answer + b"\n" if needs_break else answer


def _between(value: object, least: int, most: int) -> int | None:
    return value if isinstance(value, int) and least <= value <= most else None


def _refuse(document: Document) -> None:
    """Raise Invalid for what the model of the service allows and a job here does not do."""
    source = document["TransformInput"]["DataSource"]["S3DataSource"]["S3DataType"]
    if source not in {"S3Prefix", "ManifestFile"}:
        raise Invalid(f"TransformInput.DataSource.S3DataSource.S3DataType {source!r} is not implemented here.")
    if document.get("DataCaptureConfig"):
        raise Invalid("DataCaptureConfig of a transform job is not implemented here; leave it out.")
    if document.get("MaxPayloadInMB") == 0:
        raise Invalid(
            "MaxPayloadInMB 0 (chunked transfer of unbounded payloads) is not implemented here; use 1 to 100."
        )


def _processing(document: Document) -> Processing | None:
    wanted = document.get("DataProcessing") or {}
    input_filter = Selection.parse(wanted.get("InputFilter", "$"))
    output_filter = Selection.parse(wanted.get("OutputFilter", "$"))
    is_joined = wanted.get("JoinSource") == "Input"
    if input_filter.is_everything and output_filter.is_everything and not is_joined:
        return None
    source, output = document["TransformInput"], document["TransformOutput"]
    content_type = source.get("ContentType", "")
    accept = output.get("Accept") or content_type
    read, written = format_of(content_type), format_of(accept)
    if read is None or written is None:
        raise Invalid(
            f"DataProcessing needs ContentType and Accept of CSV, JSON or JSON Lines; they are {content_type!r} and "
            f"{accept!r}."
        )
    if source.get("SplitType") in {"RecordIO", "TFRecord"}:
        raise Invalid(f"DataProcessing cannot be used with SplitType {source['SplitType']}.")
    if is_joined and (read == "csv") != (written == "csv"):
        raise Invalid(
            f"JoinSource Input needs ContentType and Accept of one format; they are {content_type!r} and {accept!r}."
        )
    is_batched = source.get("SplitType") == "Line" and document.get("BatchStrategy") != "SingleRecord"
    return Processing(
        input_filter=input_filter,
        output_filter=output_filter,
        is_joined=is_joined,
        input_format="jsonlines" if read == "json" and is_batched else read,
        output_format="jsonlines" if written == "json" and is_batched else written,
    )
