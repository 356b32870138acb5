"""What can be asked of the server: the page, predictions, explanations, and how it is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from aiohttp import web
from torch import Tensor

from trainyard.cores import available_cores
from trainyard.serving.answers import prediction
from trainyard.serving.batching import Batcher
from trainyard.serving.bodies import Bodies
from trainyard.serving.explaining import Explaining
from trainyard.serving.limits import Limits, RefusedError
from trainyard.serving.page import Page
from trainyard.serving.parsing import Sent, parse
from trainyard.serving.served import Prepared, Served

T = TypeVar("T")


class Endpoints:
    """The handlers of requests. Bodies are parsed and decoded by a pool of threads; the event loop waits for none."""

    def __init__(self, served: Served, limits: Limits) -> None:
        self.served, self.limits = served, limits
        self.bodies = Bodies(served.kind, limits)
        self.batcher: Batcher[Prepared, Tensor | RefusedError] = Batcher(served.predict, limits)
        self.explaining = Explaining(served, limits)
        self.page = Page()
        self.pool = ThreadPoolExecutor(available_cores(), "decode")
        self.answered = 0  # requests for predictions

    def add_to(self, app: web.Application) -> None:
        """Add the addresses to an application, and what begins and ends with it."""
        app.router.add_get("/", self.page.get)
        app.router.add_post("/predict", self.predict)
        app.router.add_post("/explain", self.explain)
        app.router.add_get("/health", self.health)
        app.router.add_get("/model", self.model)

        async def run(_: web.Application) -> AsyncIterator[None]:
            self.batcher.start()
            yield
            await self.batcher.stop()
            self.pool.shutdown(wait=False, cancel_futures=True)  # the event loop waits for no thread
            self.explaining.thread.shutdown(wait=False, cancel_futures=True)

        app.cleanup_ctx.append(run)

    async def predict(self, request: web.Request) -> web.Response:
        """The prediction of each input; ?top=N has the N most probable classes."""
        top = self.top(request)

        async def answer(sent: Sent, prepared: list[Prepared]) -> list[dict[str, Any]]:
            outputs = await self.batcher.answers(prepared)
            found = []
            for number, (each, output) in enumerate(zip(prepared, outputs, strict=True), start=1):
                if isinstance(output, RefusedError):
                    raise RefusedError(output.status, f"input {number}: {output}" if sent.is_list else str(output))
                found.append(prediction(output, self.served.labels, top, each.words))
            return found

        sent, found = await self.with_inputs(request, answer)
        self.answered += 1
        return web.json_response(found if sent.is_list else found[0])

    async def explain(self, request: web.Request) -> web.Response:
        """Why the network predicts what it does for one input; ?method=... and ?target=CLASS choose how and what."""
        method, target = request.query.get("method", ""), request.query.get("target")

        async def answer(sent: Sent, prepared: list[Prepared]) -> dict[str, Any]:
            if len(prepared) != 1:
                raise RefusedError(422, f"one input is explained at a time, and the request has {len(prepared)}")
            return await self.explaining.explain(prepared[0], method, target)

        _, found = await self.with_inputs(request, answer)
        return web.json_response(found)

    async def with_inputs(
        self, request: web.Request, answer: Callable[[Sent, list[Prepared]], Awaitable[T]]
    ) -> tuple[Sent, T]:
        """The inputs of a request, and what `answer` makes of them when they are prepared."""
        async with self.bodies.read(request) as body:
            header = request.headers.get("Content-Type", "")

            def prepare() -> tuple[Sent, list[Prepared]]:
                sent = parse(header, body, self.served.kind, self.limits)
                return sent, self.served.prepare(sent.values)

            sent, prepared = await asyncio.get_running_loop().run_in_executor(self.pool, prepare)
            return sent, await answer(sent, prepared)

    def top(self, request: web.Request) -> int:
        """How many classes are asked for: all, unless ?top=N says it."""
        word = request.query.get("top", "1000000000")
        if not word.isascii() or not word.isdecimal() or int(word[:10]) == 0:
            raise RefusedError(422, "top must be a whole number, at least 1")
        return int(word[:10])

    async def health(self, _: web.Request) -> web.Response:
        """Whether the server answers, and how much it has."""
        return web.json_response(
            {
                "status": "ok",
                "network": self.served.network,
                "classes": self.served.labels,
                "answered": self.answered,
                "inputs": self.batcher.inputs,
                "batches": self.batcher.batches,
                "waiting": self.batcher.queue.qsize(),
            }
        )

    async def model(self, _: web.Request) -> web.Response:
        """What the network takes, and the limits."""
        limits = self.limits
        return web.json_response(
            {
                "network": self.served.network,
                "classes": self.served.labels,
                "input": self.served.input_facts(),
                "preprocessing": self.served.preprocessing,
                "methods": list(self.explaining.methods),
                "limits": {
                    "bytes": limits.upload if self.served.kind == "image" else limits.json,
                    "pixels": limits.pixels,
                    "characters": limits.characters,
                    "inputs": limits.inputs,
                },
            }
        )
