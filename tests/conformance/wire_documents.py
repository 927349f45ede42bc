"""Documents made from service models, and botocore playing the client: what the differential tests share."""

import random
from datetime import UTC, datetime
from functools import cache
from typing import Any

import botocore.loaders
import botocore.parsers
import botocore.serialize
from botocore.awsrequest import AWSRequest
from botocore.model import ServiceModel
from hypothesis import Phase, find, settings
from hypothesis.errors import NoSuchExample
from hypothesis.strategies import from_regex

from sagehouse.gateway.models import service_models
from sagehouse.wire.http import HttpRequest, HttpResponse
from sagehouse.wire.model import Operation
from sagehouse.wire.patterns import _python, compile_pattern
from sagehouse.wire.shapes import Shape

SEARCH = settings(max_examples=100, database=None, derandomize=True, phases=[Phase.generate], deadline=None)
SERVICES = (
    "sagemaker",
    "sagemaker-runtime",
    "sagemaker-featurestore-runtime",
    "sagemaker-metrics",
    "s3",
    "sts",
    "iam",
    "logs",
)
MODELS = service_models(*SERVICES)
TEXTS = ("a", "Zebra-9", "x y", "é☃", "a&b<c>\"'", "1", "tab\there")
# Texts that most patterns of the models accept; what none of these fits is searched for by hypothesis.
PLAUSIBLE = (
    "a",
    "abcdefgh1234",
    "a" * 24,
    "a" * 40,
    "s3://bucket/key",
    "arn:aws:iam::123456789012:role/Role",
    "arn:aws:sagemaker:us-east-1:123456789012:x/abc",
    "123456789012",
    "1",
    "10",
    "https://example.com/a",
    "ml.m5.large",
    "12:00",
    "Mon:12:00",
    "1.0",
    "123456",
)


@cache
def a_text(pattern: str, least: int, most: int) -> str | None:
    """Return a text that a pattern and its bounds accept; None if none was found."""
    matches = compile_pattern(pattern)

    def fits(text: str) -> bool:
        return least <= len(text) <= most and bool(matches(text))

    for text in PLAUSIBLE:
        if fits(text):
            return text
    try:
        return find(from_regex(_python(pattern, limit=0x80), fullmatch=True), fits, settings=SEARCH)
    except (NoSuchExample, ValueError):
        return None


@cache
def oracle(service: str) -> ServiceModel:
    loader = botocore.loaders.Loader()
    return ServiceModel(loader.load_service_model(service, "service-2"), service)


class Maker:
    """Makes documents of a shape; a seed makes them again. Texts ignore patterns, not what a place can carry."""

    def __init__(self, seed: int, *, is_full: bool = False, is_valid: bool = False) -> None:
        """`is_valid` obeys lengths, ranges and patterns too."""
        self.dice = random.Random(seed)
        self.is_full = is_full
        self.is_valid = is_valid

    def document(self, shape: Shape | None, depth: int = 0) -> dict[str, Any]:
        if shape is None:
            return {}
        document = {}
        names = list(shape.members)
        if shape.traits.get("union"):
            names = [self.dice.choice(names)]
        for name in names:
            is_wanted = name in shape.required or name in names[:1] or self.is_full or self.dice.random() < 0.6
            if shape.traits.get("union") or (is_wanted and (depth < 4 or (name in shape.required and depth < 20))):
                document[name] = self.value(shape.members[name], depth + 1)
        return document

    def value(self, shape: Shape, depth: int) -> Any:
        if shape.type == "structure":
            return {"any": ["json", 1]} if shape.is_open else self.document(shape, depth)
        if shape.type == "list":
            least = max(1, shape.traits.get("min", 1))
            size = min(least, 3) + self.dice.randrange(2)
            if self.is_valid:
                size = min(least + self.dice.randrange(2), shape.traits.get("max", least))
            return [self.value(shape.member, depth + 1) for _ in range(size)]
        if shape.type == "map":
            names = [self.valid(shape.key)] if self.is_valid else ["key0", "key1"][: 1 + self.dice.randrange(2)]
            if shape.key.traits.get("enum"):
                names = [self.dice.choice(shape.key.traits["enum"])]
            return {name: self.value(shape.value, depth + 1) for name in names}
        return self.scalar(shape)

    def valid(self, shape: Shape) -> Any:
        """Return a number or a text within the bounds of its shape."""
        least, most = shape.traits.get("min", 0), shape.traits.get("max", 10**9)
        if shape.type in {"integer", "long", "float", "double"}:
            return max(least, min(most, 5))
        if shape.type == "blob":
            return b"x" * max(least, 5)
        text = a_text(shape.traits.get("pattern", "(?s).*"), int(least), int(most))
        return text if text is not None else "a" * int(least)

    def scalar(self, shape: Shape) -> Any:
        if self.is_valid and shape.type not in {"boolean", "timestamp"} and not shape.traits.get("enum"):
            return self.valid(shape)
        if shape.type in {"integer", "long"}:
            return self.dice.randrange(1, 1000)
        if shape.type in {"float", "double"}:
            return self.dice.choice((0.5, 1.25, 3.0))
        if shape.type == "boolean":
            return self.dice.random() < 0.5
        if shape.type == "timestamp":
            return float(self.dice.randrange(1_000_000_000, 2_000_000_000))
        if shape.type == "blob":
            return bytes(self.dice.randrange(256) for _ in range(5))
        if shape.traits.get("enum"):
            return self.dice.choice(shape.traits["enum"])
        if shape.location in {"header", "headers"} or shape.traits.get("jsonvalue"):
            return self.dice.choice(TEXTS[:2])
        if shape.location == "uri" and shape.wire_name == "Bucket":
            return "bucket-1"
        return self.dice.choice(TEXTS)


def for_botocore(shape: Shape | None, value: Any) -> Any:
    """Return the value as a boto3 caller would write it: timestamps as datetimes."""
    if shape is None or shape.is_open:
        return value
    if shape.type == "structure":
        return {name: for_botocore(shape.members[name], item) for name, item in value.items()}
    if shape.type == "list":
        return [for_botocore(shape.member, item) for item in value]
    if shape.type == "map":
        return {key: for_botocore(shape.value, item) for key, item in value.items()}
    return datetime.fromtimestamp(value, UTC) if shape.type == "timestamp" else value


def from_botocore(value: Any) -> Any:
    """Return a parsed response as a document."""
    if isinstance(value, dict):
        return {name: from_botocore(item) for name, item in value.items() if name != "ResponseMetadata"}
    if isinstance(value, list):
        return [from_botocore(item) for item in value]
    return value.timestamp() if isinstance(value, datetime) else value


def client_request(operation: Operation, document: dict[str, Any], *, scope: str | None = None) -> HttpRequest:
    """Return what botocore sends for a request document, as the gateway would receive it."""
    model = oracle(operation.service.name)
    serializer = botocore.serialize.create_serializer(model.resolved_protocol, include_validation=False)
    sent = serializer.serialize_to_request(
        for_botocore(operation.input, document), model.operation_model(operation.name)
    )
    prepared = AWSRequest(
        method=sent["method"],
        url="http://127.0.0.1:5100" + sent["url_path"],
        params=sent["query_string"] or None,
        data=sent["body"],
        headers=sent["headers"],
    ).prepare()
    path, _, query = prepared.url.removeprefix("http://127.0.0.1:5100").partition("?")
    headers = {"host": "127.0.0.1:5100"}
    for name, value in prepared.headers.items():
        headers[name.lower()] = value.decode() if isinstance(value, bytes) else str(value)
    signing = scope or operation.service.metadata.get("signingName") or operation.service.metadata["endpointPrefix"]
    credential = f"AKIAEXAMPLE/20260101/eu-west-1/{signing}/aws4_request"
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00"
    body = prepared.body or b""
    body = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else body.read()
    return HttpRequest(method=prepared.method, raw_path=path or "/", query=query, headers=headers, body=body)


class _Body:
    def __init__(self, data: bytes) -> None:
        self.data = data


def client_view(operation: Operation, response: HttpResponse) -> dict[str, Any]:
    """Return what botocore makes of a response."""
    model = oracle(operation.service.name)
    parser = botocore.parsers.create_parser(model.resolved_protocol)
    headers = botocore.awsrequest.HeadersDict(dict(response.headers))
    is_streaming = model.operation_model(operation.name).has_streaming_output
    body = _Body(response.body) if is_streaming and response.status < 300 else response.body
    shape = model.operation_model(operation.name).output_shape
    return parser.parse({"status_code": response.status, "headers": headers, "body": body}, shape)


def normal(value: Any) -> Any:
    """Return a document with what botocore's parsers cannot tell apart made equal."""
    if isinstance(value, _Body):
        return value.data
    if isinstance(value, dict):
        return {name: normal(item) for name, item in value.items()}
    return [normal(item) for item in value] if isinstance(value, list) else value
