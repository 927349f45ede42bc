"""Fetches objects from the house over plain HTTP, without boto3 and without a signature: a job trusts its house.

A raw socket keeps the start of a job fast: `urllib.request` alone costs more than the rest of the toolkit.
"""

import os
import socket
import time

from sagehouse.toolkit.errors import ToolkitError

_TIMEOUT_S = 60.0
_PATIENCE_S = 120.0
"""For how long a house that does not answer is asked again: it may be starting anew."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_CHUNK = 1 << 20
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


NO_NETWORK = "SAGEHOUSE_NO_NETWORK"
"""Set in jobs that have none, so that they do not wait for a house they cannot reach."""


class _Cut(Exception):
    """The answer broke off, or says that another may be better."""


def split_uri(uri):
    """Return bucket and key of "s3://bucket/key"; the key may be empty."""
    if not uri.startswith("s3://"):
        raise ToolkitError("Expected an s3:// location, got %r." % uri)
    bucket, _, key = uri[len("s3://") :].partition("/")
    return bucket, key


def download(uri, path):
    """Write the object to `path`. ToolkitError if it is not there or the house does not answer."""
    bucket, key = split_uri(uri)
    with open(path, "wb") as file:

        def begin():
            file.seek(0)
            file.truncate()
            return file.write

        _get("/%s/%s" % (bucket, quote(key)), uri, begin)


def download_prefix(uri, directory):
    """Write every object below the prefix into `directory`, by its key relative to the prefix; return how many."""
    bucket, prefix = split_uri(uri)
    if prefix and not prefix.endswith("/"):
        prefix += "/"
    keys = list_keys(bucket, prefix)
    for key in keys:
        relative = key[len(prefix) :]
        if not relative or relative.endswith("/"):
            continue
        target = os.path.normpath(os.path.join(directory, relative))
        if not target.startswith(os.path.normpath(directory) + os.sep):
            raise ToolkitError("The key %r leaves the directory it is copied to." % key)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        download("s3://%s/%s" % (bucket, key), target)
    return len(keys)


def list_keys(bucket, prefix):
    """Return every key below a prefix, page after page."""
    from xml.etree import ElementTree

    keys, token = [], ""
    while True:
        query = "/%s?list-type=2&prefix=%s" % (bucket, quote(prefix, slash=False))
        if token:
            query += "&continuation-token=" + quote(token, slash=False)
        body = []

        def begin(body=body):
            body.clear()
            return body.append

        _get(query, "s3://%s/%s" % (bucket, prefix), begin)
        page = ElementTree.fromstring(b"".join(body))
        space = page.tag.partition("}")[0] + "}" if page.tag.startswith("{") else ""
        keys += [node.findtext(space + "Key", "") for node in page.iter(space + "Contents")]
        token = page.findtext(space + "NextContinuationToken") or ""
        if not token:
            return keys


def quote(text, slash=True):
    """Percent-encode as S3 paths need it; `slash` keeps "/" readable."""
    kept = _UNRESERVED if slash else _UNRESERVED - {ord("/")}
    return "".join(chr(byte) if byte in kept else "%%%02X" % byte for byte in text.encode("utf-8"))


def endpoint():
    """Return scheme, host, port and path prefix of the object store this job was pointed to."""
    for name in ("S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        url = os.environ.get(name)
        if url:
            break
    else:
        raise ToolkitError("AWS_ENDPOINT_URL is not set, so there is no object store to fetch the script from.")
    scheme, _, rest = url.partition("://")
    place, _, prefix = rest.partition("/")
    host, _, port = place.rpartition(":") if ":" in place.rpartition("]")[2] else (place, "", "")
    prefix = "/" + prefix.strip("/") if prefix.strip("/") else ""
    return scheme, (host or place).strip("[]"), int(port or (443 if scheme == "https" else 80)), prefix


def _get(target, uri, begin):
    """Fetch, and fetch again while the house is away: jobs outlive it, and it comes back at the same address.

    `begin()` forgets what came before and returns what takes the bytes.
    """
    scheme, host, port, prefix = endpoint()
    deadline, pause = time.monotonic() + _PATIENCE_S, _FIRST_PAUSE_S
    while True:
        try:
            _try(scheme, host, port, prefix + target, uri, begin())
            return
        except (ConnectionError, _Cut) as error:
            problem = error
        except OSError as error:
            raise ToolkitError(_silence(uri, scheme, host, port, error)) from error
        if os.environ.get(NO_NETWORK):
            raise ToolkitError(
                "%s cannot be fetched: this job has no network (EnableNetworkIsolation). Give its code as an input "
                "channel and name the path there." % uri
            ) from problem
        if time.monotonic() + pause > deadline:
            raise ToolkitError(_silence(uri, scheme, host, port, problem)) from problem
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _silence(uri, scheme, host, port, error):
    return "Could not fetch %s from %s://%s:%d: %s." % (uri, scheme, host, port, error)


def _try(scheme, host, port, target, uri, write):
    with _connect(scheme, host, port) as connection:
        request = "GET %s HTTP/1.0\r\nHost: %s:%d\r\nAccept-Encoding: identity\r\n\r\n"
        connection.sendall((request % (target, host, port)).encode("ascii"))
        status, length, start = _head(connection)
        if status >= 500:
            raise _Cut("HTTP %d" % status)
        if status != 200:
            raise ToolkitError(_refusal(status, uri, start + _rest(connection)))
        _copy(connection, start, length, write)


def _connect(scheme, host, port):
    connection = socket.create_connection((host, port), timeout=_TIMEOUT_S)
    if scheme != "https":
        return connection
    import ssl

    context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)
    return context.wrap_socket(connection, server_hostname=host)


def _head(connection):
    """Return the status, the announced length (None if there is none) and the bytes read beyond the headers."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise _Cut("the connection closed before an answer came")
        data += more
    head, _, start = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    length = None
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-length":
            length = int(value)
    return int(lines[0].split()[1]), length, start


def _copy(connection, start, length, write):
    done = len(start)
    write(start)
    while length is None or done < length:
        more = connection.recv(_CHUNK)
        if not more:
            break
        write(more)
        done += len(more)
    if length is not None and done != length:
        raise _Cut("it ended after %d of %d bytes" % (done, length))


def _rest(connection):
    parts = []
    while True:
        more = connection.recv(65536)
        if not more or len(parts) > 16:
            return b"".join(parts)
        parts.append(more)


def _refusal(status, uri, body):
    if status == 404:
        return "There is no object %s." % uri
    return "Fetching %s was answered with HTTP %d: %s" % (uri, status, body[:300].decode("utf-8", "replace"))
