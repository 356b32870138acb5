"""A server in a thread of this process, and what asks it."""

import asyncio
import http.client
import io
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

import trainyard
from trainyard.serving.address import Address, open_socket
from trainyard.serving.limits import Limits
from trainyard.serving.serve import run as run_server
from trainyard.serving.served import Served

JSON = "application/json"


class Answer(NamedTuple):
    status: int
    content: Any  # JSON, or text
    headers: http.client.HTTPMessage


class Client:
    """Asks a server, over a connection of its own for each request."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            content = response.read()
            is_json = response.headers.get_content_type() == JSON
            return Answer(response.status, json.loads(content) if is_json else content.decode(), response.headers)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, body: Any, kind: str = JSON, path: str = "/predict", **headers: str) -> Answer:
        """Bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body)
        return self.ask("POST", path, content, Content_Type=kind, **headers)

    def raw(self, content: bytes, timeout: float = 30) -> bytes:
        """What comes back for bytes on a connection, until the server closes it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            connection.sendall(content)
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@contextmanager
def serving(run: trainyard.Run, host: str = "127.0.0.1", **limits: Any) -> Iterator[Client]:
    """A server for the network of a run, at any port that is free."""
    chosen = Limits(**limits)
    served = Served(run.task(), run.data(), "cpu", chosen)
    address, loop, stop = Address(0, host), asyncio.new_event_loop(), asyncio.Event()
    started: threading.Event = threading.Event()
    with open_socket(address) as sock:
        port = sock.getsockname()[1]
        work = run_server(served, address, sock, chosen, lambda url: started.set(), stop)
        thread = threading.Thread(target=loop.run_until_complete, args=(work,))
        thread.start()
        try:
            assert started.wait(30)
            yield Client(port)
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(30)
            assert not thread.is_alive()
            loop.close()


def noise(width: int = 40, height: int = 30, seed: int = 0, mode: str = "RGB") -> Image.Image:
    """An image of random pixels."""
    pixels = np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """An image as a file's content."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def form(*files: bytes, name: str = "file", filename: str = "x.png", boundary: str = "b0undary") -> tuple[bytes, str]:
    """A form with files, and its content type."""
    head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: image/png\r\n\r\n'
    parts = [f"--{boundary}\r\n{head}".encode() + content + b"\r\n" for content in files]
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


@pytest.fixture(scope="session", name="reader")
def reader_fixture(short: list[str]) -> trainyard.Run:
    return trainyard.train([*short, "model=gru", "data=reviews", "data.size=200", "data.test_size=20"])


@pytest.fixture(scope="session", name="gate")
def gate_fixture(short: list[str]) -> trainyard.Run:
    return trainyard.train([*short, "model=mlp", "data=xor"])


@pytest.fixture(scope="session", name="images")
def images_fixture(run: trainyard.Run) -> Iterator[Client]:
    with serving(run) as client:
        yield client


@pytest.fixture(scope="session", name="texts")
def texts_fixture(reader: trainyard.Run) -> Iterator[Client]:
    with serving(reader) as client:
        yield client


@pytest.fixture(scope="session", name="numbers")
def numbers_fixture(gate: trainyard.Run) -> Iterator[Client]:
    with serving(gate) as client:
        yield client
