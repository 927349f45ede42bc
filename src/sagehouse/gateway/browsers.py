"""Requests that a browser sends for somebody else's web page, which the user never meant to make: refused.

The house trusts whoever reaches its loopback port, and every page open in the user's browser does. What a browser
adds to a request no page can change: Origin, Sec-Fetch-*, and the Host it looked up (DNS rebinding). Programs send
none of the first two, and name the house by an address, a name of this machine or one of AWS's.

Source: https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/, RFC 6761 (names that
cannot be bought).
"""

import ipaddress
from urllib.parse import urlsplit

from sagehouse.kit.errors import Denied
from sagehouse.wire.addressing import is_aws_host
from sagehouse.wire.http import HttpRequest

_RESERVED = (".localhost", ".internal", ".local", ".test", ".lan", ".home.arpa")


def refuse_foreign_pages(request: HttpRequest) -> None:
    """Raise Denied for a request of a page that is neither the house's own nor one served on this machine."""
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    if host and not _is_unforgeable(_name(f"//{host}")):
        raise Denied(
            f"The house answers as localhost, as an address or as a host of AWS, not as {host[:100]!r}: a web page "
            "could reach it under a name of its own."
        )
    if origin is not None:
        if not _is_of_this_machine(_name(origin)) and origin.lower().partition("://")[2] != host.lower():
            raise Denied(f"A page of {origin[:100]!r} asks; only pages of this machine may.")
    elif request.headers.get("sec-fetch-site") == "cross-site" and not _is_followed_link(request):
        raise Denied("A page of another site asks; only pages of this machine may.")


def _name(url: str) -> str:
    """Return the host of a URL in lower case; "" if there is none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_unforgeable(name: str) -> bool:
    """Whether no stranger can make a name lead here: an address, a single word, a reserved name, one of AWS's."""
    is_word = name != "" and "." not in name
    return is_word or name.endswith(_RESERVED) or is_aws_host(name) or _address(name) is not None


def _is_of_this_machine(name: str) -> bool:
    address = _address(name)
    return name == "localhost" or name.endswith(".localhost") or (address is not None and address.is_loopback)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _is_followed_link(request: HttpRequest) -> bool:
    """Whether the user clicked on a link to an object, a presigned one perhaps: it shows, it changes nothing."""
    is_shown = request.headers.get("sec-fetch-mode") == "navigate" and request.method in {"GET", "HEAD"}
    return is_shown and "Action=" not in request.query
