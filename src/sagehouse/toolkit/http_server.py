"""A small HTTP/1.1 server for one model: keep-alive, chunked bodies, Expect: 100-continue, a thread per connection.

Unix socket or TCP. It knows nothing of models: a handler takes a Request and returns a Response.
"""

import os
import select
import signal
import socket
import threading

_MAX_HEAD = 64 * 1024
_DRAIN_S = 60.0
"""After SIGTERM requests under way may take this long. Source: SageMaker's limit for an invocation, 60 s."""
_PHRASES = {
    100: "Continue", 200: "OK", 204: "No Content", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 413: "Payload Too Large", 415: "Unsupported Media Type",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip


class Request:
    """One request. Header names are in lower case."""

    __slots__ = ("body", "headers", "method", "path")

    def __init__(self, method, path, headers, body):
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body


class Response:
    """One answer; the body is bytes."""

    __slots__ = ("body", "content_type", "status")

    def __init__(self, status, body=b"", content_type="text/plain"):
        self.status = status
        self.body = body
        self.content_type = content_type


class Refused(Exception):
    """A request that is no HTTP we can read; the connection ends with the answer."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Server:
    """Answers on one listening socket until SIGTERM or SIGINT, then lets requests under way finish."""

    def __init__(self, listener, handle):
        self._listener = listener
        self._handle = handle
        self._busy = threading.Condition()
        self._requests = 0
        self._is_stopping = False

    def run(self):
        """Serve; return once stopped and drained."""
        awake, waking = os.pipe()
        os.set_blocking(waking, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
        self._listener.setblocking(False)
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(awake, select.POLLIN)
        while not self._is_stopping:
            poll.poll()
            self._accept()
        self._listener.close()
        with self._busy:
            self._busy.wait_for(lambda: not self._requests, timeout=_DRAIN_S)

    def _stop(self, *_):
        self._is_stopping = True

    def _accept(self):
        while not self._is_stopping:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:  # out of descriptors, or gone before it was accepted: the others go on
                return
            connection.setblocking(True)
            if connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection):
        wire = _Wire(connection)
        try:
            while not self._is_stopping:
                if not self._exchange(wire):
                    return
        except OSError:  # the client went away
            pass
        finally:
            connection.close()

    def _exchange(self, wire):
        """Answer one request; False when the connection ends."""
        try:
            head = wire.head()
            if head is None:
                return False
            with self._busy:
                self._requests += 1
            try:
                method, path, headers, is_1_1 = head
                request = Request(method, path, headers, wire.body(headers))
                response = self._handle(request)
                is_kept = _is_kept(headers, is_1_1) and not self._is_stopping
                wire.send(response, is_kept=is_kept, is_head=method == "HEAD")
                return is_kept
            finally:
                with self._busy:
                    self._requests -= 1
                    self._busy.notify_all()
        except Refused as refused:
            wire.send(Response(refused.status, str(refused).encode("utf-8")), is_kept=False, is_head=False)
            return False


def listen():
    """Return the listening socket: SAGEHOUSE_SOCKET if it names one, else TCP SAGEMAKER_BIND_TO_PORT (8080)."""
    path = os.environ.get("SAGEHOUSE_SOCKET")
    if path:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        beside = path + ".new"
        try:
            os.unlink(beside)
        except FileNotFoundError:
            pass
        listener.bind(beside)
        listener.listen(1024)
        os.rename(beside, path)  # whoever sees the socket can connect to it
        return listener
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(os.environ.get("SAGEMAKER_BIND_TO_PORT") or 8080)))
    listener.listen(1024)
    return listener


class _Wire:
    """One connection's bytes."""

    def __init__(self, connection):
        self._connection = connection
        self._data = b""

    def head(self):
        """Return method, path, headers and whether it is HTTP/1.1; None if the client is done."""
        while True:
            end = self._data.find(b"\r\n\r\n")
            if end >= 0:
                break
            if len(self._data) > _MAX_HEAD:
                raise Refused(431, "The headers are longer than %d bytes." % _MAX_HEAD)
            if not self._more():
                return None
        lines = self._data[:end].decode("latin-1").lstrip("\r\n").split("\r\n")
        self._data = self._data[end + 4 :]
        start = lines[0].split(" ")
        if len(start) != 3 or not start[2].startswith("HTTP/1."):
            raise Refused(400, "This is not an HTTP/1.1 request.")
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise Refused(400, "The header %r has no value." % name)
            headers[name.lower()] = value.strip()
        return start[0], start[1].partition("?")[0], headers, start[2] == "HTTP/1.1"

    def body(self, headers):
        """Return the whole body, whichever way it is framed."""
        is_chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        length = headers.get("content-length", "0")
        if not is_chunked and not length.isdigit():
            raise Refused(400, "Content-Length %r is not a number." % length)
        if headers.get("expect", "").lower() == "100-continue":
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self._chunks() if is_chunked else self._take(int(length))

    def send(self, response, *, is_kept, is_head):
        status = response.status
        head = "HTTP/1.1 %d %s\r\n" % (status, _PHRASES.get(status, "Status"))
        if status != 204:
            head += "Content-Type: %s\r\nContent-Length: %d\r\n" % (_safe(response.content_type), len(response.body))
        head += "Connection: %s\r\n\r\n" % ("keep-alive" if is_kept else "close")
        body = b"" if is_head or status == 204 else response.body
        if len(body) < 1 << 16:
            self._connection.sendall(head.encode("latin-1", "replace") + body)
        else:
            self._connection.sendall(head.encode("latin-1", "replace"))
            self._connection.sendall(body)

    def _more(self):
        data = self._connection.recv(1 << 18)
        self._data += data
        return bool(data)

    def _take(self, count):
        if len(self._data) >= count:
            taken, self._data = self._data[:count], self._data[count:]
            return taken
        taken = bytearray(self._data)
        self._data = b""
        while len(taken) < count:
            data = self._connection.recv(min(1 << 20, count - len(taken)))
            if not data:
                raise OSError("the client went away in the middle of a body")
            taken += data
        return bytes(taken)

    def _line(self):
        while b"\r\n" not in self._data:
            if len(self._data) > _MAX_HEAD or not self._more():
                raise Refused(400, "The chunked body is not well-formed.")
        line, _, self._data = self._data.partition(b"\r\n")
        return line

    def _chunks(self):
        parts = []
        while True:
            try:
                size = int(self._line().partition(b";")[0], 16)
            except ValueError as error:
                raise Refused(400, "The chunked body is not well-formed.") from error
            if size == 0:
                while self._line():
                    pass
                return b"".join(parts)
            parts.append(self._take(size))
            self._take(2)


def _is_kept(headers, is_1_1):
    connection = headers.get("connection", "").lower()
    return "close" not in connection and (is_1_1 or "keep-alive" in connection)


def _safe(value):
    return value.replace("\r", " ").replace("\n", " ")
