"""The closed set of errors an operation may raise. `wire` alone turns them into AWS codes and HTTP.

A message is written to the caller: what, which, why, what next; it repeats the caller's value, never a secret.
"""

from collections.abc import Mapping


class SagehouseError(Exception):
    """An operation could not be done.

    `code` is the service's own error code where the class alone does not say it ("NoSuchKey", "ResourceNotFound");
    without it `wire` picks the service's usual code for the class. `details` are extra members of the error document.
    """

    fault = "client"
    is_retryable = False

    def __init__(self, message: str, *, code: str | None = None, details: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = dict(details or {})


class Invalid(SagehouseError):
    """The request itself is wrong; the same request will never succeed."""


class NotFound(SagehouseError):
    """What the request names does not exist."""


class InUse(SagehouseError):
    """The name is taken, or the resource is in a status that forbids the request."""


class Conflict(SagehouseError):
    """Somebody else changed it meanwhile, or a precondition does not hold."""


class LimitExceeded(SagehouseError):
    """A documented quota would be exceeded."""


class Denied(SagehouseError):
    """The caller may not."""


class Throttled(SagehouseError):
    """Too many requests; the same request may succeed later."""

    is_retryable = True


class Unavailable(SagehouseError):
    """Our fault, now: the same request may succeed later."""

    fault = "server"
    is_retryable = True


class NotBound(SagehouseError):
    """An operation of the service model that sagehouse does not implement; answered 501 naming itself."""

    fault = "server"
