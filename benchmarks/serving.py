"""The load that a server bears:  python benchmarks/serving.py [--clients 64] [--requests 4000] [--rounds 3] [key=value]

Trains a network for one step (key=value: by default experiment=quickstart, a narrow ResNet-18 on images of 32 x 32),
and serves it in a process of its own, with batches of up to 32 and with --max-batch 1, in turn. In this process so many
clients send one request after the other, each on a connection of its own. Prints requests per second, latencies, and
how many answers differ from those of Run.predict by more than 1e-5, or did not come.
"""

import argparse
import asyncio
import io
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import aiohttp
import numpy as np
from PIL import Image

import trainyard

BATCHES = (32, 1)
PAYLOADS = 16  # different ones
TEXT = "the cast was good and I never felt that the film was dull "


class Load(NamedTuple):
    """What one round showed."""

    seconds: float
    latencies: list[float]  # of the requests that were answered
    wrong: int


def payloads(run: trainyard.Run) -> tuple[str, list[bytes], list[float]]:
    """Bodies of requests and their type, with the largest probability that `Run.predict` says for each."""
    data = run.cfg.data
    if len(data.get("shape") or ()) == 3:
        rng = np.random.default_rng(0)
        images = [Image.fromarray(rng.integers(256, size=(64, 64, 3), dtype=np.uint8)) for _ in range(PAYLOADS)]
        bodies = [png(image) for image in images]
        return "image/png", bodies, run.predict(images, device="cpu").amax(dim=1).tolist()
    inputs: list[Any] = [TEXT * (1 + i % 4) for i in range(PAYLOADS)] if "max_length" in data else []
    name = "text" if inputs else "values"
    inputs = inputs or [[0.1 * i] * len(np.zeros(tuple(data.shape)).flatten()) for i in range(PAYLOADS)]
    bodies = [json.dumps({name: each}).encode() for each in inputs]
    return "application/json", bodies, run.predict(inputs, device="cpu").amax(dim=1).tolist()


def png(image: Image.Image) -> bytes:
    """An image as a file's content."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def serve(path: Path, batch: int) -> tuple[subprocess.Popen, str]:
    """A server in a process of its own, and its address."""
    words = [sys.executable, "-m", "trainyard", "serve", str(path), "--port", "0", "--max-batch", str(batch)]
    process = subprocess.Popen([*words, "--device", "cpu"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    return process, line.partition(" on ")[2].partition(" ")[0]


async def load(url: str, kind: str, bodies: list[bytes], expected: list[float], clients: int, requests: int) -> Load:
    """Send the requests, `clients` at a time."""
    rest, latencies, wrong = iter(range(clients)), [], 0

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal wrong
        for number in rest:
            which, start = number % len(bodies), perf_counter()
            async with session.post("/predict", data=bodies[which], headers={"Content-Type": kind}) as response:
                answer = await response.json()
            latencies.append(perf_counter() - start)
            wrong += response.status != 200 or abs(answer["probability"] - expected[which]) > 1e-5

    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(url, connector=connector) as session:
        await asyncio.gather(*(client(session) for _ in range(clients)))  # opens the connections
        rest = iter(range(requests))
        latencies.clear()
        start = perf_counter()
        await asyncio.gather(*(client(session) for _ in range(clients)))
        return Load(perf_counter() - start, latencies, wrong)


def measure(path: Path, run: trainyard.Run, options: argparse.Namespace) -> dict[int, list[Load]]:
    """Some rounds of each size of batch, in turn."""
    kind, bodies, expected = payloads(run)
    found: dict[int, list[Load]] = {batch: [] for batch in BATCHES}
    for _ in range(options.rounds):
        for batch, loads in found.items():
            process, url = serve(path, batch)
            try:
                loads.append(asyncio.run(load(url, kind, bodies, expected, options.clients, options.requests)))
            finally:
                process.terminate()
                assert process.wait(60) == 0, "the server did not end as it should"
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("overrides", nargs="*", help="the run that is served: key=value")
    options = parser.parse_args()
    words = options.overrides or ["experiment=quickstart"]
    with tempfile.TemporaryDirectory() as folder:
        short = [f"trainer.limit_{split}_batches=1" for split in ("train", "val", "test")]
        run = trainyard.train([*words, *short, "trainer.max_epochs=1", "hardware=cpu", f"run.dir={folder}/run"])
        found = measure(Path(folder) / "run", run, options)
    lost = wrong = total = 0
    print("\nbatches   requests/s   p50 ms   p99 ms   medians of", options.rounds, "rounds")
    for batch, loads in found.items():
        rate = statistics.median(len(each.latencies) / each.seconds for each in loads)
        half, most = (1000 * statistics.median(np.percentile(each.latencies, q) for each in loads) for q in (50, 99))
        print(f"{batch:>7}{rate:>13,.0f}{half:>9.1f}{most:>9.1f}")
        total += options.requests * len(loads)
        lost += sum(options.requests - len(each.latencies) for each in loads)
        wrong += sum(each.wrong for each in loads)
    print(f"{total:,} requests of {options.clients} clients at a time: {lost} lost, {wrong} wrong")


if __name__ == "__main__":
    main()
