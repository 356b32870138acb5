"""Who may ask, and what every answer has: names of this host alone, headers against misuse, errors as sentences."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import web

from trainyard.errors import printable
from trainyard.serving.address import Address, is_known, is_loopback
from trainyard.serving.answers import refusal
from trainyard.serving.limits import Limits, RefusedError, busy

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "trainyard",
}
NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
log = logging.getLogger(__name__)


class Guard:
    """Checks every request before it is handled, and completes every answer."""

    def __init__(self, address: Address, limits: Limits) -> None:
        self.names = {name.lower() for name in (address.host, *address.names)}
        self.only_loopback, self.limits = is_loopback(address.host), limits
        self.active = 0  # requests
        self.is_stopping = False

    def check(self, request: web.Request) -> None:
        """Raise RefusedError for a request to another host's name, or from another site's page."""
        host = request.headers.get("Host", "")
        if len(request.headers.getall("Host", [])) != 1 or not is_known(host, self.names, self.only_loopback):
            raise RefusedError(403, f"the host {printable(host)} is not this server's; --allow-host adds a name")
        origin = request.headers.get("Origin")
        if origin is not None and site(origin) != host:
            raise RefusedError(403, "a page of another site may not ask this server")
        if self.is_stopping:
            raise busy("it is being stopped")

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Handle a request, within a time; every error becomes a sentence."""
        self.active += 1
        try:
            response = await self.answer(request, handler)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            response.headers.setdefault("Content-Security-Policy", NO_PAGE)
            if self.is_stopping or not request.content.is_eof():
                response.force_close()
            await self.send(request, response)
            return response
        finally:
            self.active -= 1

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The handler's answer, or a refusal."""
        try:
            self.check(request)
            async with asyncio.timeout(self.limits.answer_time):
                return await handler(request)
        except RefusedError as error:
            return refusal(error)
        except TimeoutError:
            return refusal(busy(f"no answer within {self.limits.answer_time:g} s"))
        except web.HTTPException as error:
            return unusual(error)
        except (web.RequestPayloadError, ConnectionError):
            return refusal(RefusedError(400, "the body of the request is cut off, or not as its headers say"))
        except Exception:
            log.exception("a request failed")
            return refusal(RefusedError(500, "the server failed; its own output says why"))

    async def send(self, request: web.Request, response: web.StreamResponse) -> None:
        """Send the answer; a client that does not read it is disconnected."""
        try:
            async with asyncio.timeout(self.limits.send_time):
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            if request.transport:
                request.transport.abort()


def site(origin: str) -> str | None:
    """The host and port in an Origin header."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def unusual(error: web.HTTPException) -> web.StreamResponse:
    """aiohttp's own refusals, of unknown addresses and methods, as JSON."""
    phrase = HTTPStatus(error.status).phrase.lower()
    ways = "GET / is the page; POST /predict, POST /explain, GET /health and GET /model are JSON"
    response = refusal(RefusedError(error.status, f"{phrase}: {ways}"))
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response
