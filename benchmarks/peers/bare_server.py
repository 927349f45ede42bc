"""The least a server can do with an upload or a download: asyncio streams, bytes into a file, bytes out of it.

It speaks just enough of S3 for boto3's transfer manager. It checks nothing, computes no checksum, keeps no metadata and
no second version, and waits for no disk.
"""

import asyncio
import os
import re
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

FOLDER = Path(sys.argv[1])
CHUNK_BYTES = 1024 * 1024
PART_BYTES = 8 * 1024 * 1024
"""boto3's part size: where part n belongs in the file."""
XML = "<?xml version='1.0'?><{0} xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>{1}</{0}>"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            await answer(head.decode("latin-1"), reader, writer)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def answer(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    line, *rest = head.rstrip("\r\n").split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
    url = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
    path = FOLDER / url.path.strip("/").replace("/", "_")
    length = int(headers.get("content-length", 0))
    if headers.get("expect") == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if method == "PUT" and length:
        start = (int(query.get("partNumber", 1)) - 1) * PART_BYTES
        await receive(reader, path, start=start, length=length)
        reply(writer, headers='ETag: "0"')
        return
    await reader.readexactly(length)
    if method == "POST" and "uploads" in query:
        path.unlink(missing_ok=True)
        reply(writer, XML.format("InitiateMultipartUploadResult", "<UploadId>1</UploadId>"))
    elif method == "POST":
        reply(writer, XML.format("CompleteMultipartUploadResult", '<ETag>"0"</ETag>'))
    elif method == "HEAD":
        reply(writer, headers=f'ETag: "0"\r\nAccept-Ranges: bytes\r\nX-Length: {path.stat().st_size}', path=path)
    elif method == "GET":
        await send(writer, path, headers.get("range", ""))
    else:
        reply(writer)


def reply(writer: asyncio.StreamWriter, body: str = "", *, headers: str = "", path: Path | None = None) -> None:
    length = path.stat().st_size if path else len(body)
    extra = f"{headers}\r\n" if headers else ""
    writer.write(f"HTTP/1.1 200 OK\r\n{extra}Content-Length: {length}\r\n\r\n{body}".encode())


async def receive(reader: asyncio.StreamReader, path: Path, *, start: int, length: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while length:
            chunk = await reader.read(min(CHUNK_BYTES, length))
            if not chunk:
                raise ConnectionResetError
            os.pwrite(descriptor, chunk, start)
            start, length = start + len(chunk), length - len(chunk)
    finally:
        os.close(descriptor)


async def send(writer: asyncio.StreamWriter, path: Path, wanted: str) -> None:
    size = path.stat().st_size
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
    first = int(found[1]) if found else 0
    last = int(found[2]) if found and found[2] else size - 1
    status = f"206 Partial Content\r\nContent-Range: bytes {first}-{last}/{size}" if found else "200 OK"
    writer.write(f'HTTP/1.1 {status}\r\nETag: "0"\r\nContent-Length: {last - first + 1}\r\n\r\n'.encode())
    descriptor = os.open(path, os.O_RDONLY)
    try:
        while first <= last:
            chunk = os.pread(descriptor, min(CHUNK_BYTES, last - first + 1), first)
            writer.write(chunk)
            await writer.drain()
            first += len(chunk)
    finally:
        os.close(descriptor)


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=CHUNK_BYTES)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await server.serve_forever()


asyncio.run(main())
