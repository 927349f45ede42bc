"""Thousands of requests, good and broken, through the whole gateway: never a 500, never an exception."""

import asyncio
import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.wire_documents import MODELS, SERVICES, Maker, client_request

from sagehouse.gateway.app import Gateway
from sagehouse.gateway.dispatcher import Dispatcher
from sagehouse.ports.house import House
from sagehouse.wire.http import HttpRequest

STRANGE = (
    *(None, True, -1, 2**70, 1e308, [], {}, [[]], {"a": {}}),
    *("", " ", "\x00", "é" * 300, "a" * 100_000, "NaN", "🙂", "%FF", "<a>", "]]>"),
)


async def agreeable(_house: Any, _call: Any, request: dict[str, Any]) -> dict[str, Any]:
    """An operation that reads its whole request and has nothing to say."""
    body = request.get("Body")
    if hasattr(body, "__aiter__"):
        async for _ in body:
            pass
    return {}


def a_gateway() -> Gateway:
    dispatcher = Dispatcher(
        {service: dict.fromkeys(MODELS.service(service).operation_names, agreeable) for service in SERVICES}
    )
    unused: Any = None
    house = House(
        catalog=unused, objects=unused, uploads=unused, streams=unused, serving=unused, wake=unused, ids=unused,
        dispatch=dispatcher,
    )  # fmt: skip
    dispatcher.open(house)
    return Gateway(dispatcher, clock=Noon(), ids=Sames())


class Noon:
    def now(self) -> float:
        return 1.7e9

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("the gateway waits for nothing")


class Sames:
    def uuid(self) -> str:
        return "00000000-0000-4000-8000-000000000000"

    def suffix(self, length: int) -> str:
        return "a" * length


GATEWAY = a_gateway()


def status_of(request: HttpRequest) -> int:
    """Return what the gateway answers, as uvicorn would hear it."""
    sent: list[dict[str, Any]] = []
    messages = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "method": request.method,
        "raw_path": request.raw_path.encode("latin-1", errors="replace"),
        "query_string": request.query.encode("latin-1", errors="replace"),
        "headers": [
            (name.encode("latin-1"), value.encode("utf-8", errors="replace")) for name, value in request.headers.items()
        ],
    }
    asyncio.run(GATEWAY(scope, receive, send))
    assert sent[-1]["type"] == "http.response.body"
    return int(sent[0]["status"])


def mutated(value: Any, dice: random.Random) -> Any:
    """Return a document with one place somewhere in it made strange."""
    if isinstance(value, dict) and value and dice.random() < 0.8:
        name = dice.choice(list(value))
        if dice.random() < 0.1:
            return {key: item for key, item in value.items() if key != name}
        return {**value, name: mutated(value[name], dice)}
    if isinstance(value, list) and value and dice.random() < 0.8:
        index = dice.randrange(len(value))
        return [*value[:index], mutated(value[index], dice), *value[index + 1 :]]
    return dice.choice(STRANGE)


OPERATIONS = [(service, name) for service in SERVICES for name in MODELS.service(service).operation_names]
JSON = [(service, name) for service, name in OPERATIONS if MODELS.service(service).protocol == "json"]


UNFIT = {
    "PutBucketNotification",  # "Event" and "Events" are one element in the model
    "PutLogEvents",  # a map of two entries, which the maker does not make
    "WriteGetObjectResponse",  # answered by another host
}


def without_digests(request: HttpRequest) -> HttpRequest:
    """Take off the digests the maker made up: no body has them."""
    kept = {
        name: value
        for name, value in request.headers.items()
        if name != "content-md5" and not name.startswith("x-amz-checksum-")
    }
    return replace(request, headers=kept)


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
def test_whatever_the_model_allows_is_answered_with_success(service, name):
    operation = MODELS.service(service).operation(name)
    for seed in range(2):
        request = client_request(operation, Maker(seed, is_full=seed == 0, is_valid=True).document(operation.input))
        assert status_of(without_digests(request)) in {200, 202, 204} or name in UNFIT


@pytest.mark.parametrize("part", range(8))
def test_whatever_a_json_document_holds_is_answered(part):
    for service, name in JSON[part::8]:
        operation = MODELS.service(service).operation(name)
        dice = random.Random(f"{part} {name}")
        document = Maker(part, is_valid=True).document(operation.input)
        good = client_request(operation, document)
        for _ in range(6):
            body = json.dumps(mutated(document, dice)).encode()
            assert status_of(replace(good, body=body)) < 500, (name, body[:2000])


def broken(request: HttpRequest, dice: random.Random) -> HttpRequest:
    """Return a request with a few bytes changed in its body, path, query or one of its headers."""
    where = dice.choice(("body", "raw_path", "query", "headers"))
    if where == "headers":
        name = dice.choice([*request.headers, "content-type", "x-amz-content-sha256", "content-encoding"])
        strange = dice.choice(
            ("", "\x7f", "é", "-1", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "aws-chunked", "a" * 5000, "9" * 40)
        )
        return replace(request, headers={**request.headers, name: strange})
    if where == "body":
        data = bytearray(request.body)
        for _ in range(1 + dice.randrange(4)):
            position = dice.randrange(len(data) + 1)
            data[position : position + dice.randrange(3)] = bytes(
                dice.choices(b'<>&"%=.{}[]\x00\xff\r\n019aZ', k=dice.randrange(4))
            )
        return replace(request, body=bytes(data))
    text = getattr(request, where)
    position = dice.randrange(len(text) + 1)
    text = (
        text[:position]
        + dice.choice(("%", "%FF", "%00", "//", "..", "&", "=", "é", "a" * 3000, "?", "%0A"))
        + text[position:]
    )
    return replace(request, **{where: text if where == "query" else "/" + text.lstrip("/")})


@pytest.mark.parametrize("service", SERVICES)
def test_however_a_request_is_broken_it_is_answered(service):
    for name in MODELS.service(service).operation_names:
        operation = MODELS.service(service).operation(name)
        dice = random.Random(name)
        good = client_request(operation, Maker(1).document(operation.input))
        assert status_of(good) < 500, name
        for _ in range(8):
            bad = broken(good, dice)
            assert status_of(bad) < 500 or "Unsupported" in name, (name, bad)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH"]),
    path=st.text(st.characters(max_codepoint=255), max_size=40),
    query=st.text(st.sampled_from("a=&%?;F0-uploadsdeletlis-type2Actionver"), max_size=60),
    headers=st.dictionaries(
        st.sampled_from(
            ["host", "x-amz-target", "content-type", "authorization", "range", "x-amz-copy-source", "expect"]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80),
    ),
    body=st.binary(max_size=200),
)
def test_arbitrary_requests_are_answered(method, path, query, headers, body):
    request = HttpRequest(method=method, raw_path="/" + path, query=query, headers=headers, body=body)
    assert status_of(request) in {*range(200, 500), 501}
