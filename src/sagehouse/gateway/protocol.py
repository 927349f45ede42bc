"""uvicorn's HTTP protocol, but what comes before a body has an end."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT_BYTES = 512 * 1024
"""More than any client sends (AWS takes 8 KB), and than one read of a body brings."""


class BoundedProtocol(HttpToolsProtocol):
    """Refuses a request line or headers without end.

    They are joined piece by piece, at a cost that grows with the square of their length: one URL of 150 MB kept the
    house from answering anybody for minutes.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._is_in_head = True
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT_BYTES:
                self.send_400_response(f"The request line and headers have more than {HEAD_LIMIT_BYTES} bytes.")

    def on_message_begin(self) -> None:
        self._is_in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()
