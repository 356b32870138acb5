"""Connections: not too many, none that is idle for long, and a sentence for what is not HTTP."""

import asyncio
from typing import Any

from aiohttp import web

from trainyard.serving.answers import refusal
from trainyard.serving.guard import HEADERS, NO_PAGE
from trainyard.serving.limits import Limits, RefusedError, busy

LINGER = 2.0  # seconds for which the rest of a refused body is read, so that the client gets the answer
NOT_HTTP = "the request is not valid HTTP: its first line, headers or length cannot be used"


class Connection(web.RequestHandler):
    """aiohttp's connection, whose own errors are JSON as well, and are not logged with a traceback."""

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to what is not HTTP."""
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer was sent already")
        sentence = NOT_HTTP if status == 400 else "the server failed; its own output says why"
        response = refusal(RefusedError(status, sentence))
        response.headers.update(HEADERS | {"Content-Security-Policy": NO_PAGE})
        response.force_close()
        return response


class TooMany(asyncio.Protocol):
    """A connection above the limit: told so, and closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the refusal."""
        body = refusal(busy("too many connections are open")).body
        head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
        head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"  # pyright: ignore
        transport.write(head.encode() + body)  # pyright: ignore
        transport.close()


async def listen(runner: web.AppRunner, sock: Any, limits: Limits) -> asyncio.Server:
    """Accept connections on a socket, for the runner's application."""
    server = runner.server
    assert server is not None, "the runner is set up"
    loop = asyncio.get_running_loop()

    def connection() -> asyncio.Protocol:
        if len(server.connections) >= limits.connections:
            return TooMany()
        return Connection(
            server, loop=loop, access_log=None,  # pyright: ignore
            keepalive_timeout=limits.head_time, lingering_time=LINGER,
            auto_decompress=False,
        )  # fmt: skip

    return await loop.create_server(connection, sock=sock)
