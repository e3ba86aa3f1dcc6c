"""Faulty responses, for SimulatedApi.faults."""

import asyncio
import gzip
import json
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from tests.sandbox.api import error


def status(code: int, message: str = "Simulated.", error_code: str | None = None, **headers: str) -> Handler:
    """An error of the API; `_` in the name of a header becomes `-`."""

    async def handler(_request: web.Request) -> web.Response:
        response = error(code, message, error_code)
        response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        return response

    return handler


def body(content: bytes | str | dict[str, Any], code: int = 200, content_type: str = "application/json") -> Handler:
    """Any bytes, or any JSON."""
    content = json.dumps(content) if isinstance(content, dict) else content
    content = content.encode() if isinstance(content, str) else content

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=content, status=code, content_type=content_type)

    return handler


def html(code: int = 200) -> Handler:
    """A proxy's page instead of the API's response."""
    return body("<html><body>Bad gateway</body></html>", code, "text/html")


def compressed(content: bytes, code: int = 200) -> Handler:
    """A body that is small on the wire, and large when it is decompressed."""

    async def handler(_request: web.Request) -> web.Response:
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        return web.Response(body=gzip.compress(content), status=code, headers=headers)

    return handler


async def malformed_headers(request: web.Request) -> web.StreamResponse:
    """A header line without a name, in an otherwise valid response."""
    assert request.transport is not None
    request.transport.write(b'HTTP/1.1 200 OK\r\nno header\r\n\r\n{"object":"list","data":[],"has_more":false}')
    request.transport.close()
    return web.Response()


async def reset(request: web.Request) -> web.StreamResponse:
    """The connection is cut before a response."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def truncated(request: web.Request) -> web.StreamResponse:
    """The connection is cut in the middle of the body."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"object":"list","data":[')
    assert request.transport is not None
    request.transport.abort()
    return response


async def stalled(request: web.Request) -> web.StreamResponse:
    """The body never ends: it arrives byte by byte."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(300):
        await response.write(b" ")
        await asyncio.sleep(0.1)
    return response


async def trickling(request: web.Request) -> web.StreamResponse:
    """The headers never end: they arrive byte by byte."""
    transport = request.transport
    assert transport is not None
    transport.write(b"HTTP/1.1 200 OK\r\nX-Padding: ")
    while not transport.is_closing():
        transport.write(b"x")
        await asyncio.sleep(0.1)
    return web.Response()


async def silent(request: web.Request) -> web.StreamResponse:
    """The connection stays open without a response."""
    while request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(0.1)
    return web.Response()
