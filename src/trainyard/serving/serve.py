"""Serve a trained network over HTTP until a signal stops it."""

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from lightning import LightningDataModule

from trainyard.durability.signals import not_ignored
from trainyard.errors import UserError
from trainyard.extras import import_extra
from trainyard.serving.address import LOCAL, Address, open_socket, url
from trainyard.serving.limits import DEFAULT, Limits
from trainyard.serving.served import Served
from trainyard.tasks.base import Task

PAUSE = 0.02  # seconds between two looks at what is still being answered
CLOSING = 1.0  # seconds for what is left of connections then


def serve(
    task: Task,
    data: LightningDataModule,
    address: Address = LOCAL,
    device: str = "auto",
    limits: Limits = DEFAULT,
    told: Callable[[str], object] = print,
) -> None:
    """Answer requests until SIGINT or SIGTERM; what is being answered then is finished first.

    `told` gets the address, once the server listens. UserError for a port that is in use, ValueError for a network that
    cannot be served or a device that is not there.
    """
    import_extra("aiohttp", "serve")
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        raise UserError("serve needs a process of its own, not a notebook: trainyard serve RUN in a terminal")
    served = Served(task, data, device, limits)
    with open_socket(address) as sock:
        asyncio.run(run(served, address, sock, limits, told))


async def run(
    served: Served,
    address: Address,
    sock: socket.socket,
    limits: Limits,
    told: Callable[[str], object],
    stop: asyncio.Event | None = None,
) -> None:
    """Answer requests on a socket until a signal, or `stop`."""
    from aiohttp import web

    from trainyard.serving.connections import listen
    from trainyard.serving.endpoints import Endpoints
    from trainyard.serving.guard import Guard

    stop = stop or asyncio.Event()
    guard = Guard(address, limits)
    app = web.Application(middlewares=[guard.middleware])
    Endpoints(served, limits).add_to(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSING)
    await runner.setup()
    stop_on_signals(stop)
    listening = await listen(runner, sock, limits)
    try:
        told(url(address.host, sock.getsockname()[1]))
        await stop.wait()
    finally:
        listening.close()
        guard.is_stopping = True
        with suppress(TimeoutError):
            async with asyncio.timeout(limits.stop_time):
                while guard.active:
                    await asyncio.sleep(PAUSE)
        await runner.cleanup()


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set `stop` on the first signal; a second one ends the process at once. Only the main thread gets signals."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()

    def received(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        print("\nstopping, once what was asked is answered", file=sys.stderr, flush=True)
        stop.set()

    for number in not_ignored():
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, partial(received, number))
