"""Hostile uploads: each is refused with a sentence that tells nothing about this machine, and the server goes on."""

import io
import json
import re
import socket
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from asked import (  # noqa: F401  fixtures
    Answer,
    Client,
    encoded,
    form,
    gate_fixture,
    images_fixture,
    noise,
    numbers_fixture,
    reader_fixture,
    serving,
    texts_fixture,
)
from PIL import Image

import trainyard

PNG = encoded(noise())
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def bomb(width: int, height: int) -> bytes:
    """A PNG file of one color, whose rows are made as they are compressed."""
    packer, row = zlib.compressobj(9), b"\0" * (1 + width)
    packed = b"".join(packer.compress(row * 100) for _ in range(height // 100)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../etc/cron.d/x", b"\0" * (1 << 20))
    return file.getvalue()


def float_tiff() -> bytes:
    return encoded(Image.fromarray(np.full((8, 8), 0.5, dtype=np.float32)), "TIFF")


def webp_head(side: int) -> bytes:
    """The beginning of a WebP file that says it is very large."""
    canvas = struct.pack("<I", side - 1)[:3]
    content = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + b"\2\0\0\0" + canvas + canvas
    return b"RIFF" + struct.pack("<I", len(content)) + content


IMAGES: dict[str, tuple[Any, str, int, str]] = {  # the body, its type, the status, a part of the sentence
    "empty": (b"", "image/png", 400, "the request is empty; the network takes images"),
    "truncated": (PNG[: len(PNG) // 2], "image/png", 422, "the image cannot be read (image file is truncated"),
    "head only": (PNG[:30], "image/png", 415, "the network takes PNG, JPEG, WEBP, BMP, GIF, TIFF"),
    "text as an image": (b"just a text", "image/png", 415, "the file is no image"),
    "null bytes": (b"\0" * 5000, "image/png", 415, "the file is no image"),
    "SVG": (SVG, "image/svg+xml", 415, "the file is no image"),
    "zip": (zipped(), "application/octet-stream", 415, "the file is no image"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "image/eps", 415, "the file is no image"),
    "bomb": (bomb(30_000, 30_000), "image/png", 413, "the image has too many pixels; 33,554,432"),
    "wide": (bomb(10_000, 4000), "image/png", 413, "10,000 x 4,000 pixels has more than 33,554,432"),
    "a WebP head": (webp_head(16_000), "image/webp", 413, "the image has too many pixels"),
    "floats": (float_tiff(), "image/tiff", 422, "its values are float32 from 0.5 to 0.5"),
    "type of JSON": (b'{"text": "x"}', "application/json", 415, "the network takes images: send the file"),
    "type of a form in an address": (b"a=1", "application/x-www-form-urlencoded", 415, "the network takes images"),
    "a form without end": (form(PNG)[0][:-20], form(PNG)[1], 400, "its last boundary is missing"),
    "a form without boundary": (form(PNG)[0], "multipart/form-data", 400, "names no boundary"),
    "a boundary in none": (form(PNG)[0], "multipart/form-data; boundary*=undefined''a", 400, "names no boundary"),
    "a form with another": (form(PNG)[0], "multipart/form-data; boundary=x", 400, "its last boundary is missing"),
    "an empty form": (b"--b\r\n--b--\r\n", "multipart/form-data; boundary=b", 400, "a part of the form has no head"),
    "too many parts": (*form(*[b"x"] * 65), 413, "the form has 65 parts, and 64 is the limit"),
    "millions of parts": (b"\r\n--b" * 1_000_000, "multipart/form-data; boundary=b", 413, "parts, and 64 is the limit"),
    "another field": (*form(PNG, name="../x"), 422, "the field ../x of the form is unknown; send the image as `file`"),
    "a bad one among good ones": (*form(PNG, PNG[:999], PNG), 422, "input 2: the image cannot be read"),
    "bombs in a form": (*form(*[bomb(8000, 4000)] * 3), 413, "input 3: the image of 8,000 x 4,000 pixels has"),
    "a long head": (*form(PNG, filename="x" * 5000), 400, "no head of its own, or one that is too long"),
    "too large": (b"\0" * ((16 << 20) + 1), "image/png", 413, "the request is larger than 16 MiB, the limit"),
}  # fmt: skip
TEXTS: dict[str, tuple[Any, int, str]] = {
    "no JSON": (b"hello", 400, "the request is not JSON: Expecting value"),
    "not UTF-8": (b'{"text": "caf\xe9"}', 400, "the request is not UTF-8 (byte 13)"),
    "huge": (b'{"text": "' + b"x" * (1 << 20) + b'"}', 413, "larger than 1 MiB"),
    "deep": (b"[" * 100_000 + b"]" * 100_000, 400, "the JSON is nested too deeply"),
    "deep objects": (b'{"text":' * 50_000, 400, "the JSON is nested too deeply"),
    "null byte in JSON": (b'{"text": "a\0b"}', 400, "the request is not JSON"),
    "null character": ({"text": "good\0film"}, 422, "the text contains a null character"),
    "half a surrogate pair": (b'{"text": "good \\ud800"}', 422, "half of a surrogate pair"),
    "unknown words only": ({"text": "Vollkommen zauberhaft"}, 422, "all of its 2 words are unknown to the tokenizer"),
    "signs only": ({"text": "?! ..."}, 422, "it has no word"),
    "blank": ({"text": " \n "}, 422, "the text is empty"),
    "long": ({"text": "good " * 20_000}, 413, "the text has 100,000 characters, and 50,000 is the limit"),
    "no string": ({"text": {"$ne": None}}, 422, "a text must be a string, not dict"),
    "more keys": ({"text": "good", "path": "/etc/passwd"}, 422, "an object with `text` alone"),
    "values": ({"values": [1]}, 422, "an object with `text` alone"),
    "a number": (1, 422, "an object with `text` alone"),
    "no inputs": ([], 422, "the list of inputs is empty"),
    "many inputs": ([{"text": "good"}] * 65, 413, "65 inputs are more than 64 in a request"),
    "one bad": ([{"text": "good film"}, {"text": "zauberhaft"}], 422, "input 2: the text cannot be predicted"),
}
NUMBERS: dict[str, tuple[Any, int, str]] = {
    "NaN": (b'{"values": [NaN, 1]}', 422, "NaN is not a number of JSON"),
    "Infinity": (b'{"values": [1, -Infinity]}', 422, "-Infinity is not a number of JSON"),
    "1e999": (b'{"values": [1e999, 1]}', 422, "the numbers must be finite"),
    "an integer of 400 digits": ({"values": [10**400, 1]}, 422, "a number is too large"),
    "an integer of 9,000 digits": (b'{"values": [' + b"9" * 9000 + b", 1]}", 400, "the request is not JSON"),
    "overflow": ({"values": [1e300, -1e300]}, 422, "not finite"),
    "one that overflows": ([{"values": [0, 1]}, {"values": [1e300, 1]}], 422, "input 2: the network's outputs are not"),
    "too many": ({"values": [0, 1, 1]}, 422, "the input has 3 numbers, and the network takes 2"),
    "none": ({"values": []}, 422, "the input has 0 numbers"),
    "strings": ({"values": ["0", "1"]}, 422, "`values` must be a list of numbers"),
    "truth": ({"values": [True, False]}, 422, "`values` must be a list of numbers"),
    "lists in lists": ({"values": [[[[[0]]]], 1]}, 422, "`values` must be a list of numbers"),
    "a number alone": ({"values": 1}, 422, "`values` must be a list of numbers"),
}  # fmt: skip


def check_refusal(answer: Any, status: int, said: str, client: Client) -> None:
    assert answer.status == status, answer.content
    assert answer.content.keys() == {"error"} and said in answer.content["error"]
    assert not re.search(r"Traceback|/tmp|/home|/usr|0x[0-9a-f]{6}|\.py\b|\n", answer.content["error"])
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert client.get("/health").content["status"] == "ok"


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("name", IMAGES)
def test_an_upload_is_refused(name: str, images: Client) -> None:
    body, kind, status, said = IMAGES[name]
    check_refusal(images.post(body, kind), status, said, images)
    assert images.post(PNG, "image/png").status == 200


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_refused(name: str, texts: Client) -> None:
    body, status, said = TEXTS[name]
    check_refusal(texts.post(body), status, said, texts)


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_refused(name: str, numbers: Client) -> None:
    body, status, said = NUMBERS[name]
    check_refusal(numbers.post(body), status, said, numbers)
    assert numbers.post({"values": [[0], [1]]}).status == 200


def test_other_methods_addresses_and_hosts_are_refused(numbers: Client) -> None:
    good = json.dumps({"values": [0, 1]})
    asked = numbers.ask("PUT", "/predict", good)
    check_refusal(asked, 405, "method not allowed: GET / is the page; POST /predict", numbers)
    assert asked.headers["Allow"] == "POST"
    check_refusal(numbers.get("/../../etc/passwd"), 404, "not found", numbers)
    check_refusal(numbers.get("/predict"), 405, "method not allowed", numbers)
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "[::1", "10.0.0.7", ""):
        check_refusal(numbers.get("/health", Host=host), 403, "is not this server's; --allow-host adds a name", numbers)
    for origin in ("http://evil.example", "null", "http://[", f"http://localhost:{numbers.port}"):
        refused = numbers.post(good.encode(), Origin=origin)
        check_refusal(refused, 403, "a page of another site may not ask this server", numbers)
    assert numbers.post(good.encode(), Origin=f"http://127.0.0.1:{numbers.port}").status == 200
    check_refusal(
        numbers.post(good.encode(), "text/plain"), 415, "as application/json; the request is text/plain", numbers
    )
    check_refusal(numbers.post(zlib.compress(good.encode()), Content_Encoding="deflate"), 415, "is compressed", numbers)
    for top in ("0", "-1", "x", "1e3", "%C2%B2"):
        check_refusal(numbers.post(good.encode(), path=f"/predict?top={top}"), 422, "top must be", numbers)


@pytest.mark.parametrize(
    "head",
    [
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/json\r\n\r\nZZ\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + b"".join(b"X%d: 1\r\n" % i for i in range(500)) + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40 + b"\r\n\r\n",
    ],
    ids=["negative length", "two lengths", "bad chunk", "long header", "many headers", "TLS"],
)
def test_what_is_not_http_gets_a_sentence(head: bytes, numbers: Client) -> None:
    answer = numbers.raw(head)
    first, _, body = answer.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 400 ") or first.startswith(b"HTTP/1.0 400 "), answer
    assert json.loads(body)["error"] and b"Traceback" not in answer
    assert numbers.get("/health").status == 200


def test_chunks_over_the_limit_are_refused_before_they_end(numbers: Client) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", numbers.port), timeout=30) as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):  # never the last chunk
            connection.sendall(b"%x\r\n" % (1 << 16) + b" " * (1 << 16) + b"\r\n")
        answer = connection.recv(1 << 16)
    assert answer.startswith(b"HTTP/1.1 413 ") and b"larger than 1 MiB" in answer


def test_the_name_of_a_file_means_nothing(images: Client) -> None:
    names = ("../../../etc/passwd", "/etc/passwd", "x\0.png", "C:\\x.png", "<img src=x>.png", "=cmd|x.png")
    answers = [images.post(*form(PNG, filename=name)) for name in names]
    assert [answer.status for answer in answers] == [200] * len(names)
    assert all(answer.content == answers[0].content for answer in answers)


def test_slow_clients_are_disconnected(gate: trainyard.Run) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    start = time.monotonic()
    with serving(gate, head_time=0.3, body_time=0.3) as client:
        assert client.raw(head[:40]) == b""
        answer = client.raw(head + b"{")
    assert answer.startswith(b"HTTP/1.1 408 ") and b"took more than 0.3 s to arrive" in answer
    assert time.monotonic() - start < 10


def test_a_client_that_does_not_read_is_disconnected(gate: trainyard.Run) -> None:
    with serving(gate, send_time=0.3) as client:
        page = len(client.get("/").content)
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(30)
            connection.connect(("127.0.0.1", client.port))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5000)
            time.sleep(1)
            received = 0
            with suppress(ConnectionResetError):
                while content := connection.recv(1 << 16):
                    received += len(content)
        assert received < 2500 * page and client.get("/health").status == 200


def test_connections_and_memory_have_a_limit(gate: trainyard.Run) -> None:
    with serving(gate, connections=8, held=1 << 19) as client:
        idle = [socket.create_connection(("127.0.0.1", client.port)) for _ in range(8)]
        refused = once(lambda: client.get("/health"), 503)
        assert "too many connections are open" in refused.content["error"] and refused.headers["Retry-After"] == "1"
        for connection in idle:
            connection.close()
        once(lambda: client.get("/health"), 200)
        answer = client.post(json.dumps({"values": [0, 1]}).encode() + b" " * (1 << 19))
        check_refusal(answer, 503, "other requests take all memory that is allowed", client)
        assert client.post({"values": [0, 1]}).status == 200


def once(ask: Callable[[], Answer], status: int) -> Answer:
    """The first answer with that status: connections are opened and closed by the server a moment later."""
    end = time.monotonic() + 10
    while (answer := ask()).status != status:
        assert time.monotonic() < end, answer
    return answer


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_bytes_that_are_wrong_anywhere_are_no_error_of_the_server(images: Client) -> None:
    """Every answer to a file with bytes changed is a prediction or a sentence."""
    random = np.random.default_rng(0)
    bodies = []
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"):
        original = np.frombuffer(encoded(noise(), kind), dtype=np.uint8)
        for _ in range(30):
            changed = original.copy()
            changed[random.integers(len(changed), size=4)] = random.integers(256, size=4)
            bodies.append(changed.tobytes()[: random.integers(1, len(changed) + 1)])
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda body: images.post(body, "image/png"), bodies))
    assert {answer.status for answer in answers} <= {200, 413, 415, 422}
    assert images.get("/health").content["status"] == "ok"
