"""The bodies of requests, read within limits of size and time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from trainyard.serving.limits import Limits, RefusedError, busy
from trainyard.serving.parsing import JSON, check_type


class Bodies:
    """Reads the bodies of requests for a network whose inputs are of one kind; together they take bounded memory."""

    def __init__(self, kind: str, limits: Limits) -> None:
        self.kind, self.limits = kind, limits
        self.held = 0  # bytes

    @asynccontextmanager
    async def read(self, request: web.Request) -> AsyncIterator[bytes]:
        """The body of a request, which counts as held within the block; RefusedError if it is too large or too slow."""
        limits = self.limits
        found = check_type(request.headers.get("Content-Type", ""), self.kind)
        most = limits.json if found == JSON else limits.upload
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise RefusedError(415, "the request is compressed (Content-Encoding); send it as it is")
        if (request.content_length or 0) > most:
            raise too_large(most)
        chunks: list[bytes] = []
        try:
            await self.collect(request, most, chunks)
            yield b"".join(chunks)
        finally:
            self.held -= sum(map(len, chunks))

    async def collect(self, request: web.Request, most: int, chunks: list[bytes]) -> None:
        """Add what arrives to `chunks`."""
        size = 0
        try:
            async with asyncio.timeout(self.limits.body_time):
                async for chunk in request.content.iter_any():
                    chunks.append(chunk)
                    size, self.held = size + len(chunk), self.held + len(chunk)
                    if size > most:
                        raise too_large(most)
                    if self.held > self.limits.held:
                        raise busy("other requests take all memory that is allowed")
        except TimeoutError as error:
            raise RefusedError(408, f"the request took more than {self.limits.body_time:g} s to arrive") from error


def too_large(most: int) -> RefusedError:
    """The refusal of a body."""
    return RefusedError(413, f"the request is larger than {most / (1 << 20):g} MiB, the limit")
