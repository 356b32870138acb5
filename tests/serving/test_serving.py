"""What a server answers is what Run.predict says, alone or in batches; how it starts, and how it ends."""

import json
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import processes
import pytest
import torch
from asked import (  # noqa: F401  fixtures
    Client,
    encoded,
    form,
    gate_fixture,
    images_fixture,
    noise,
    numbers_fixture,
    reader_fixture,
    serving,
    take_away,
    texts_fixture,
)
from processes import Process

import trainyard
from trainyard.cli.main import run_command
from trainyard.errors import UserError
from trainyard.serving.explaining import Explaining

TEXTS = [
    "the cast was good",
    "I never felt that the film was dull and the cast was not bad at all",
    "dull zauberhaft !",
]


def probabilities(answer: dict[str, Any], classes: list[str]) -> list[float]:
    found = {each["label"]: each["probability"] for each in answer["top"]}
    return [found[name] for name in classes]


def test_images_get_the_probabilities_of_predict(run: trainyard.Run, images: Client) -> None:
    classes = list(run.cfg.data.classes)
    pictures = [noise(), noise(90, 64, 1, "RGBA"), noise(31, 57, 2, "L"), noise(32, 32, 3, "P")]
    expected = run.predict(pictures)
    for picture, row in zip(pictures, expected, strict=True):
        status, answer, _ = images.post(encoded(picture), "image/png")
        assert status == 200 and probabilities(answer, classes) == pytest.approx(row.tolist(), abs=1e-6)
        assert (
            answer["label"] == classes[int(row.argmax())] and answer["probability"] == answer["top"][0]["probability"]
        )
    one = images.post(encoded(pictures[0], "TIFF"), "application/octet-stream", "/predict?top=2").content
    assert [len(one["top"]), one["label"]] == [2, classes[int(expected[0].argmax())]]
    several = images.post(*form(*map(encoded, pictures))).content
    assert [probabilities(each, classes) for each in several] == [
        pytest.approx(row, abs=1e-6) for row in expected.tolist()
    ]
    assert images.post(*form(encoded(pictures[0]))).content["label"] == one["label"]


def test_texts_and_numbers_too(reader: trainyard.Run, gate: trainyard.Run, texts: Client, numbers: Client) -> None:
    expected = reader.predict(TEXTS).tolist()
    answers = texts.post([{"text": text} for text in TEXTS]).content
    assert [probabilities(each, ["against", "for"]) for each in answers] == [
        pytest.approx(row, abs=1e-6) for row in expected
    ]
    assert [(each["words"], each["unknown_words"]) for each in answers][::2] == [(4, 0), (2, 1)]
    assert texts.post({"text": TEXTS[0]}).content["top"] == [
        {"label": each["label"], "probability": pytest.approx(each["probability"], abs=1e-6)}
        for each in answers[0]["top"]
    ]
    points = [[0, 1], [1.0, 1], [0.25, -3e2]]
    answers = numbers.post([{"values": point} for point in points]).content
    rows = gate.predict(torch.tensor(points)).tolist()
    assert [probabilities(each, ["0", "1"]) for each in answers] == [pytest.approx(row, abs=1e-6) for row in rows]


def test_requests_that_come_together_are_one_batch(reader: trainyard.Run) -> None:
    words = [f"{'the cast was good and ' * (i % 5)} dull {i}" for i in range(48)]
    expected = [row[0] for row in reader.predict(words).tolist()]
    with serving(reader, batch=16, delay=0.2) as client, ThreadPoolExecutor(48) as pool:
        answers = [answer.content for answer in pool.map(lambda text: client.post({"text": text}), words)]
        assert [probabilities(each, ["against"])[0] for each in answers] == pytest.approx(expected, abs=1e-6)
        health = client.get("/health").content
    assert (health["answered"], health["inputs"]) == (48, 48) and health["batches"] <= 12


def test_all_inputs_of_a_request_wait_or_none(gate: trainyard.Run) -> None:
    with serving(gate, waiting=2) as client:
        answer = client.post([{"values": [0, 1]}] * 3)
        assert answer.status == 503 and answer.headers["Retry-After"] == "1"
        assert answer.content["error"] == "the server is busy: 0 inputs wait for the network; try again in a second"
        assert client.post([{"values": [0, 1]}] * 2).status == 200


def test_health_and_model_tell_what_is_needed_and_no_path(run: trainyard.Run, images: Client) -> None:
    health, model = images.get("/health").content, images.get("/model").content
    assert (health["status"], health["network"], len(health["classes"])) == ("ok", "MLP", 10)
    assert model["input"] == {"kind": "image", "shape": [3, 32, 32]} and "32 x 32 pixels" in model["preprocessing"]
    assert str(run.path.parent) not in json.dumps([health, model])


def listens(process: Process) -> Client:
    line = process.stdout.readline()
    assert re.match(r"serving .* on http://127.0.0.1:\d+/ \(Ctrl-C stops\)", line), line + process.stderr.read()
    return Client(int(line.rpartition(":")[2].partition("/")[0]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_what_was_asked_be_answered(number: int, gate: trainyard.Run, tmp_path: Path) -> None:
    process = Process(processes.trainyard, ["serve", str(gate.path), "--port", "0", "--device", "cpu"], tmp_path)
    try:
        client = listens(process)
        slow = socket.create_connection(("127.0.0.1", client.port), timeout=30)
        body = b'{"values": [0, 1]}'
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        slow.sendall(f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:5])
        assert client.get("/health").status == 200  # by now the slow one is being read, too
        process.send_signal(number)
        assert "stopping" in process.stderr.readline() + process.stderr.readline()
        slow.sendall(body[5:])
        answer = b"".join(iter(lambda: slow.recv(1 << 16), b""))
        assert answer.startswith(b"HTTP/1.1 200 OK") and b'"label"' in answer
        process.communicate(30)
        assert process.returncode == 0
        with pytest.raises(ConnectionRefusedError):
            client.get("/health")
    finally:
        process.kill()


def test_a_bad_start_is_a_sentence(gate: trainyard.Run, short: list[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1, port {port}: .*in use; choose another port"):
            run_command(["serve", str(gate.path), "--port", port])
    for words, said in (
        (["--port", "70000"], "port=70000 must be from 0"),
        (["--host", "no.such.host.invalid", "--port", "0"], "cannot listen on no.such.host.invalid, port 0"),
        (["--max-batch", "0"], "--max-batch=0 must be at least 1"),
        (["--device", "nothing"], "device=nothing cannot be used"),
    ):
        with pytest.raises(UserError, match=said):
            run_command(["serve", str(gate.path), *words])
    (tmp_path / "config.resolved.yaml").write_text((gate.path / "config.resolved.yaml").read_text())
    with pytest.raises(UserError, match=r"has no checkpoints/best.ckpt"):
        run_command(["serve", str(tmp_path)])


def test_without_aiohttp_the_extra_is_named(gate: trainyard.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    take_away("aiohttp", monkeypatch)
    with pytest.raises(UserError, match=r"aiohttp is not installed: pip install 'trainyard\[serve\]'"):
        gate.serve(port=0)


def test_other_machines_get_in_only_if_asked_for(gate: trainyard.Run, tmp_path: Path) -> None:
    words = [
        "serve",
        str(gate.path),
        "--port",
        "0",
        "--device",
        "cpu",
        "--host",
        "0.0.0.0",
        "--allow-host",
        "Lab.example",
    ]
    process = Process(processes.trainyard, words, tmp_path)
    try:
        client = listens(process)
        assert "warning: --host=0.0.0.0 is open to other machines, without a password" in process.stderr.readline()
        for host, status in (("lab.example", 200), ("10.0.0.7:8000", 200), ("evil.example", 403)):
            assert client.get("/health", Host=host).status == status
    finally:
        process.kill()


def test_a_server_that_stops_waits_for_no_explanation(gate: trainyard.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    go, asked = threading.Event(), threading.Event()

    def work(self: Explaining, *_: object) -> dict:
        asked.set()
        go.wait(30)
        return {}

    monkeypatch.setattr(Explaining, "work", work)
    try:
        with ThreadPoolExecutor() as pool, serving(gate, stop_time=0.2) as client:
            pool.submit(client.post, {"values": [0, 1]}, path="/explain")
            assert asked.wait(10)
        assert not go.is_set()  # and the server has ended
    finally:
        go.set()


def test_threads_end_with_the_server(gate: trainyard.Run) -> None:
    before = set(threading.enumerate())  # some may be of an earlier server, and about to end
    with serving(gate) as client:
        assert client.post({"values": [0, 1]}).status == 200
    until = time.monotonic() + 10
    while set(threading.enumerate()) - before and time.monotonic() < until:  # the server waits for none of them
        time.sleep(0.01)
    assert not set(threading.enumerate()) - before
