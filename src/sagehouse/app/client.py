"""How the command line asks a running house: the JSON operations any SDK uses, over plain HTTP."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import click

_TARGETS = {"sagemaker": "SageMaker", "logs": "Logs_20140328"}
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refused(click.ClickException):
    """The house answered with an error; `code` is AWS's. A command that does not expect it prints it and exits 1."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Client:
    def __init__(self, url: str, *, region: str, account: str) -> None:
        self.url = url
        self._scope = f"{account}/20200101/{region}"

    def ask(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        """Return the answer of one operation; Refused with AWS's code otherwise."""
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"{_TARGETS[service]}.{operation}",
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential={self._scope}/{service}/aws4_request, SignedHeaders=host, Signature=0"
            ),
        }
        return self._send(urllib.request.Request(self.url, data=json.dumps(request).encode(), headers=headers))  # noqa: S310 - our own url

    def admin(self, path: str, *, method: str = "GET", timeout_s: float = 150) -> dict[str, Any]:
        """Return the answer of one of the house's own routes below /_sagehouse/."""
        request = urllib.request.Request(f"{self.url}/_sagehouse/{path}", method=method)  # noqa: S310 - our own url
        return self._send(request, timeout_s=timeout_s)

    def pages(self, operation: str, member: str, **request: Any) -> Iterator[dict[str, Any]]:
        """Yield every item of a List operation of SageMaker, all pages."""
        while True:
            answer = self.ask("sagemaker", operation, **request)
            yield from answer[member]
            if not answer.get("NextToken"):
                return
            request["NextToken"] = answer["NextToken"]

    def _send(self, request: urllib.request.Request, *, timeout_s: float = 60) -> dict[str, Any]:
        try:
            with _opener.open(request, timeout=timeout_s) as answer:
                document: dict[str, Any] = json.load(answer)
                return document
        except urllib.error.HTTPError as error:
            try:
                told = json.loads(error.read())
            except ValueError:
                told = {}
            code = str(told.get("__type", error.reason)).rsplit("#", 1)[-1]
            raise Refused(code, told.get("message") or told.get("Message") or str(error)) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise click.ClickException(f"The house at {self.url} did not answer: {reason}") from None
