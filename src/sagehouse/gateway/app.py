"""The ASGI application: a list of small handlers, read in order, each doing one step of a request.

A handler that sets `exchange.response` ends the list. Whatever is raised becomes the error that the client of that
service understands; only what nobody foresaw is a 500, logged with its traceback and the request id.
"""

import errno
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from sagehouse.gateway.body import Disconnected, Receive, RequestBody
from sagehouse.gateway.browsers import refuse_foreign_pages
from sagehouse.gateway.callers import AnyoneIsWelcome, Callers
from sagehouse.gateway.dispatcher import Dispatcher
from sagehouse.gateway.sending import Send, send_response
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid, SagehouseError, Unavailable
from sagehouse.ports.call import Call
from sagehouse.ports.clock import Clock, Ids
from sagehouse.ports.house import Operation
from sagehouse.wire.digest import check_digests
from sagehouse.wire.errors import serialize_error
from sagehouse.wire.http import HttpRequest, HttpResponse, parse_query
from sagehouse.wire.identify import Target, Unidentified, identify, is_form
from sagehouse.wire.protocol import parse, serialize

AdminRoute: TypeAlias = Callable[[str, Mapping[str, Sequence[str]]], Awaitable[tuple[int, Document]]]
"""(HTTP method, query) -> (status, JSON document)."""
ADMIN_PREFIX = "/_sagehouse/"
PRESIGNED_QUERY = "x-sagehouse-query"
BODY_LIMIT_BYTES = 64 * 1024 * 1024  # of bytes that do not stream; InvokeEndpoint's own limit is 25 MB
DOCUMENT_LIMIT_BYTES = 8 * 1024 * 1024
"""Of JSON, XML and forms. The longest that AWS takes are 10,000 parts or 1,000 keys of S3, some 5 MB; 60 MB of members
held the house up for 20 s."""
_EXHAUSTED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO})
"""What the machine has run out of, or has broken, whatever the operation."""

_log = logging.getLogger("sagehouse.gateway")
_access_log = logging.getLogger("sagehouse.access")


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request on its way through the handlers."""

    scope: Mapping[str, Any]
    receive: Receive
    request_id: str
    request: HttpRequest
    body: RequestBody
    target: Target | None = None
    function: Operation | None = None
    call: Call | None = None
    document: Document = field(default_factory=dict)
    response: HttpResponse | None = None

    @property
    def is_head(self) -> bool:
        return self.request.method == "HEAD"


Handler: TypeAlias = Callable[[Exchange], Awaitable[None]]


class Gateway:
    """Answers every AWS request of the services that `dispatcher` binds, and the house's own routes.

    `admin` maps what follows "/_sagehouse/" to its route.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        clock: Clock,
        ids: Ids,
        callers: Callers | None = None,
        admin: Mapping[str, AdminRoute] = MappingProxyType({}),
    ) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._ids = ids
        self._callers = callers or AnyoneIsWelcome()
        self._admin = admin
        self._handlers: Sequence[Handler] = (
            self._refuse_foreign_pages,
            self._answer_admin,
            self._read_form,
            self._identify,
            self._find_function,
            self._decode_body,
            self._read_body,
            self._name_caller,
            self._run,
        )

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"The gateway speaks HTTP, not {scope['type']}.")
        started = time.perf_counter()
        exchange = self._begin(scope, receive)
        status = 499
        try:
            response = await self._answer(exchange)
            status = response.status
            closes = _waits_to_be_asked(exchange)
            await send_response(send, receive, response, is_head=exchange.is_head, closes=closes)
        except Disconnected:
            status = 499
        finally:
            self._log_access(exchange, status, time.perf_counter() - started)

    def _begin(self, scope: Mapping[str, Any], receive: Receive) -> Exchange:
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        request = HttpRequest(
            method=scope["method"],
            raw_path=(scope.get("raw_path") or b"/").decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
        )
        return Exchange(
            scope=scope, receive=receive, request_id=self._ids.uuid(), request=request, body=RequestBody(receive)
        )

    async def _answer(self, exchange: Exchange) -> HttpResponse:
        try:
            for handler in self._handlers:
                await handler(exchange)
                if exchange.response is not None:
                    return exchange.response
            raise RuntimeError("no handler answered")
        except Disconnected:
            raise
        except Unidentified as stop:
            return serialize_error(
                stop.service, stop.error, exchange.request_id, protocol=stop.protocol, is_head=exchange.is_head
            )
        except SagehouseError as error:
            return self._error(exchange, error)
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                return self._unforeseen(exchange)
            _log.warning("event=exhausted request_id=%s %s error=%s", exchange.request_id, _where(exchange), error)
            text = f"This machine could not do it now: {error.strerror}. The house goes on; mend that and try again."
            return self._error(exchange, Unavailable(text))
        except Exception:  # noqa: BLE001 - what nobody foresaw: the client gets an answer, the log the traceback
            return self._unforeseen(exchange)

    def _unforeseen(self, exchange: Exchange) -> HttpResponse:
        _log.exception("event=unforeseen request_id=%s %s", exchange.request_id, _where(exchange))
        text = f"An internal error occurred; the log of sagehouse names request {exchange.request_id}."
        return self._error(exchange, Unavailable(text, code="InternalFailure"))

    def _error(self, exchange: Exchange, error: SagehouseError) -> HttpResponse:
        service = exchange.target.service if exchange.target else None
        return serialize_error(service, error, exchange.request_id, is_head=exchange.is_head)

    async def _refuse_foreign_pages(self, exchange: Exchange) -> None:
        refuse_foreign_pages(exchange.request)

    async def _answer_admin(self, exchange: Exchange) -> None:
        path = exchange.request.raw_path
        if not path.startswith(ADMIN_PREFIX):
            return
        route = self._admin.get(path.removeprefix(ADMIN_PREFIX))
        if route is None:
            status, document = 404, {"message": f"There is no {path}; these are: {', '.join(sorted(self._admin))}."}
        else:
            request = exchange.request
            try:
                query = parse_query(request.query)
            except UnicodeDecodeError as error:
                raise Invalid(f"The query {request.query[:100]!r} is not UTF-8.") from error
            status, document = await route(request.method, query)
        headers = [("content-type", "application/json"), ("x-amzn-requestid", exchange.request_id)]
        exchange.response = HttpResponse(status=status, headers=headers, body=json.dumps(document).encode())

    async def _read_form(self, exchange: Exchange) -> None:
        if is_form(exchange.request) and "x-amz-target" not in exchange.request.headers and not _is_s3(exchange):
            body = await exchange.body.read(limit_bytes=DOCUMENT_LIMIT_BYTES)
            exchange.request = replace(exchange.request, body=body)

    async def _identify(self, exchange: Exchange) -> None:
        exchange.target = identify(self._dispatcher.models, exchange.request)
        exchange.request = exchange.target.request

    async def _find_function(self, exchange: Exchange) -> None:
        target = _target(exchange)
        exchange.function = self._dispatcher.function(target.service.name, target.operation.name)

    async def _decode_body(self, exchange: Exchange) -> None:
        """Take the aws-chunked encoding off: operations see the content's own headers and bytes."""
        headers = exchange.request.headers
        encodings = [part.strip() for part in headers.get("content-encoding", "").split(",") if part.strip()]
        if "aws-chunked" not in encodings and not headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
            return
        plain = {name: value for name, value in headers.items() if name not in {"content-encoding", "content-length"}}
        encodings = [encoding for encoding in encodings if encoding != "aws-chunked"]
        if encodings:
            plain["content-encoding"] = ",".join(encodings)
        length = headers.get("x-amz-decoded-content-length", "")
        if length.isascii() and length.isdigit():
            plain["content-length"] = length
        exchange.body.decode(length=int(plain["content-length"]) if "content-length" in plain else None)
        exchange.request = replace(exchange.request, headers=plain)

    async def _read_body(self, exchange: Exchange) -> None:
        if exchange.body.is_started:
            return
        operation = _target(exchange).operation
        if operation.is_streaming_input:
            exchange.request = replace(exchange.request, body=exchange.body)
        else:
            limit = BODY_LIMIT_BYTES if operation.is_bytes_input else DOCUMENT_LIMIT_BYTES
            body = await exchange.body.read(limit_bytes=limit)
            if operation.service.name == "s3" and operation.has_body_checksum:
                check_digests({**exchange.request.headers, **exchange.body.trailers}, body)
            exchange.request = replace(exchange.request, body=body)

    async def _name_caller(self, exchange: Exchange) -> None:
        target = _target(exchange)
        caller = self._callers(target.access_key)
        exchange.call = Call(
            service=target.service.name,
            operation=target.operation.name,
            region=target.region,
            account=caller.account,
            principal=caller.principal,
            request_id=exchange.request_id,
            now=self._clock.now(),
            headers=_headers_for_operations(exchange.request, target),
        )

    async def _run(self, exchange: Exchange) -> None:
        operation = _target(exchange).operation
        if exchange.function is None or exchange.call is None:
            raise RuntimeError("the handlers before this one have not run")
        exchange.document = parse(operation, exchange.request)
        answer = await self._dispatcher.run(exchange.function, operation, exchange.call, exchange.document)
        exchange.response = serialize(operation, answer, exchange.request_id)

    def _log_access(self, exchange: Exchange, status: int, seconds: float) -> None:
        if _access_log.isEnabledFor(logging.INFO):
            _access_log.info(
                "event=request request_id=%s %s status=%d ms=%.1f",
                exchange.request_id,
                _where(exchange),
                status,
                seconds * 1000,
            )


def _target(exchange: Exchange) -> Target:
    if exchange.target is None:
        raise Invalid("The request names no operation.", code="UnknownOperationException")
    return exchange.target


def _headers_for_operations(request: HttpRequest, target: Target) -> Mapping[str, str]:
    """Return the request's headers; a presigned URL's query goes with them, for S3 judges when it runs out."""
    if target.signature is not None and target.signature.is_presigned:
        return {**request.headers, PRESIGNED_QUERY: request.query}
    return request.headers


def _is_s3(exchange: Exchange) -> bool:
    return "/s3/aws4_request" in exchange.request.headers.get("authorization", "")


def _waits_to_be_asked(exchange: Exchange) -> bool:
    """Whether the client still holds its body back: it will not send it, so the connection cannot be used again."""
    return not exchange.body.is_started and exchange.request.headers.get("expect", "").lower() == "100-continue"


def _where(exchange: Exchange) -> str:
    target = exchange.target
    if target is None:
        return f"method={exchange.request.method} path={exchange.request.raw_path[:200]!r}"
    return f"service={target.service.name} operation={target.operation.name} region={target.region}"
